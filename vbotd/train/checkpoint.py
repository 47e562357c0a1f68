"""Everything that a run needs to go on where it was, in one file: saved whole or not at all, loaded without code.

Writes: checkpoints/ckpt_<env_steps>.pt, then checkpoints/index.json. A crash between the two leaves a file that
the index does not know; it is found by its name all the same.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vbotd.store.files import sha256_of, sync_folder, write_json_atomic
from vbotd.train.runio import SpecError

VERSION = 1
SPACED = 3  # checkpoints kept between the first and the last, besides those with a role
ROLES = ("best", "peak", "rising", "last")
SCORE_TOLERANCE = 0.02  # a standard error of the window's rate; within it, the later checkpoint is the better one


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One checkpoint in the index. `score` is the training success rate, None before the first episode.

    `role` says why it is kept, some of "best peak rising last": the one to use, the one with the highest score, the one
    before that (the last of the rise, to go on from after a collapse), and the newest.
    """

    path: str  # relative to the run folder
    sha256: str
    env_steps: int
    score: float | None
    role: str = ""


def file_name(env_steps: int) -> str:
    """Return the name of the checkpoint of that age."""
    return f"ckpt_{env_steps:012d}.pt"


def save(folder: Path, content: Mapping[str, Any], env_steps: int, score: float | None) -> Saved:
    """Write a checkpoint durably below the run folder and list it in the index."""
    target = folder / "checkpoints" / file_name(env_steps)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        torch.save({"version": VERSION, "env_steps": env_steps, **content}, file)
        file.flush()
        os.fsync(file.fileno())
    digest = sha256_of(temporary)
    os.replace(temporary, target)
    sync_folder(target.parent)
    saved = Saved(path=f"checkpoints/{target.name}", sha256=digest, env_steps=env_steps, score=score)
    _write_index(folder, [s for s in read_index(folder) if s.env_steps != env_steps] + [saved])
    return saved


def load(path: Path | str) -> dict[str, Any]:
    """Read a checkpoint; SpecError where it is missing, damaged, or of another version.

    `weights_only=True`: the file may come from anywhere, and must not be able to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise SpecError(f"checkpoint {path} is missing — give the path of a ckpt_*.pt file")
    known = next((s for s in read_index(path.parent.parent) if s.path == f"checkpoints/{path.name}"), None)
    if known is not None and known.sha256 != sha256_of(path):
        raise SpecError(f"checkpoint {path} is damaged — its sha256 is not the one in index.json — take another one")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as err:
        raise SpecError(f"checkpoint {path} cannot be read ({type(err).__name__}) — take another one") from err
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise SpecError(f"checkpoint {path} is of another version — this worker reads version {VERSION}")
    return content


def best(saved: list[Saved]) -> Saved:
    """Return the checkpoint to use: the highest score, and the latest of those within the tolerance of it.

    Why not simply the last: every long run of the predecessor peaked and then declined.
    """
    top = max((s.score for s in saved if s.score is not None), default=None)
    if top is None:
        return max(saved, key=lambda s: s.env_steps)
    good = [s for s in saved if s.score is not None and s.score >= top - SCORE_TOLERANCE]
    return max(good, key=lambda s: s.env_steps)


def roles(saved: list[Saved]) -> dict[str, int]:
    """Return which checkpoint, by env steps, has which role; those may never be deleted."""
    if not saved:
        return {}
    ordered = sorted(saved, key=lambda s: s.env_steps)
    found = {"best": best(saved).env_steps, "last": ordered[-1].env_steps}
    scored = [s for s in ordered if s.score is not None]
    if scored:
        peak = max(scored, key=lambda s: (s.score or 0.0, -s.env_steps))
        before = [s for s in ordered if s.env_steps < peak.env_steps]
        found |= {"peak": peak.env_steps} | ({"rising": before[-1].env_steps} if before else {})
    return found


def prune(folder: Path) -> None:
    """Delete all checkpoints but those with a role and `SPACED` evenly spaced ones; the index tells the roles."""
    listed = read_index(folder)
    if len(listed) <= SPACED + 2:
        return
    keep = set(roles(listed).values())
    for share in np.linspace(0.0, 1.0, SPACED + 2)[1:-1]:
        wanted = share * listed[-1].env_steps
        keep.add(min(listed, key=lambda s: abs(s.env_steps - wanted)).env_steps)
    _write_index(folder, [s for s in listed if s.env_steps in keep])
    for saved in listed:
        if saved.env_steps not in keep:
            (folder / saved.path).unlink(missing_ok=True)


def read_index(folder: Path) -> list[Saved]:
    """Return the checkpoints of a run folder, oldest first; empty where there is no index."""
    try:
        rows = json.loads((folder / "checkpoints" / "index.json").read_text(encoding="utf-8"))["checkpoints"]
    except (OSError, ValueError, KeyError):
        return []
    return sorted((Saved(**row) for row in rows), key=lambda s: s.env_steps)


def lanes_of(saved: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the state of each lane of a checkpoint; before there were lanes, what is now a lane's was the run's."""
    lanes: list[Mapping[str, Any]] = saved.get("lanes", [saved])
    return lanes


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return arrays as tensors that own their memory."""
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def arrays(saved: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Return saved tensors as arrays."""
    return {name: tensor.numpy() for name, tensor in saved.items()}


def _write_index(folder: Path, saved: list[Saved]) -> None:
    kept_for = roles(saved)
    named = (replace(s, role=" ".join(role for role in ROLES if kept_for.get(role) == s.env_steps)) for s in saved)
    rows = [asdict(s) for s in sorted(named, key=lambda s: s.env_steps)]
    write_json_atomic(folder / "checkpoints" / "index.json", {"checkpoints": rows})
