"""A task whose policies can do what they were trained on last, and nothing else: for tests of a curriculum."""

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

WORKER = f"{__package__}._pupil_worker"


@hookimpl
def vbotd_tasks():
    return [TaskCard(
        name="fake_pupil", summary="reach places", factory=f"{WORKER}:nothing", env_steps=1000, num_envs=1,
        entries={"train": f"{WORKER}:train", "evaluate": f"{WORKER}:evaluate"},
        params=(ParamCard(key="env.radius_m", default=(0.0, 1.0), low=0.0, high=20.0),))]
