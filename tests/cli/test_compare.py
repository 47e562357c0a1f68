"""compare on run folders made by hand: what differs, what was measured, who is better, and what that speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.cli.calling import Called
from tests.cli.test_monitor import make_run
from vbotd.layout import Layout
from vbotd.store.files import sha256_of, write_json_atomic

TASK = "vbot_walk_flat"


def made(home: Path, run: str, *, success: float, seed: int = 1, params: Mapping[str, Any] | None = None,
         episodes: int = 200, instances: int = 500_001, weights: str = "", task: str = TASK) -> Path:
    """Make a train run with its series, a checkpoint, and its evaluation, if it has episodes."""
    folder = make_run(home, run, iterations=12, seed=seed)
    write_json_atomic(folder / "spec.json", {"version": 1, "run": run, "kind": "train", "task": task, "seed": seed,
                                             "params": dict(params or {}), "train": {"env_steps": 3_000_000}})
    checkpoint = folder / "checkpoints" / "ckpt_000000000100.pt"
    checkpoint.parent.mkdir()
    checkpoint.write_text(weights or run)
    kept = {"path": f"checkpoints/{checkpoint.name}", "sha256": sha256_of(checkpoint), "env_steps": 100, "score": None}
    write_json_atomic(folder / "checkpoints" / "index.json", {"checkpoints": [kept]})
    if not episodes:
        return folder
    evaluated = folder / "evaluate"
    evaluated.mkdir()
    won = np.random.default_rng(3).random(episodes) < success
    metrics = {"eval/success_rate": {"value": float(won.mean()), "low": 0.0, "high": 1.0, "n": episodes}}
    write_json_atomic(evaluated / "spec.json", {"version": 1, "kind": "evaluate", "task": task, "evaluate": {
        "episodes": episodes, "instances": instances}})
    write_json_atomic(evaluated / "result.json", {"version": 1, "outcome": "finished", "metrics": metrics,
                                                  "checkpoint": kept})
    rows = "".join(f"{i},{int(value)},{0.1 if value else 0.5}\n" for i, value in enumerate(won))
    (evaluated / "episodes.csv").write_text(f"instance,success,speed_error_mps\n{rows}")
    return folder


def test_two_runs_are_compared_over_the_same_episodes(call: Callable[..., Called], home: Path):
    made(home, "by-hand/a", success=0.5)
    made(home, "by-hand/b", success=0.9, params={"ppo.learning_rate": 3e-4})
    called = call("compare", "a", "b")
    assert called.code == 0, called.err
    assert called.out.index("settings that differ") < called.out.index("training, last (best)")
    assert "ppo.learning_rate     default  0.0003" in called.out
    assert "reward terms, per second" in called.out
    assert "held out, 200 episodes of seed 500001" in called.out
    assert "b minus a, eval/success_rate: +0.4" in called.out
    assert "these numbers speak of the checkpoints that were measured" in called.out


def test_the_document_says_the_same(call: Callable[..., Called], home: Path):
    made(home, "by-hand/a", success=0.5)
    made(home, "by-hand/b", success=0.9)
    told = call("compare", "by-hand/a", "by-hand/b", "--json").json()
    assert [run["name"] for run in told["runs"]] == ["by-hand/a", "by-hand/b"]
    assert told["settings"] == {}
    assert told["runs"][0]["series"]["train/success_rate"]["best"] is not None
    (success, speed) = told["improvement"]
    assert (success["unit"], success["tag"], speed["tag"]) == ("episode", "eval/success_rate", "eval/speed_error_mps")
    assert success["low"] > 0.5
    assert told["differences"][0]["metrics"]["eval/success_rate"]["low"] > 0.25


def test_seeds_against_seeds_speak_of_the_settings(call: Callable[..., Called], home: Path):
    for n in range(5):
        made(home, f"by-hand/a{n}", success=0.9 + n / 100, seed=n, params={"ppo.gamma": 0.98})
        made(home, f"by-hand/b{n}", success=0.5 + n / 100, seed=n)
    sides = (*(f"a{n}" for n in range(5)), "--against", *(f"b{n}" for n in range(5)))
    told = call("compare", *sides, "--json").json()
    improvement = told["improvement"][0]
    assert (improvement["unit"], improvement["value"], improvement["n"]) == ("run", 1.0, 5)
    assert improvement["low"] > 0.5
    assert told["notes"] == []
    three = call("compare", "a0", "a1", "a2", "--against", "b0", "b1", "b2")
    assert "with only 3 runs on a side nothing is proved" in three.out
    mixed = call("compare", "a0", "b1", "--against", "b0")
    assert "the runs before --against differ in ppo.gamma" in mixed.out


def test_a_copy_is_told_by_its_hash(call: Callable[..., Called], home: Path):
    made(home, "by-hand/a", success=0.5, weights="same")
    made(home, "by-hand/copy", success=0.5, weights="same")
    told = call("compare", "a", "copy", "--json").json()
    assert told["runs"][1]["same_as"] == "by-hand/a"
    assert told["improvement"] == []
    assert "the very same checkpoint" in told["notes"][0]


def test_what_was_measured_on_other_episodes_is_not_paired(call: Callable[..., Called], home: Path):
    made(home, "by-hand/a", success=0.5)
    made(home, "by-hand/b", success=0.9, instances=7)
    made(home, "by-hand/c", success=0.9, episodes=0)
    assert "measured on different episodes, so nothing is paired" in call("compare", "a", "b").out
    called = call("compare", "a", "c")
    assert "no held-out episodes were measured" in called.out
    assert "P(" not in called.out


def test_a_trial_is_its_run_with_the_evaluations_beside_it(call: Callable[..., Called], home: Path, layout: Layout):
    for trial in ("night-1/t001", "night-1/t002"):
        folder = made(home, f"{trial}/train-s1-a1", success=0.5)
        (folder / "evaluate").rename(layout.run(trial) / "score-s1-a1")
    told = call("compare", "night-1/t001", "night-1/t002", "--json").json()
    assert [run["held_out"]["purpose"] for run in told["runs"]] == ["score", "score"]
    whole = call("compare", "night-1", "--json").json()
    assert [run["name"] for run in whole["runs"]] == [run["name"] for run in told["runs"]]


def test_the_plot_lays_the_runs_over_each_other(call: Callable[..., Called], home: Path):
    made(home, "by-hand/a", success=0.5)
    made(home, "by-hand/b", success=0.9)
    called = call("compare", "a", "b", "--plot", "out.png")
    assert called.code == 0, called.err
    assert (home / "out.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_compared_is_said(call: Callable[..., Called], home: Path):
    made(home, "by-hand/a", success=0.5)
    made(home, "by-hand/n", success=0.5, task="vbot_navigation_section001")
    for words, code, says in (
            (("a",), 1, "is one run"), (("a", "n"), 1, "of 2 tasks"), (("a", "--against"), 2, "stands between runs"),
            (("a", "--against", "a"), 1, "on both sides"), (("a", "--plto", "x"), 2, "no option '--plto'"),
            (("a", "nothing"), 5, "nothing"), (("a", "n", "--param", "env.x=1"), 2, "give --episodes too")):
        called = call("compare", *words)
        assert (called.code, says in called.err) == (code, True), called.err
