"""The bundled tasks and run kinds as a plugin: they come in by the same door as anyone's. Loads no torch."""

from __future__ import annotations

import pluggy

from vbotd.domain.task import RunKindCard, TaskCard
from vbotd.train.tasks.cards import TASKS

hookimpl = pluggy.HookimplMarker("vbotd")


@hookimpl
def vbotd_tasks() -> list[TaskCard]:
    """Publish the bundled tasks."""
    return list(TASKS)


@hookimpl
def vbotd_run_kinds() -> list[RunKindCard]:
    """Publish how a run trains, evaluates and captures."""
    return [
        RunKindCard(name="train", entry="vbotd.train.worker:train", summary="train a policy by PPO"),
        RunKindCard(
            name="audit", entry="vbotd.train.audit:audit", summary="look for ways to exploit the reward before training"
        ),
        RunKindCard(
            name="evaluate", entry="vbotd.train.worker:evaluate", summary="measure a checkpoint on held-out episodes"
        ),
        RunKindCard(name="capture", entry="vbotd.train.capture:capture", summary="picture a policy's episodes"),
    ]
