"""Which held-out numbers does a run have, and which of them are over the same episodes as another run's?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vbotd.core.accounts import Accounts, from_csv
from vbotd.store.files import UnreadableFile, read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An evaluation of a run's checkpoint: which instances, its metrics, and its episodes (None: their file is gone).

    `source` is the folder that holds it, "" where it was measured just now.
    """

    source: str
    purpose: str
    instances: int
    episodes: int
    sha256: str
    metrics: Mapping[str, Any]
    accounts: Accounts | None


def standings(run: Path) -> list[Standing]:
    """Return the finished evaluations of a run's checkpoints, as its trial's folder and its own hold them."""
    kept = {row.get("sha256") for row in _json(run / "checkpoints" / "index.json").get("checkpoints") or ()}
    folders = [run / "evaluate", *sorted(path.parent for path in run.parent.glob("*/spec.json"))]
    found = []
    for folder in folders:
        spec, result = _json(folder / "spec.json"), _json(folder / "result.json")
        asked, said = spec.get("evaluate") or {}, result.get("checkpoint") or {}
        if spec.get("kind") == "evaluate" and result.get("outcome") == "finished" and said.get("sha256") in kept:
            found.append(Standing(
                source=str(folder), purpose=folder.name.partition("-")[0], instances=int(asked.get("instances", 0)),
                episodes=int(asked.get("episodes", 0)), sha256=str(said["sha256"]),
                metrics=result.get("metrics") or {}, accounts=_accounts(folder)))
    return found


def on_the_same(of_runs: Sequence[Sequence[Standing]]) -> list[Standing] | None:
    """Return one evaluation a run, all over the same instances, the largest there are; None where there are none."""
    shared = {(s.instances, s.episodes) for s in of_runs[0]} if of_runs else set()
    for each in of_runs[1:]:
        shared &= {(s.instances, s.episodes) for s in each}
    if not shared:
        return None
    best = max(shared, key=lambda key: (key[1], key[0]))
    return [next(s for s in each if (s.instances, s.episodes) == best) for each in of_runs]


def _accounts(folder: Path) -> Accounts | None:
    with suppress(OSError, ValueError):
        return from_csv((folder / "episodes.csv").read_text(encoding="utf-8"))
    return None


def _json(path: Path) -> dict[str, Any]:
    with suppress(UnreadableFile):
        return read_json(path) or {}
    return {}
