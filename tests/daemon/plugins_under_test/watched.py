"""A task that a red team of its own attacks before anything is trained: for tests of the wait for a person."""

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

WORKER = f"{__package__}._watched_worker"


@hookimpl
def vbotd_tasks():
    fake = f"{__package__}._fake_worker"
    return [TaskCard(
        name="watched_walk", summary="pays for being alive", factory=f"{fake}:nothing", env_steps=1000, num_envs=1,
        entries={"train": f"{fake}:train", "evaluate": f"{fake}:evaluate", "audit": f"{WORKER}:audit",
                 "red-team": f"{WORKER}:red_team"},
        params=(ParamCard(key="reward.alive_reward", default=150.0, low=0.0, high=1000.0),
                ParamCard(key="ppo.skill", default=0.95, low=0.0, high=1.0)))]
