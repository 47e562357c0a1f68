"""`paid_walk` without an audit of its own, so that nothing but a model knows which weight to change first."""

from vbotd.domain.task import ParamCard, TaskCard
from vbotd.hookspecs import hookimpl

WORKER = f"{__package__}._paid_worker"


@hookimpl
def vbotd_tasks():
    return [TaskCard(
        name="thought_walk", summary="learns what it is paid for", factory=f"{WORKER}:nothing", env_steps=1000,
        num_envs=1, entries={kind: f"{WORKER}:{kind}" for kind in ("train", "evaluate")},
        params=(ParamCard(key="reward.alive_reward", default=150.0, low=0.0, high=1000.0),
                ParamCard(key="reward.arrival_event", default=50.0, low=0.0, high=5000.0)))]
