"""Small environments and run folders for the training tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
