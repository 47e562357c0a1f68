"""How does one row do? Run by bench/peers.py in an interpreter of its own; prints one JSON line.

    measure.py ROW rate  SECONDS SEED THREADS
    measure.py ROW learn SECONDS SEED THREADS EPISODES INSTANCES EXPECTED_RATE
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from binding import apply, prepare
from rows import TASK, Row, find

from vbotd.train import threads as ours


def main(arguments: list[str]) -> None:
    """Measure and print."""
    name, job, seconds, seed, threads, *rest = arguments
    if find(name).peer == "vbotd":
        ours.prepare()
    else:
        prepare(int(threads))
    with TemporaryDirectory(prefix="vbotd-bench-") as temporary, contextlib.chdir(temporary):
        folder = Path(temporary)
        if job == "rate":
            figures: dict[str, Any] = rate(find(name), float(seconds), int(seed), int(threads), folder)
        else:
            episodes, instances, expected = int(rest[0]), int(rest[1]), float(rest[2])
            figures = learn(find(name), float(seconds), int(seed), int(threads), folder, episodes, instances, expected)
    print(json.dumps(figures))


def rate(row: Row, seconds: float, seed: int, threads: int, folder: Path) -> dict[str, Any]:
    """Return the env steps a second, and a CPU second, of a row."""
    if row.peer == "vbotd":
        import vbotd_peer

        return vbotd_peer.rate(row, seconds, seed, threads, folder)
    import clock

    iterate, _ = trainer(row, seed, threads, normalise=False)
    return clock.rate(iterate, seconds)


def learn(
    row: Row, seconds: float, seed: int, threads: int, folder: Path, episodes: int, instances: int, expected: float
) -> dict[str, Any]:
    """Train for `seconds` of wall clock, imports not counted, and return success on held-out episodes."""
    import torch

    if row.peer == "vbotd":
        import vbotd_peer

        from vbotd.train import worker  # noqa: F401  the import is not the training

        began_s = time.perf_counter()
        checkpoint, env_steps = vbotd_peer.learn(row, seconds, seed, threads, folder, expected)
        wall_s = time.perf_counter() - began_s
        success = vbotd_peer.success(checkpoint, episodes, instances, threads)
    else:
        import clock

        load(row)
        began_s = time.perf_counter()
        iterate, policy_of = trainer(row, seed, threads, normalise=True)
        env_steps = clock.until(iterate, began_s, seconds)
        wall_s = time.perf_counter() - began_s
        torch.set_num_threads(1)
        success = held_out_success(policy_of(), episodes, instances, threads, folder)
    return {"success": success, "env_steps": env_steps, "wall_s": round(wall_s, 2)}


def load(row: Row) -> None:
    """Import what a peer needs, before its clock starts."""
    if row.peer == "rsl_rl":
        import rsl_rl.runners  # noqa: F401
    else:
        import stable_baselines3  # noqa: F401
    import vbotd.train.worker  # noqa: F401


def trainer(
    row: Row, seed: int, threads: int, *, normalise: bool
) -> tuple[Callable[[], int], Callable[[], Callable[..., Any]]]:
    """Return a peer's iteration, and what gives its policy afterwards."""
    import torch

    from vbotd.train.tasks import registry
    from vbotd.train.tasks.settings import resolve
    from vbotd.train.worker import build

    apply(threads)
    torch.manual_seed(seed)
    card = registry.find(TASK)
    settings = resolve(card, row.params)
    env = build(card, settings, row.num_envs or card.num_envs, seed, threads)
    if row.peer == "rsl_rl":
        import rsl_rl_peer

        runner = rsl_rl_peer.make(row, settings, env, normalise=normalise)
        return lambda: rsl_rl_peer.iterate(runner), lambda: rsl_rl_peer.policy(runner)
    import sb3_peer

    model = sb3_peer.make(row, settings, env, seed)
    return lambda: sb3_peer.iterate(model), lambda: sb3_peer.policy(model)


def held_out_success(policy: Callable[..., Any], episodes: int, instances: int, threads: int, folder: Path) -> float:
    """Return the success of a policy on the very episodes on which a checkpoint of ours is evaluated."""
    from vbotd.train.evaluate import run_episodes
    from vbotd.train.runio import RunFolder
    from vbotd.train.tasks import registry
    from vbotd.train.tasks.settings import resolve
    from vbotd.train.worker import HELD_OUT_TERRAIN, build

    card = registry.find(TASK)
    accounts = run_episodes(
        make_environment=lambda n: build(card, resolve(card, {}), n, HELD_OUT_TERRAIN + instances, threads),
        policy_of=lambda _: (SimpleNamespace(mean=policy), lambda obs: obs),
        episodes=episodes,
        instances=instances,
        folder=RunFolder(folder),
    )
    return float(accounts.metrics()["eval/success_rate"]["value"])


if __name__ == "__main__":
    main(sys.argv[1:])
