"""The preflights of `watched_walk`: an audit that knows a way out, a red team that is at work until it is let go."""

import os
import time
from pathlib import Path

PATIENCE_S = 60.0


def audit(folder):
    end(folder, [{"rule": "remedy/alive_reward", "level": "info", "message": "it would heal alone", "value": 1.5}])


def red_team(folder):
    run, until = folder.spec().run, time.monotonic() + PATIENCE_S
    while not (Path(os.environ["VBOTD_HOME"]) / "go").exists() and time.monotonic() < until:
        if folder.stop_requested():
            return end(folder, [], "stopped")
        folder.heartbeat(phase="red team", env_steps=500, total_env_steps=1000, env_steps_per_s=100.0,
                         success_rate=None)
        time.sleep(0.01)
    (folder.path / "red_team.mp4").write_bytes(b"a film")
    return end(folder, [{
        "rule": "reward-budget/red-team", "level": "error", "value": 0.83,
        "message": "a robot that does not do the task is paid 83% of what one is that does it, most of it by "
                   "alive_reward 150: it stands",
        "fix": f"lower what pays for it: alive_reward 150; the film: runs/{run}/red_team.mp4"}])


def end(folder, findings, outcome="finished"):
    folder.write_result({"outcome": outcome, "reason": "", "env_steps": 10, "wall_s": 0.1, "simulated_s": 1.0,
                         "checkpoint": None, "metrics": {}, "findings": findings})
