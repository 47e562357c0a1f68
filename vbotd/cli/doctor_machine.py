"""Can this machine do the work? Python, libraries, rendering, disk: nothing here knows of campaigns.

The rule this protects: a probe may hang or crash (a broken driver does), so whatever loads native code runs in
a process of its own with a deadline. The doctor itself never imports torch or mujoco.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from vbotd.layout import Layout

Level = Literal["ok", "warn", "fail"]

PROBE_S = 90.0  # the first import of torch from a cold disk takes half a minute
FAIL_FREE_BYTES = 1 << 30
WARN_FREE_BYTES = 10 << 30
LIBRARIES = ("mujoco", "numpy", "pluggy", "watchdog", "apscheduler", "pydantic", "optuna", "tensorboard", "openai")
# Locks and renames are not dependable on these; "fuse" covers sshfs and its kin.
REMOTE_FILESYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse", "afs", "ceph", "gluster", "lustre")

TORCH_PROBE = """
import json, torch
print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads(),
                  "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""}))
"""
BATCH_PROBE = """
import json, mujoco, mujoco.batch
print(json.dumps({"version": mujoco.__version__}))
"""
RENDER_PROBE = """
import json, mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='.1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 32, 32) as renderer:
    renderer.update_scene(data)
    renderer.render()
print(json.dumps({}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor: what was looked at, how it is, and what to do where it is not well."""

    name: str
    level: Level
    message: str
    fix: str = ""


def machine_checks(layout: Layout) -> Iterator[Check]:
    """Yield what there is to say of the machine, the quick checks first."""
    yield _python()
    yield _sqlite()
    yield _libraries()
    yield _filesystem(layout.home)
    yield _disk(layout.home)
    yield _torch()
    yield _mujoco()
    yield _rendering()


def _python() -> Check:
    version = platform.python_version()
    where = f"{version} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if platform.system() != "Linux":
        return Check(name="python", level="warn", message=f"{where}: only Linux is tested",
                     fix="on Windows work in WSL2")
    return Check(name="python", level="ok", message=where)


def _sqlite() -> Check:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < (3, 37):
        return Check(name="sqlite", level="fail", message=f"{version} has no STRICT tables",
                     fix="use a Python that comes with SQLite 3.37 or newer")
    return Check(name="sqlite", level="ok", message=f"{version}, used with a rollback journal")


def _libraries() -> Check:
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(name="libraries", level="fail", message=f"missing: {', '.join(missing)}",
                     fix="run 'make install', or 'pip install vbotd' anew")
    return Check(name="libraries", level="ok", message=", ".join(found))


def _filesystem(home: Path) -> Check:
    kind = filesystem_of(home)
    if kind.startswith(REMOTE_FILESYSTEMS):
        return Check(name="filesystem", level="warn", message=f"{home} is on '{kind}', where locks may not hold",
                     fix="put the workspace on a local disk (VBOTD_HOME)")
    return Check(name="filesystem", level="ok", message=kind or "unknown")


def filesystem_of(path: Path) -> str:
    """Return the kind of the filesystem that holds a path, "" where the system does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        mount = fields.split()[4].replace("\\040", " ")
        # The longest mount point above the path is its own; of two on one place the later covers the earlier.
        if (path == Path(mount) or Path(mount) in path.parents) and len(mount) >= len(best):
            best, kind = mount, rest.split()[0]
    return kind


def _disk(home: Path) -> Check:
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    message = f"{free / (1 << 30):.1f} GiB free"
    if free < FAIL_FREE_BYTES:
        return Check(name="disk", level="fail", message=message, fix="free some: old run folders hold checkpoints")
    if free < WARN_FREE_BYTES:
        return Check(name="disk", level="warn", message=message, fix="a night of 27 trials wants some 10 GiB")
    return Check(name="disk", level="ok", message=message)


def _torch() -> Check:
    seen, error = probe(TORCH_PROBE)
    if seen is None:
        return Check(name="torch", level="fail", message=error, fix="install torch 2.13: 'make install'")
    device = f"GPU: {seen['gpu']}" if seen["gpu"] else "no GPU, training runs on the CPU"
    return Check(name="torch", level="ok", message=f"{seen['version']}, {device}")


def _mujoco() -> Check:
    seen, error = probe(BATCH_PROBE)
    if seen is None:
        return Check(name="mujoco", level="fail", message=error, fix="install mujoco 4: 'make install'")
    return Check(name="mujoco", level="ok", message=f"{seen['version']} with batches")


def _rendering() -> Check:
    errors = []
    for backend in ("egl", "osmesa"):
        seen, error = probe(RENDER_PROBE, MUJOCO_GL=backend)
        if seen is not None:
            return Check(name="rendering", level="ok", message=f"without a display, by MUJOCO_GL={backend}")
        errors.append(f"{backend}: {error}")
    return Check(name="rendering", level="warn", message="; ".join(errors),
                 fix="only 'play', 'capture' and clips need it — Debian, Ubuntu: apt install libegl1 libgl1-mesa-dri")


def probe(code: str, **environment: str) -> tuple[dict[str, str] | None, str]:
    """Run Python code in a process of its own; return the JSON of its last line, or None and what went wrong."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_S,
                              env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {PROBE_S:g} s"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return None, lines[-1].strip() if lines else f"ended with code {done.returncode}"
    return json.loads(done.stdout.splitlines()[-1]), ""
