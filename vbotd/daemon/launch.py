"""Where runs execute: start one exactly once, look at it, press it to end. Local processes are the first place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import psutil

from vbotd import failpoint
from vbotd.core.sighting import ExitSeen, RunSeen
from vbotd.daemon import shim
from vbotd.daemon.forking import TOKEN_PLACE, ForkedShim, ForkServer
from vbotd.daemon.housekeeping import shorten
from vbotd.domain.trial import CheckpointRef, Run
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json, sha256_of, write_atomic, write_json_atomic
from vbotd.store.locks import is_locked

ENV_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
            "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "VBOTD_BACKEND", "MUJOCO_GL", "DISPLAY", "XDG_RUNTIME_DIR")
# What it takes to reach a model: for the runs whose spec says `asks_model`, and for no other.
MODEL_ENV = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
             "SSL_CERT_FILE", "SSL_CERT_DIR")
# Nobody but us knows what a task's own worker must set before torch and mujoco are loaded (MUJOCO_GL, as a capture).
FORKABLE = ("vbotd.train.worker:", "vbotd.train.audit:")
FENCE_AFTER_S = 20.0  # a shim needs 30 ms to claim; one that has not by then, and is gone, never will


class Launcher(Protocol):
    """A place where runs execute. All methods return at once; what happened is seen by `look`."""

    def start(self, run: Run) -> None:
        """Start a run whose launch is committed. Raises OSError when the system refuses."""

    def tend(self) -> None:
        """Do what is due now and then; called once a tick."""

    def look(self, run: Run) -> RunSeen:
        """Return what there is to see of a live run now."""

    def press(self, run: Run, rung: str) -> None:
        """Press a run to end: `file`, `term` or `kill`."""


class LocalLauncher:
    """Runs as processes of this machine, each under a shim of its own (see `daemon/shim.py`).

    `fork_server` is that of `vbotd.yaml`: which workers are copies of a process that has torch loaded already.
    `model_key` names the variable with the key of the model ("": none), which only runs that ask a model get.
    """

    def __init__(self, layout: Layout, fork_server: str = "never", model_key: str = "") -> None:
        self.fork_server = fork_server
        self.model_key = model_key
        self._layout = layout
        self._server: ForkServer | None = None
        self._shims: dict[str, subprocess.Popen[bytes] | ForkedShim] = {}
        self._known: set[str] = set()  # tokens of the runs that were started here, or seen in the last tick
        self._looked: set[str] = set()  # since
        self._boot_id = shim.boot_id()

    def start(self, run: Run) -> None:
        """Write the spec and start the shim in a session of its own, with files for its output, never pipes."""
        failpoint.hit("launch.before_spec")
        folder = self._layout.run(run.id)
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder / "spec.json", spec_of(run, self._layout))
        # The fork server may have died after it forked: then there are two shims, and the claim lets one of them start.
        failpoint.hit("launch.before_spawn")
        self._shims[run.token] = self._fork(run, folder) or self._spawn(run, folder)
        failpoint.hit("launch.after_spawn")
        self._looked.add(run.token)

    def _spawn(self, run: Run, folder: Path) -> subprocess.Popen[bytes]:
        with (folder / "shim.log").open("ab") as log:
            return subprocess.Popen(
                [*self._shim_command(run, folder), "--", sys.executable, "-m", "vbotd.train", str(folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, close_fds=True,
                env=worker_environment(run, self._layout, os.environ, self.model_key))

    def _fork(self, run: Run, folder: Path) -> ForkedShim | None:
        """Have the run forked; None where it may not be, or where no fork server is ready now."""
        entry = str(run.spec.get("entry", ""))
        if self.fork_server == "never" or run.kind == "capture" or run.spec.get("asks_model"):
            return None
        if self.fork_server == "auto" and not entry.startswith(FORKABLE):
            return None
        environment = worker_environment(run, self._layout, os.environ)
        if self._server is None:
            self._server = ForkServer(environment={**environment, "VBOTD_TOKEN": TOKEN_PLACE},
                                      log=self._layout.fork_server_log)
        return self._server.fork(folder, self._shim_command(run, folder), environment)

    @property
    def fork_server_pid(self) -> int | None:
        """The process of the fork server; None where there is none."""
        return self._server.pid if self._server is not None else None

    def close(self) -> None:
        """End the fork server; the runs go on."""
        if self._server is not None:
            self._server.close()

    def tend(self) -> None:
        """Reap the shims that have ended, so that none stays behind as a zombie, and forget the runs that are over."""
        self._known, self._looked = self._looked, set()
        for token in [token for token, process in self._shims.items() if process.poll() is not None]:
            del self._shims[token]

    def look(self, run: Run) -> RunSeen:
        """Read claim, lock, exit and result, in the order that makes 'free lock and no exit' final."""
        folder = self._layout.run(run.id)
        self._looked |= {run.token} & self._known
        claim = _json(folder / shim.name_of("claim", run.launch))
        if claim is None and (run.started_at is not None or (
                run.token in self._shims and not (folder / "spec.json").exists())):  # deleted before we saw a claim
            return self._without_claim(run, folder)
        if claim is None:
            return RunSeen(run=run.id, claim="none", alive=False, fence=self._fence(run, folder))
        if claim.get("by") != "shim" or claim.get("token") != run.token:
            return RunSeen(run=run.id, claim="fenced", alive=False)
        alive = is_locked(folder / shim.name_of("alive.lock", run.launch))
        adopted = run.token in self._looked
        self._looked.add(run.token)
        same_boot = claim.get("boot_id") == self._boot_id
        seen = {"run": run.id, "claim": "shim", "alive": alive, "pid": claim.get("pid"),
                "claimed_at": claim.get("at"), "same_boot": same_boot, "adopted_here": adopted}
        if alive:
            return RunSeen(**seen)
        ended = exit_of(folder / shim.name_of("exit.json", run.launch), run.token)
        if ended is None and same_boot:
            sweep(run.token)
        shorten(folder / "worker.log")  # here, too: a run may be over before the next round of the housekeeping
        result, problem = _result(folder)
        return RunSeen(**seen, exit=ended, result=result, result_problem=problem, swept=ended is None,
                       last_checkpoint=last_checkpoint(run.id, folder), log_tail=tail(folder / "worker.log"),
                       env_steps=int((_json(folder / "heartbeat.json") or {}).get("env_steps") or 0))

    def press(self, run: Run, rung: str) -> None:
        """Write the stop file, or signal the shim, which passes it on; a shim that is stuck is swept with its tree."""
        folder = self._layout.run(run.id)
        if rung == "file":
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / "stop", f"{run.stop_why}\n")
            return
        pid = self._shim_pid(run, folder)
        if pid is not None:
            with contextlib.suppress(OSError):
                handle = os.pidfd_open(pid)
                try:
                    if self._shim_pid(run, folder) == pid:  # asked again: from here on the number may be anybody's
                        signal.pidfd_send_signal(handle, signal.SIGTERM if rung == "term" else signal.SIGUSR2)
                finally:
                    os.close(handle)
        if rung == "kill":
            sweep(run.token, spare=pid)

    def _shim_pid(self, run: Run, folder: Path) -> int | None:
        """Return the shim's pid when it is proved to be the very process that claimed the run, else None."""
        claim = _json(folder / shim.name_of("claim", run.launch)) or {}
        pid = claim.get("pid")
        if claim.get("token") != run.token or claim.get("boot_id") != self._boot_id or not isinstance(pid, int):
            return None
        return pid if shim.start_time(pid) == claim.get("starttime") != 0 else None

    def _fence(self, run: Run, folder: Path) -> Any:
        """Bid for the claim ourselves where no shim can still come, so that a late one starts nothing."""
        process = self._shims.get(run.token)
        if process is not None and process.poll() is None and time.time() - (run.launched_at or 0) < FENCE_AFTER_S:
            return ""
        folder.mkdir(parents=True, exist_ok=True)
        won = shim.write_once(str(folder / shim.name_of("claim", run.launch)),
                              {"version": shim.PROTOCOL, "by": "daemon", "token": run.token, "at": time.time()})
        if won:  # a shim that lives and has no claim after so long: somebody took it away, or it hangs
            sweep(run.token)
        return "won" if won else "lost"

    def _without_claim(self, run: Run, folder: Path) -> RunSeen:
        """Look at a run that had begun and whose claim cannot be read: deleted with its folder, or out of reach."""
        is_deleted = folder.parent.is_dir() and not os.path.lexists(folder / shim.name_of("claim", run.launch))
        if is_deleted or run.status == "stopping":
            sweep(run.token)
        elif carriers(run.token):  # the whole disk may be gone for a moment, and it writes where it wrote
            return RunSeen(run=run.id, claim="none", alive=True)
        return RunSeen(run=run.id, claim="shim", alive=False, bereft=True, swept=True)

    def _shim_command(self, run: Run, folder: Path) -> list[str]:
        return [sys.executable, "-I", "-S", str(self._shim_copy()), str(folder), str(run.launch), run.token]

    def _shim_copy(self) -> Path:
        source = Path(shim.__file__).read_bytes()
        copy = self._layout.shims / f"{hashlib.sha256(source).hexdigest()[:16]}.py"
        if not copy.exists():
            write_atomic(copy, source)
        return copy


