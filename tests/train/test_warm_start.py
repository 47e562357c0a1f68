"""Does a warm start take along what it says, and is one that ruins the policy caught within 5 % of the run?"""

from __future__ import annotations

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

# A standing robot is at the target at once, so that a policy which has learnt next to nothing has success to lose.
TASK = "vbot_navigation_section001"
EASY = {"env.spawn_radius_m": [0.0, 0.2], "env.episode_s": 1.0, "env.reset_speed_mps": 0.0, "ppo.init_std": 0.1,
        "ppo.rollout": 16, "ppo.hidden": [16, 16], "ppo.schedule": "fixed"}
SIZES = {"env_steps": 16_384, "num_envs": 32}  # 32 iterations: the check is due after the first
Make = Callable[..., RunFolder]


@pytest.fixture
def make(run_folder: Make) -> Make:
    return lambda name="run", **spec: run_folder(name, **{"task": TASK, "params": EASY, "train": SIZES, **spec})


@pytest.fixture
def source(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkpoint of a short, healthy training."""
    monkeypatch.chdir(tmp_path)
    folder = make("source", train={"env_steps": 1024, "num_envs": 32})
    worker.train(folder)
    return folder.path / "checkpoints" / checkpoint.file_name(1024)


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
    (finding,) = result["findings"]
    assert (finding["rule"], finding["level"], finding["stop"]) == (POISONED, "error", True)


@pytest.mark.parametrize("optimizer", ["reset", "keep"])
def test_a_healthy_warm_start_goes_on_to_the_end(make: Make, source: Path, optimizer: str) -> None:
    folder = make(warm_start=warm(source, optimizer=optimizer))
    worker.train(folder)
    result = result_of(folder)
    assert (result["outcome"], result["env_steps"], result["findings"]) == ("finished", SIZES["env_steps"], [])


def test_resetting_the_poisoned_optimiser_is_the_cure(make: Make, source: Path) -> None:
    folder = make(warm_start=warm(poison(source), optimizer="reset"))
    worker.train(folder)
    assert result_of(folder)["outcome"] == "finished"
