"""The worker of `fake_walk`. Keeps a ledger of its own beside the store: the oracle of the kill tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def write_ledger(run, what):
    with open(Path(os.environ["VBOTD_HOME"]) / "ledger.txt", "a") as file:  # one short line: appended whole
        file.write(f"{what} {run} {os.getpid()}\n")


def train(folder):
    spec = folder.spec()
    params = spec.params
    mode = params.get("env.mode", "good")
    write_ledger(spec.run, "start")
    folder.checkpoints.mkdir(exist_ok=True)
    if mode == "raise":
        raise ValueError("the fake trainer was told to fail")
    if mode == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "lazy":
        return None
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "children":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    total = spec.train["env_steps"]
    until = time.monotonic() + params.get("env.train_s", 0.05)
    while time.monotonic() < until or mode in ("hang", "deaf"):
        if mode != "deaf" and folder.stop_requested():
            return finish(folder, spec, "stopped", total // 2)
        folder.heartbeat(phase="train", env_steps=total // 2, total_env_steps=total, env_steps_per_s=100.0,
                         success_rate=None)
        time.sleep(0.01)
    return finish(folder, spec, "diverged" if mode == "diverge" else "finished", total)


def finish(folder, spec, outcome, env_steps):
    name = f"checkpoints/ckpt_{env_steps:012d}.pt"
    (folder.path / name).write_text("weights")
    write_ledger(spec.run, "end")
    folder.write_result({
        "outcome": outcome, "reason": "", "env_steps": env_steps, "wall_s": 0.1, "simulated_s": 1.0, "metrics": {},
        "checkpoint": {"path": name, "sha256": "0" * 64, "env_steps": env_steps}})
    if outcome == "diverged":
        sys.exit(3)


def evaluate(folder):
    spec = folder.spec()
    write_ledger(spec.run, "start")
    assert Path(spec.evaluate["checkpoint"]).exists()
    value = spec.params.get("ppo.skill", 0.5)
    write_ledger(spec.run, "end")
    folder.write_result({
        "outcome": "finished", "reason": "", "env_steps": 10, "wall_s": 0.1, "simulated_s": 1.0, "checkpoint": None,
        "metrics": {"eval/success_rate": {"value": value, "low": max(0.0, value - 0.05),
                                          "high": min(1.0, value + 0.05), "n": 256}}})


def look(folder):
    spec = folder.spec()
    write_ledger(spec.run, "start")
    folder.write_result({"outcome": "finished", "reason": "", "env_steps": 1, "wall_s": 0.1, "simulated_s": 1.0,
                         "checkpoint": None, "metrics": {}})
