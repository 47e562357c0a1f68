"""A task whose captures say how it moves without a picture being drawn: for tests of what follows from a capture."""

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

WORKER = f"{__package__}._show_worker"


@hookimpl
def vbotd_tasks():
    fake = f"{__package__}._fake_worker"
    return [TaskCard(
        name="fake_show", summary="walks, or stands and is paid for it", factory=f"{fake}:nothing", env_steps=1000,
        num_envs=1, entries={"train": f"{fake}:train", "evaluate": f"{fake}:evaluate", "capture": f"{WORKER}:capture"},
        params=(ParamCard(key="env.moves", default="walks", choices=("walks", "stands")),
                ParamCard(key="ppo.skill", default=0.5, low=0.0, high=1.0)))]
