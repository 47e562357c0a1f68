"""What promotion rests on: a training that pauses at each rung is, to the last bit, the one that never paused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vbotd.store.tfevents import RunTail, SeriesBook
from vbotd.train import checkpoint, worker
from vbotd.train.runio import RunFolder
from vbotd.train.session import make_folder

SMALL = {"ppo.rollout": 4, "ppo.epochs": 2, "ppo.minibatches": 2, "ppo.hidden": [16, 16], "ppo.schedule": "linear",
         "env.episode_s": 0.2}
HORIZON, RUNGS = 288, (32, 96, 288)
UNLIKE = ("perf/",)  # how fast it was


def trained(folder: Path, **spec: Any) -> RunFolder:
    made = make_folder(folder, kind="train", task="vbot_walk_flat", seed=3, threads=1, params=SMALL, **spec)
    worker.train(made)
    return made


def series_of(*folders: RunFolder) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for folder in folders:
        book, tail = SeriesBook(), RunTail(folder.path)
        while points := tail.poll().points:
            book.absorb(points)
        for tag, series in book.series.items():
            if not tag.startswith(UNLIKE):
                found[tag] = found.get(tag, []) + list(series.points())
    return found


def test_a_trial_that_climbs_the_rungs_has_the_curve_and_the_weights_of_one_that_never_paused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = trained(tmp_path / "whole", train={"env_steps": HORIZON, "num_envs": 8})
    climbed: list[RunFolder] = []
    for rung in RUNGS:
        below = climbed[-1].path / checkpoint.read_index(climbed[-1].path)[-1].path if climbed else None
        climbed.append(trained(tmp_path / f"to-{rung}", train={"env_steps": HORIZON, "num_envs": 8, "until": rung},
                               resume_from=str(below) if below else None))
        assert checkpoint.read_index(climbed[-1].path)[-1].env_steps == rung
    curve, uninterrupted = series_of(*climbed), series_of(whole)
    assert curve == uninterrupted and len(curve["ppo/kl"]) == HORIZON // 32
    rates = [value for _, value in curve["ppo/learning_rate"]]
    assert rates == sorted(rates, reverse=True) and rates[0] > rates[-1], "the schedule is that of the whole training"
    one, other = (checkpoint.load(folder.path / "checkpoints" / checkpoint.file_name(HORIZON))
                  for folder in (whole, climbed[-1]))
    parts = [(one[part], other[part]) for part in ("policy", "normaliser")]
    for mine, theirs in (*parts, (one["lanes"][0]["env"], other["lanes"][0]["env"])):
        assert mine.keys() == theirs.keys()
        assert all(tensor.equal(theirs[name]) for name, tensor in mine.items())