def spec_of(run: Run, layout: Layout) -> dict[str, Any]:
    """Return the content of `spec.json`: what was fixed when the run was queued, and what its slot adds."""
    spec: dict[str, Any] = {"version": 1, "run": run.id, "kind": run.kind, "token": run.token, "seed": run.seed,
                            "threads": run.threads, "evaluate": None, "resume_from": None, "warm_start": None,
                            **run.spec}
    if spec["resume_from"]:
        spec["resume_from"] = str(layout.runs / spec["resume_from"])
    if spec["warm_start"]:
        spec["warm_start"] = {**spec["warm_start"], "checkpoint": str(layout.runs / spec["warm_start"]["checkpoint"])}
    if spec["evaluate"]:
        spec["evaluate"] = {**spec["evaluate"], "checkpoint": str(layout.runs / spec["evaluate"]["checkpoint"])}
    if spec.get("checkpoint"):
        spec["checkpoint"] = str(layout.runs / spec["checkpoint"])
    return spec


def worker_environment(run: Run, layout: Layout, environ: Mapping[str, str], model_key: str = "") -> dict[str, str]:
    """Return a worker's environment: an allow-list, so no key is inherited but the model's, by a run that asks it."""
    names = (*ENV_KEPT, *MODEL_ENV, model_key) if run.spec.get("asks_model") is True else ENV_KEPT
    kept = {name: environ[name] for name in names if name in environ}
    threads = str(run.threads)
    return {**kept, "VBOTD_HOME": str(layout.home), "VBOTD_TOKEN": run.token,
            "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}


def exit_of(path: Path, token: str) -> ExitSeen | None:
    """Return the exit that the shim wrote, None where there is none that can be trusted."""
    said = _json(path)
    if said is None or said.get("token") != token:
        return None
    code, number = said.get("exit_code"), said.get("signal")
    if not isinstance(code, int | None) or not isinstance(number, int | None) or (code is None and number is None):
        return None
    return ExitSeen(exit_code=code, signal=number, ended_at=float(said.get("ended_at") or 0.0),
                    duration_s=float(said.get("duration_s") or 0.0))


def sweep(token: str, spare: int | None = None) -> int:
    """Kill every process that carries a run's token in its environment; return how many there were."""
    count = 0
    for process in carriers(token):
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in (os.getpid(), spare):
                process.kill()
                count += 1
    return count


def carriers(token: str) -> list[psutil.Process]:
    """Return the processes that carry a run's token in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("VBOTD_TOKEN") == token:
                found.append(process)
    return found


def last_checkpoint(run: str, folder: Path) -> CheckpointRef | None:
    """Return the newest checkpoint in a run's folder by its name; names carry the env steps."""
    found = sorted((folder / "checkpoints").glob("ckpt_*.pt"))
    for path in reversed(found):
        steps = path.stem.removeprefix("ckpt_")
        if steps.isdigit():
            return CheckpointRef(path=f"{run}/checkpoints/{path.name}", sha256=sha256_of(path), env_steps=int(steps))
    return None


def tail(path: Path, most: int = 2000) -> str:
    """Return the last characters of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _result(folder: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        return read_json(folder / "result.json"), ""
    except UnreadableFile as error:
        return None, str(error)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path)
    except UnreadableFile:
        return None
