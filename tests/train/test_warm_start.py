"""Does a warm start take along what it says, and is one that ruins the policy caught within 5 % of the run?"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core.transfer import CHECK_RATE, POISONED, has_dropped
from vbotd.domain.trial import WarmStart
from vbotd.train import checkpoint, loop, worker
from vbotd.train.runio import RunFolder, SpecError
from vbotd.train.session import make_folder

# A standing robot is at the target at once, so that a policy which has learnt next to nothing has success to lose.
TASK = "vbot_navigation_section001"
EASY = {"env.spawn_radius_m": [0.0, 0.2], "env.episode_s": 1.0, "env.reset_speed_mps": 0.0, "ppo.init_std": 0.1,
        "ppo.rollout": 16, "ppo.hidden": [16, 16], "ppo.schedule": "fixed"}
# Laid out for 32 iterations, of which two are done: the check is due after the first.
SIZES = {"env_steps": 16_384, "until": 1024, "num_envs": 32}
Make = Callable[..., RunFolder]


@pytest.fixture
def make(run_folder: Make) -> Make:
    return lambda name="run", **spec: run_folder(name, **{"task": TASK, "params": EASY, "train": SIZES, **spec})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of a short, healthy training."""
    folder = make_folder(tmp_path_factory.mktemp("source"), kind="train", task=TASK, seed=3, threads=1, params=EASY,
                         train={"env_steps": 1024, "num_envs": 32})
    with contextlib.chdir(folder.path):
        worker.train(folder)
    return folder.path / "checkpoints" / checkpoint.file_name(1024)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MuJoCo's warnings land in the test's own folder."""
    monkeypatch.chdir(tmp_path)


def warm(path: Path, **changes: Any) -> dict[str, Any]:
    return asdict(WarmStart(trial="c/t001", checkpoint=str(path))) | changes


def poison(path: Path) -> Path:
    """Scale Adam's first moments by 100: the momentum of a run that had gone bad goes on pushing."""
    saved = checkpoint.load(path)
    for moments in saved["optimiser"]["state"].values():
        moments["exp_avg"] *= 100.0
    bad = path.with_name("ckpt_poisoned.pt")
    torch.save(saved, bad)
    return bad


def result_of(folder: RunFolder) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder.path / "result.json").read_text())
    return result


def test_a_poisoned_optimiser_is_caught_within_five_percent_of_the_run(make: Make, source: Path) -> None:
    folder = make(warm_start=warm(poison(source), optimizer="keep", learning_rate=1.0))
    worker.train(folder)
    result = result_of(folder)
    assert (result["outcome"], result["checkpoint"]) == ("stopped", None)
    assert result["env_steps"] <= CHECK_RATE * SIZES["env_steps"]
    assert result["reason"].startswith(f"{POISONED}: success fell from ")
    assert result["transfer"]["now"]["success"] < 0.8 * result["transfer"]["before"]["success"]
    (finding,) = result["findings"]
    assert (finding["rule"], finding["level"], finding["stop"]) == (POISONED, "error", True)


@pytest.mark.parametrize("optimizer", ["reset", "keep"])
def test_a_healthy_warm_start_goes_on_to_the_end(make: Make, source: Path, optimizer: str) -> None:
    folder = make(warm_start=warm(source, optimizer=optimizer))
    worker.train(folder)
    result = result_of(folder)
    assert (result["outcome"], result["env_steps"], result["findings"]) == ("finished", SIZES["until"], [])


def test_resetting_the_poisoned_optimiser_is_the_cure(make: Make, source: Path) -> None:
    folder = make(warm_start=warm(poison(source), optimizer="reset"))
    worker.train(folder)
    assert result_of(folder)["outcome"] == "finished"


def begun(folder: RunFolder) -> loop.Training:
    """Return the training as it is before its first iteration."""
    return worker.prepare(folder)


def test_what_is_kept_is_the_checkpoints_and_what_is_reset_is_fresh(make: Make, source: Path) -> None:
    saved = checkpoint.load(source)
    fresh = begun(make("fresh"))
    kept = begun(make("kept", warm_start=warm(source, optimizer="keep")))
    bare = begun(make("bare", warm_start=warm(source, policy="reset_value", normaliser="reset")))
    for name, tensor in kept.ppo.policy.state_dict().items():
        assert tensor.equal(saved["policy"][name]), name
        own = fresh.ppo.policy.state_dict()[name] if name.startswith("critic.") else saved["policy"][name]
        assert bare.ppo.policy.state_dict()[name].equal(own), name
    assert kept.ppo.normaliser.mean.equal(saved["normaliser"]["mean"])
    assert not bare.ppo.normaliser.count
    assert kept.ppo.optimiser.state_dict()["state"][0]["step"] == saved["optimiser"]["state"][0]["step"]
    assert not bare.ppo.optimiser.state_dict()["state"]


@pytest.mark.parametrize(("factor", "rate"), [(0.4, 0.4e-3), (0.0, 1e-3), (0.01, 1e-4)])
def test_the_rate_is_scaled_and_never_below_the_least(make: Make, source: Path, factor: float, rate: float) -> None:
    training = begun(make(warm_start=warm(source, learning_rate=factor, optimizer="keep")))
    assert training.ppo.learning_rate == pytest.approx(rate)
    assert training.ppo.optimiser.param_groups[0]["lr"] == pytest.approx(rate)
    assert training.ppo.settings.learning_rate == pytest.approx(rate)  # where a linear schedule starts


