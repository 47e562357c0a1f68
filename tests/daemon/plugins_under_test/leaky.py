"""A task whose worker says secrets with its last words, and a plugin that says one when it raises."""

import os
import sys

from vbotd.domain.task import TaskCard
from vbotd.hookspecs import hookimpl

BY_VALUE = "canary-of-plain-words"
BY_LOOK = "sk-canary3-4bT9xQ2mZp7Lr0Vw"
IN_PLUGIN = "canary9-hunter2"


@hookimpl
def vbotd_tasks():
    return [TaskCard(name="leaky_walk", summary="fails and says why", factory=f"{__name__}:train", env_steps=1000,
                     num_envs=1, entries={"train": f"{__name__}:train", "evaluate": f"{__name__}:train"}, params=())]


@hookimpl
def vbotd_judge(trial, history):
    raise RuntimeError(f"password={IN_PLUGIN} was refused")


def train(folder):
    folder.heartbeat(phase=f"asks with {BY_LOOK}", env_steps=10, total_env_steps=1000, env_steps_per_s=1.0,
                     success_rate=None)
    print(f"PermissionError: 401 for {BY_VALUE} and for {BY_LOOK} at the gate", file=sys.stderr, flush=True)
    os._exit(7)
