"""A task that is learnt by a formula: what it pays for decides what its robots do."""

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

WORKER = f"{__package__}._paid_worker"


def weight(term, default, low, high):
    return ParamCard(key=f"reward.{term}", default=default, low=low, high=high)


@hookimpl
def vbotd_tasks():
    return [TaskCard(
        name="paid_walk", summary="learns what it is paid for", factory=f"{WORKER}:nothing", env_steps=1000, num_envs=1,
        entries={kind: f"{WORKER}:{kind}" for kind in ("audit", "train", "evaluate")},
        params=(weight("alive_reward", 0.0, 0.0, 1000.0), weight("arrival_event", 2.0, 0.0, 5000.0),
                weight("success_event", 5.0, 0.0, 5000.0), weight("goal_progress", 2.0, 0.0, 20.0)))]
