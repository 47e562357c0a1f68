"""Train or evaluate here and now, in this process: a run folder and the same worker code, without the daemon."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vbotd.store.files import write_json_atomic
from vbotd.train.runio import RunFolder
from vbotd.train.threads import prepare

Progress = Callable[[Mapping[str, Any]], None]

DEFAULT_INSTANCES = 100_001


def train_here(
    task: str,
    run_dir: Path,
    params: Mapping[str, Any],
    env_steps: int | None,  # None: what the task's card says
    num_envs: int | None,  # None: same
    seed: int,
    threads: int,
    warm_start: Path | None = None,  # None: begin with random weights
    on_progress: Progress | None = None,  # None: nobody watches
) -> dict[str, Any]:
    """Train in `run_dir` and return the content of `result.json`. A checkpoint's path there is relative to it.

    `on_progress` gets the content of each heartbeat, about once a second. Raises: SpecError.
    """
    prepare()
    from vbotd.train import worker  # loads torch

    sizes = {"env_steps": env_steps, "num_envs": num_envs}
    folder = make_folder(
        run_dir,
        kind="train",
        task=task,
        seed=seed,
        threads=threads,
        params=dict(params),
        train={key: value for key, value in sizes.items() if value is not None},
        warm_start=None if warm_start is None else {"checkpoint": str(Path(warm_start).resolve())},
    )
    return _work(worker.train, folder, on_progress)


def evaluate_here(
    checkpoint: Path,
    episodes: int = 256,
    instances: int = DEFAULT_INSTANCES,
    threads: int = 1,
    run_dir: Path | None = None,  # None: a temporary one
    params: Mapping[str, Any] | None = None,  # None: the checkpoint's own settings
    on_progress: Progress | None = None,  # None: nobody watches
) -> dict[str, Any]:
    """Evaluate a checkpoint and return its metrics, `{tag: {value, low, high, n}}`. Raises: SpecError."""
    prepare()
    from vbotd.train import worker  # loads torch
    from vbotd.train.checkpoint import load

    with contextlib.ExitStack() as stack:
        target = run_dir or Path(stack.enter_context(TemporaryDirectory(prefix="vbotd-evaluate-")))
        folder = make_folder(
            target,
            kind="evaluate",
            task=load(checkpoint)["task"],
            seed=0,
            threads=threads,
            params=dict(params or {}),
            evaluate={"checkpoint": str(Path(checkpoint).resolve()), "episodes": episodes, "instances": instances},
        )
        result = _work(worker.evaluate, folder, on_progress)
    return dict(result["metrics"])


def make_folder(run_dir: Path, *, kind: str, **spec: Any) -> RunFolder:
    """Make a run folder with its `spec.json`, as the daemon would."""
    run_dir = Path(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    content = {"version": 1, "run": run_dir.name, "kind": kind, "entry": f"vbotd.train.worker:{kind}", "token": ""}
    write_json_atomic(run_dir / "spec.json", content | spec)
    return RunFolder(run_dir)


def _work(entry: Callable[[RunFolder], None], folder: RunFolder, on_progress: Progress | None) -> dict[str, Any]:
    folder.on_heartbeat = on_progress
    # MuJoCo writes its warnings into the current folder.
    with contextlib.chdir(folder.path):
        entry(folder)
    result: dict[str, Any] = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))
    return result