def test_the_spread_of_the_actions_is_scaled_and_held_up(make: Make, source: Path) -> None:
    old = float(checkpoint.load(source)["policy"]["log_std"].exp().mean())
    less = begun(make("less", warm_start=warm(source, action_std=0.8)))
    held = begun(make("held", warm_start=warm(source, action_std=0.8, min_action_std=0.15)))
    by_hand = begun(make("hand", warm_start={"checkpoint": str(source)}, params=EASY | {"ppo.init_std": 0.8}))
    assert float(less.ppo.policy.log_std.detach().exp().mean()) == pytest.approx(0.8 * old, rel=1e-5)
    assert float(held.ppo.policy.log_std.detach().exp().min()) == pytest.approx(0.15)
    assert float(by_hand.ppo.policy.log_std.detach().exp().min()) == pytest.approx(0.4)  # half of a fresh one
    assert by_hand.transfer is not None and by_hand.transfer.play is None


def test_a_frozen_normaliser_learns_on_after_its_share_of_the_run(make: Make, source: Path) -> None:
    known = checkpoint.load(source)["normaliser"]["count"]
    folder = make(warm_start=warm(source, freeze_rate=0.03, check=False))  # 0.03 of 32 iterations: the first alone
    training = begun(folder)
    counts = []
    for _ in range(3):
        assert training.transfer is not None
        training.transfer.begin(training)
        loop.collect(training)
        loop.improve(training)
        counts.append(float(training.ppo.normaliser.count - known))
    assert counts == [0.0, 512.0, 1024.0]


def test_a_resumed_warm_start_equals_an_uninterrupted_one(make: Make, source: Path) -> None:
    linear = EASY | {"ppo.schedule": "linear"}
    start = {"warm_start": warm(source, freeze_rate=0.05), "params": linear}
    whole, part = make("whole", **start), make("part", train=SIZES | {"until": 512}, **start)
    worker.train(whole)
    worker.train(part)
    newest = part.path / checkpoint.read_index(part.path)[-1].path
    rest = make("rest", params=linear, resume_from=str(newest))
    worker.train(rest)
    one, other = (checkpoint.load(f.path / "checkpoints" / checkpoint.file_name(1024)) for f in (whole, rest))
    for part_name in ("policy", "normaliser"):
        for name, tensor in one[part_name].items():
            assert tensor.equal(other[part_name][name]), name
    assert one["learning_rate"] == other["learning_rate"]
    assert one["transfer"] == other["transfer"] and one["transfer"]["checked"]


def test_a_level_of_the_curriculum_comes_along_where_it_is_kept(make: Make, tmp_path: Path) -> None:
    levels = EASY | {"env.spawn_curriculum": True}
    first = begun(make("first", params=levels))
    first.env.task.state()["curriculum_level"][:] = 0.7
    saved = checkpoint.save(tmp_path, loop.snapshot(first), 512, None)
    path = tmp_path / saved.path
    kept = begun(make("kept", params=levels, warm_start=warm(path, curriculum="keep", check=False)))
    anew = begun(make("anew", params=levels, warm_start=warm(path, check=False)))
    assert (kept.env.task.level, anew.env.task.level) == (pytest.approx(0.7), pytest.approx(0.2))


@pytest.mark.parametrize(("changes", "message"), [
    ({"optimizer": "keep", "policy": "reset_value"}, "reset the optimizer too"),
    ({"optimizer": "keep", "normaliser": "reset"}, "reset both, or keep both"),
    ({"optimizer": "frozen"}, "warm_start.optimizer is 'frozen' — allowed: keep, reset"),
    ({"normalizer": "keep"}, "has no 'normalizer' — allowed: .* did you mean 'normaliser'"),
    ({"learning_rate": 1.5}, "warm_start.learning_rate is 1.5 — allowed: 0 to 1"),
    ({"action_std": 2.0}, "warm_start.action_std is 2.0 — allowed: 0.01 to 1"),
    ({"learning_rate": math.nan}, "learning_rate is nan"),
    ({"freeze_rate": True}, "freeze_rate is True"),
    ({"check": "no"}, "warm_start.check is 'no' — allowed: true or false"),
    ({"checkpoint": ""}, "give the path"),
    ({"checkpoint": "/nowhere.pt"}, "is missing"),
])
def test_what_cannot_be_meant_is_refused_in_words(make: Make, source: Path, changes: dict[str, Any],
                                                  message: str) -> None:
    with pytest.raises(SpecError, match=message):
        begun(make(warm_start=warm(source) | changes))


def test_networks_and_curricula_of_another_kind_are_refused(make: Make, source: Path) -> None:
    wider = EASY | {"ppo.hidden": [32, 16]}
    with pytest.raises(SpecError, match=r"do not fit this task or ppo\.hidden"):
        begun(make("wider", params=wider, warm_start=warm(source)))
    with pytest.raises(SpecError, match="do not fit this task"):
        begun(make("walk", task="vbot_walk_flat", params={"ppo.hidden": [16, 16]}, warm_start=warm(source)))


rows = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=128)


@given(rows)
def test_what_did_not_fall_by_a_fifth_has_not_dropped(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
    if sum(after) >= 0.8 * sum(before):
        assert not has_dropped(before, after)
    if sum(before) >= 0.5 * len(before) and len(before) >= 32:
        assert has_dropped(before, [0.0] * len(before))


def test_a_drop_that_may_be_chance_is_none() -> None:
    half = [1.0] * 24 + [0.0] * 8
    assert not has_dropped(half, [1.0] * 18 + [0.0] * 14)  # 75 % to 56 %: a fifth and a little, over 32 episodes
    assert has_dropped(half, [1.0] * 6 + [0.0] * 26)
    assert not has_dropped([1.0] * 2 + [0.0] * 30, [0.0] * 32)  # there was next to nothing to lose
