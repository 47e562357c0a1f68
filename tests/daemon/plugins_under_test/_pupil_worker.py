"""The worker of `fake_pupil`. Its checkpoint is the range of radii that it has mastered, as JSON.

A warm start that keeps the optimiser is poisoned, as the trainer's transfer check would find.
"""

import json
from pathlib import Path

MASTERED, NOT = 0.97, 0.55
SLOW_BEYOND_M, SLOW_ENV_STEPS = 10.0, 2000  # places that take longer to learn


def train(folder):
    spec = folder.spec()
    folder.checkpoints.mkdir(exist_ok=True)
    env_steps = spec.train.get("until", spec.train["env_steps"])
    warm = spec.warm_start or {}
    if warm:
        assert Path(warm["checkpoint"]).is_file()
    result = {"outcome": "finished", "reason": "", "env_steps": env_steps, "wall_s": 0.1, "simulated_s": 1.0,
              "metrics": {}, "checkpoint": None}
    if warm.get("optimizer") == "keep":
        found = "success fell from 0.970 to 0.000"
        folder.write_result(result | {"outcome": "stopped", "env_steps": env_steps // 20,
                                      "reason": f"poisoned-warm-start: {found}", "findings": [
                                          {"rule": "poisoned-warm-start", "level": "error", "message": found}]})
        return
    name = f"checkpoints/ckpt_{env_steps:012d}.pt"
    low, high = spec.params["env.radius_m"]
    if spec.resume_from:
        assert json.loads(Path(spec.resume_from).read_text())["env_steps"] < env_steps
    if high > SLOW_BEYOND_M and env_steps < SLOW_ENV_STEPS:
        high = SLOW_BEYOND_M
    (folder.path / name).write_text(json.dumps({"radius_m": [low, high], "env_steps": env_steps}))
    folder.write_result(result | {"checkpoint": {"path": name, "sha256": "0" * 64, "env_steps": env_steps}})


def evaluate(folder):
    spec = folder.spec()
    low, high = json.loads(Path(spec.evaluate["checkpoint"]).read_text())["radius_m"]
    asked_low, asked_high = spec.params["env.radius_m"]
    value = MASTERED if low <= asked_low and asked_high <= high else NOT
    folder.write_result({
        "outcome": "finished", "reason": "", "env_steps": 10, "wall_s": 0.1, "simulated_s": 1.0, "checkpoint": None,
        "metrics": {"eval/success_rate": {"value": value, "low": value - 0.03, "high": min(1.0, value + 0.03),
                                          "n": 256}}})
