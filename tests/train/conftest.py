"""Small environments and run folders for the training tests."""

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vbotd.train import backend
from vbotd.train.runio import RunFolder

SMALL = {"ppo.rollout": 4, "ppo.epochs": 2, "ppo.minibatches": 2, "ppo.hidden": [16, 16]}


@pytest.fixture
def run_folder(tmp_path: Path) -> Callable[..., RunFolder]:
    """Return a function that makes a run folder of a small training, or of what is said instead."""

    def make(name: str = "run", **spec: Any) -> RunFolder:
        path = tmp_path / name
        path.mkdir()
        content = {
            "version": 1,
            "run": name,
            "kind": "train",
            "entry": "vbotd.train.worker:train",
            "token": "t",
            "task": "vbot_walk_flat",
            "seed": 3,
            "threads": 1,
            "params": SMALL,
            "train": {"env_steps": 160, "num_envs": 8},
        }
        (path / "spec.json").write_text(json.dumps(content | spec))
        return RunFolder(path)

    return make


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the GPU backend; skip the test, with the reason, where there is none.

    WARP_DEVICE=cpu asks the same of Warp's CPU device, which compiles for a minute at first and is slow: it shows
    that the code is right, and nothing about a GPU.
    """
    device = os.environ.get("WARP_DEVICE", "cuda:0")
    obstacle = backend.gpu_obstacle()
    if obstacle and (device != "cpu" or importlib.util.find_spec("mujoco_warp") is None):
        pytest.skip(obstacle)
    if device == "cpu":
        from vbotd.train import sim_warp

        monkeypatch.setattr(sim_warp, "DEVICE", device)
        monkeypatch.setattr(backend, "gpu_obstacle", lambda: "")
    monkeypatch.setenv(backend.SETTING, "gpu")
