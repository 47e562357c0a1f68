"""`python -m vbotd.train RUN_DIR`: do what the run folder's spec says, and end with a code that says how it went."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vbotd.train.gl import RenderError, choose_gl
from vbotd.train.runio import EXIT_BAD_SPEC, EXIT_DIVERGED, EXIT_OK, RunFolder, SpecError
from vbotd.train.threads import apply, prepare

EXIT_FAILED = 1
EXIT_USAGE = 2
NEVER_DRAW = ("train", "evaluate", "audit")


def main(arguments: Sequence[str]) -> int:
    """Run the worker and return its exit code; the table is in docs/RUN_FOLDER.md."""
    if len(arguments) != 1:
        print("usage: python -m vbotd.train RUN_DIR", file=sys.stderr)
        return EXIT_USAGE
    folder = RunFolder(arguments[0])
    if not folder.path.is_dir():
        print(f"run folder '{arguments[0]}' is no folder — give one that holds spec.json", file=sys.stderr)
        return EXIT_BAD_SPEC
    # `kill -USR1` shows where a worker hangs, without ending it.
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    folder.stop_on_sigterm()
    # MuJoCo writes its warnings into the current folder.
    os.chdir(folder.path)
    try:
        work(folder)
    except SpecError as err:
        print(f"spec error: {err}", file=sys.stderr)
        return EXIT_BAD_SPEC
    return exit_code(folder)


def work(folder: RunFolder) -> None:
    """Read the spec, set the threads before anything heavy is loaded, and call the entry."""
    spec = folder.spec()
    total = spec.train.get("env_steps", 0)
    folder.heartbeat(phase="start", env_steps=0, total_env_steps=total, env_steps_per_s=0.0, success_rate=None)
    if spec.entry.startswith("vbotd.train."):
        prepare()
    elif "torch" in sys.modules:  # a copy of the fork server, which has loaded it for one thread
        apply(spec.threads)
    if spec.kind not in NEVER_DRAW:
        with suppress(RenderError):  # who draws says what is missing
            choose_gl()  # before mujoco is loaded, which reads it once
    # Here and not above: the entry loads torch, and a bad spec should be told within milliseconds.
    from vbotd.host.discovery import mount_workspace
    from vbotd.train.tasks import registry

    if "VBOTD_HOME" in os.environ:  # a task of the workspace's own plugins brings its own worker
        mount_workspace(Path(os.environ["VBOTD_HOME"]) / "plugins")
    registry.call_target(spec.entry)(folder)


def exit_code(folder: RunFolder) -> int:
    """Return the code for the result that was written; a worker that wrote none has failed."""
    try:
        outcome = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))["outcome"]
    except (OSError, ValueError, KeyError) as err:
        print(f"the entry returned without a result.json ({type(err).__name__})", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_DIVERGED if outcome == "diverged" else EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
