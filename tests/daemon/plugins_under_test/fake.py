"""A task whose worker trains nothing: for tests of everything around a training."""

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

WORKER = f"{__package__}._fake_worker"


@hookimpl
def vbotd_tasks():
    return [TaskCard(
        name="fake_walk", summary="ends after a while, well or badly", factory=f"{WORKER}:nothing",
        env_steps=1000, num_envs=1, entries={"train": f"{WORKER}:train", "evaluate": f"{WORKER}:evaluate"},
        params=(
            ParamCard(key="env.mode", default="good",
                      choices=("good", "raise", "hang", "deaf", "segfault", "diverge", "lazy", "children")),
            ParamCard(key="env.train_s", default=0.05, low=0.0, high=600.0, unit="s"),
            ParamCard(key="ppo.skill", default=0.5, low=0.0, high=1.0),
        ))]
