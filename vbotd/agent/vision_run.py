"""A run of kind `look`: what does a vision model think of a capture? Its opinion beside the kinematic gate's word.

Without a configured model, a key or a sheet to look at the run finishes and says what is missing: nothing waits for
an opinion.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from vbotd.agent.ask import Endpoint, ModelError, endpoint_of
from vbotd.agent.vision import Look, look
from vbotd.core.config import Config, ConfigError, parse_config
from vbotd.core.interval import of_rate
from vbotd.core.look_batches import Seen
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, write_json_atomic

RULE = "vlm-opinion"
DEADLINE_S = 600.0
BEAT_S = 1.0
MAX_MESSAGE = 900


class Folder(Protocol):
    """What a look needs of its run's folder."""

    path: Path

    def heartbeat(self, **facts: Any) -> None:
        """Say that the run goes on."""

    def stop_requested(self) -> bool:
        """Say whether it is to end early."""

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json`."""


def look_at_capture(folder: Folder) -> None:
    """Ask the configured model about the capture that `spec.json` names; write `look.json` and `result.json`."""
    began_s = time.monotonic()
    opinion: dict[str, Any] = {}
    try:
        layout = Layout.find()
        spec = read_json(folder.path / "spec.json") or {}
        pictures = capture_folder(layout, spec)
        endpoint = endpoint_of(read_model(layout))
        with _beating(folder):
            opinion = opinion_of(endpoint, pictures, seed=str(spec.get("run")),
                                 go_on=lambda: not folder.stop_requested())  # fmt: skip
        write_json_atomic(folder.path / "look.json", opinion)
        reason = "; ".join(opinion["failures"])
    except (ModelError, UnreadableFile) as err:
        reason = f"no opinion: {err}"
    stopped = folder.stop_requested()
    folder.write_result({
        "outcome": "stopped" if stopped else "finished", "reason": "asked to stop" if stopped else reason,
        "env_steps": 0, "wall_s": round(time.monotonic() - began_s, 3), "simulated_s": 0.0, "checkpoint": None,
        "metrics": opinion.get("metrics", {}), "findings": _findings(opinion),
    })  # fmt: skip


def opinion_of(
    endpoint: Endpoint, pictures: Path, *, seed: str, go_on: Callable[[], bool] = lambda: True
) -> dict[str, Any]:
    """Ask about the look sheets in a capture's folder; return what the model says of each, and how far to trust it.

    Raises: ModelError where there is nothing to look at.
    """
    index = read_json(pictures / "capture.json") or {}
    sheets = {f"e{file['episode']}": pictures / file["file"]
              for file in index.get("files", ()) if file["kind"] == "look sheet"}  # fmt: skip
    if not sheets:
        missing = "; ".join(index.get("missing", ())) or "there is no capture"
        raise ModelError(f"no sheet to look at in {pictures.name}/ ({missing})")
    gate = {f"e{episode['episode']}": str(episode["kinematics"]["class"]) for episode in index["episodes"]}
    found = look(endpoint, sheets, seed=seed, deadline_s=DEADLINE_S, go_on=go_on)
    return {
        "version": 1, "label": found.label, "model": found.model, "seconds": found.seconds,
        "episodes": [_told(name, one, gate) for name, one in sorted(found.opinions.items())],
        "known": [{"truth": one.shown.truth, "said": one.said} for one in found.known],
        "failures": list(found.failures), "metrics": _metrics(found, gate),
    }  # fmt: skip


def capture_folder(layout: Layout, spec: Mapping[str, Any]) -> Path:
    """Return the folder of the capture that a spec names by its run. Raises: ModelError."""
    named = (spec.get("look") or {}).get("capture")
    folder = layout.run(str(named)).resolve()
    if not isinstance(named, str) or not folder.is_relative_to(layout.runs.resolve()):
        raise ModelError(f"look.capture is {named!r} — it must be the id of a capture run")
    return folder / "capture"


def read_model(layout: Layout) -> Any:
    """Return the `model` block of `vbotd.yaml`, None where there is none. Raises: ModelError."""
    try:
        data = layout.config.read_bytes()
    except FileNotFoundError:
        return Config().model
    try:
        return parse_config(data, str(layout.config)).model
    except ConfigError as err:
        raise ModelError(str(err)) from err


def _told(name: str, one: Seen, gate: Mapping[str, str]) -> dict[str, Any]:
    return {"episode": int(name.removeprefix("e")), "said": one.said, "confidence": round(one.confidence, 3),
            "seen": one.words, "gate": gate.get(name, "")}  # fmt: skip


def _metrics(found: Look, gate: Mapping[str, str]) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    if found.error is not None:
        metrics["look/known_error_rate"] = found.error
    if found.opinions:
        agreed = sum(one.said == gate.get(name) for name, one in found.opinions.items())
        metrics["look/agrees_with_gate"] = of_rate(agreed, len(found.opinions))
    return metrics


def _findings(opinion: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the opinion as a finding of level info: it is shown, and decides nothing."""
    if not opinion.get("episodes"):
        return []
    said = "; ".join(
        f"episode {one['episode']} {one['said']} ({one['confidence']:.0%} sure, the gate says {one['gate']})"
        + (f": {one['seen']}" if one["seen"] else "") for one in opinion["episodes"])
    return [{"rule": RULE, "level": "info", "message": f"{opinion['label']}: {said}"[:MAX_MESSAGE]}]


@contextmanager
def _beating(folder: Folder) -> Iterator[None]:
    """Send heartbeats while the model takes its time."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_S):
            folder.heartbeat(phase="look", env_steps=0, total_env_steps=0, env_steps_per_s=0.0, success_rate=None)

    thread = threading.Thread(target=beat, daemon=True, name="look-heartbeat")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
