"""The worker's side of the run folder: spec in; heartbeat, result and stop requests out. Nothing heavy is loaded."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from vbotd.store.files import write_json_atomic

HEARTBEAT_INTERVAL_S = 1.0
EXIT_OK = 0
EXIT_DIVERGED = 3
EXIT_BAD_SPEC = 4


class SpecError(ValueError):
    """The spec asks for something that cannot be: an unknown key, a missing checkpoint. Exit code 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """`spec.json`, checked for form; what `params` may hold is the task's business."""

    run: str
    kind: str
    entry: str
    task: str
    seed: int = 0
    threads: int = 1
    params: Mapping[str, Any]
    train: Mapping[str, Any]
    evaluate: Mapping[str, Any] | None = None  # None for other kinds
    capture: Mapping[str, Any] | None = None  # same
    checkpoint: str | None = None  # of the run that this one follows; None where it follows none that has one
    resume_from: str | None = None  # None to begin at the beginning
    warm_start: Mapping[str, Any] | None = None  # None to begin with random weights
    token: str = ""


class RunFolder:
    """One run's folder: the only thing that a worker and the daemon share."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).resolve()
        self.on_heartbeat: Callable[[Mapping[str, Any]], None] | None = None  # None: nobody watches in this process
        self._stopped = False
        self._last_heartbeat_s = -HEARTBEAT_INTERVAL_S

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    def spec(self) -> RunSpec:
        """Read and check `spec.json`; SpecError says in one line what is wrong with it."""
        file = self.path / "spec.json"
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
        except OSError as err:
            raise SpecError(f"{file.name}: cannot be read ({err.strerror}) — a run folder holds one") from err
        except ValueError as err:
            raise SpecError(f"{file.name}: is no JSON ({err})") from err
        return parse_spec(raw)

    def heartbeat(self, **facts: Any) -> None:
        """Write `heartbeat.json`, at most once a second; call it as often as you like."""
        if not self.heartbeat_due():
            return
        self._last_heartbeat_s = time.monotonic()
        facts["at"] = time.time()
        # No fsync: a heartbeat that a power cut loses was about to be outdated anyway.
        write_json_atomic(self.path / "heartbeat.json", facts, durable=False)
        if self.on_heartbeat is not None:
            self.on_heartbeat(facts)

    def heartbeat_due(self) -> bool:
        """Say whether the next heartbeat would be written; for callers to whom its facts cost something."""
        return time.monotonic() - self._last_heartbeat_s >= HEARTBEAT_INTERVAL_S

    def stop_requested(self) -> bool:
        """Say whether the run is to end early: a `stop` file, or SIGTERM."""
        return self._stopped or (self.path / "stop").exists()

    def request_stop(self) -> None:
        """Ask this very process to end the run early, as the stop file would."""
        self._stopped = True

    def stop_on_sigterm(self) -> None:
        """Take SIGTERM as a stop request from now on."""
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json`, durably: the proof that work was done."""
        write_json_atomic(self.path / "result.json", {"version": 1, **result})

    def _on_sigterm(self, _signum: int, _frame: FrameType | None) -> None:
        self._stopped = True


def parse_spec(raw: Any) -> RunSpec:
    """Return the spec that a JSON object describes."""
    if not isinstance(raw, dict):
        raise SpecError("spec.json: is no JSON object")
    if raw.get("version") != 1:
        raise SpecError(f"spec.json: version is {raw.get('version')!r} — this worker reads version 1")
    missing = [key for key in ("run", "kind", "entry", "task") if not isinstance(raw.get(key), str)]
    if missing:
        raise SpecError(f"spec.json: {', '.join(missing)} missing or no text")
    for key in ("seed", "threads"):
        value = raw.get(key, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < (0 if key == "seed" else 1):
            raise SpecError(f"spec.json: {key} is {value!r} — it must be a whole number, not below 0 (threads: 1)")
    for key in ("params", "train", "evaluate", "capture", "warm_start"):
        if not isinstance(raw.get(key) or {}, dict):
            raise SpecError(f"spec.json: {key} is {raw[key]!r} — it must be an object")
    return RunSpec(
        run=raw["run"],
        kind=raw["kind"],
        entry=raw["entry"],
        task=raw["task"],
        seed=raw.get("seed", 0),
        threads=raw.get("threads", 1),
        params=raw.get("params") or {},
        train=raw.get("train") or {},
        evaluate=raw.get("evaluate"),
        capture=raw.get("capture"),
        checkpoint=raw.get("checkpoint"),
        resume_from=raw.get("resume_from"),
        warm_start=raw.get("warm_start"),
        token=raw.get("token") or "",
    )
