"""The worker of `paid_walk`: robots that are paid for being alive live, the others arrive. Its series are real."""

import time

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

POINTS = 60
PATIENCE_S = 60.0  # so long does a lazy training wait for somebody to stop it
LAZY = {
    "train/episode_return": lambda x: 200 + 1260 * min(2 * x, 1.0), "train/timeout_rate": lambda x: min(2 * x, 0.95),
    "train/success_rate": lambda x: 0.25 * max(1 - 2 * x, 0.0), "train/fall_rate": lambda x: 0.05,
    "task/final_distance_m": lambda x: 0.7 + 0.5 * x, "reward/alive_reward": lambda x: 150.0,
}
GOOD = {
    "train/episode_return": lambda x: 40 * x, "train/timeout_rate": lambda x: 1 - 0.9 * x,
    "train/success_rate": lambda x: 0.9 * x, "train/fall_rate": lambda x: 0.05,
    "task/final_distance_m": lambda x: 1.2 - x, "reward/alive_reward": lambda x: 1.5,
}


def is_lazy(spec):
    return spec.params.get("reward.alive_reward", 0.0) > 2.0


def audit(folder):
    spec = folder.spec()
    findings = []
    if is_lazy(spec):
        findings = [
            {"rule": "reward-budget/statue", "level": "error", "message": "'stand' earns 1,500, 'brisk' 641"},
            {"rule": "remedy/alive_reward", "level": "info", "message": "alone would heal it", "value": 1.5}]
    end(folder, "finished", findings=findings)


def train(folder):
    spec = folder.spec()
    folder.checkpoints.mkdir(exist_ok=True)
    (folder.checkpoints / "ckpt_000000001000.pt").write_text("weights")
    curves = LAZY if is_lazy(spec) else GOOD
    writer = EventFileWriter(str(folder.path))
    for point in range(1, POINTS + 1):
        share = point / POINTS
        writer.add_event(Event(wall_time=time.time(), step=round(1000 * share), summary=Summary(value=[
            Summary.Value(tag=tag, simple_value=curve(share)) for tag, curve in curves.items()])))
    writer.close()
    until = time.monotonic() + PATIENCE_S
    while is_lazy(spec) and not folder.stop_requested() and time.monotonic() < until:
        folder.heartbeat(phase="train", env_steps=900, total_env_steps=1000, env_steps_per_s=100.0, success_rate=0.0)
        time.sleep(0.02)
    end(folder, "stopped" if folder.stop_requested() else "finished", checkpoint={
        "path": "checkpoints/ckpt_000000001000.pt", "sha256": "0" * 64, "env_steps": 1000})


def evaluate(folder):
    spec = folder.spec()
    value = (0.1 if is_lazy(spec) else 0.8) + 0.01 * spec.seed
    end(folder, "finished", metrics={"eval/success_rate": {"value": value, "low": value, "high": value, "n": 64}})


def end(folder, outcome, **more):
    folder.write_result({"outcome": outcome, "reason": "", "env_steps": 1000, "wall_s": 0.1, "simulated_s": 1.0,
                         "checkpoint": None, "metrics": {}, **more})
