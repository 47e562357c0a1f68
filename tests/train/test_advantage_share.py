"""The shares of the terms: by hand arithmetic, adding up to one, and the same in a run that was resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vbotd.store.tfevents import RunTail
from vbotd.train import advantage_share, checkpoint, worker
from vbotd.train.advantage_share import recording, shares
from vbotd.train.tasks.terms import RewardTable

NEVER = np.zeros((2, 2), dtype=bool)


def test_what_pays_everybody_the_same_has_no_share():
    paid = {"alive": [np.ones(2), np.ones(2)], "progress": [np.array([0.0, 1.0]), np.zeros(2)]}
    assert shares(paid, NEVER, 0.9) == pytest.approx({"share/alive": 0.0, "share/progress": 1.0})


def test_two_terms_share_by_their_part_in_the_differences():
    # Returns of one control step: 3 + 1 and 0; centred they are +-1.5 and +-0.5 of +-2.
    paid = {"large": [np.array([3.0, 0.0])], "small": [np.array([1.0, 0.0])]}
    assert shares(paid, NEVER[:1], 0.9) == pytest.approx({"share/large": 0.75, "share/small": 0.25})


def test_a_term_against_the_whole_has_a_negative_share():
    paid = {"gain": [np.array([3.0, 0.0])], "cost": [np.array([-1.0, 0.0])]}
    assert shares(paid, NEVER[:1], 0.9) == pytest.approx({"share/gain": 1.5, "share/cost": -0.5})


def test_being_alive_gets_a_share_once_deaths_differ():
    # The first robot dies at once: 1 of the alive reward against 1 + 0.5.
    ended = np.array([[True, False], [False, False]])
    paid = {"alive": [np.ones(2), np.ones(2)], "other": [np.zeros(2), np.zeros(2)]}
    assert shares(paid, ended, 0.5) == pytest.approx({"share/alive": 1.0, "share/other": 0.0})


def test_where_nothing_differs_nobody_has_a_share():
    assert shares({"alive": [np.ones(2)]}, NEVER[:1], 0.9) == {"share/alive": 0.0}
    assert shares({}, NEVER, 0.9) == {}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_the_shares_add_up_to_one(terms: int, length: int, gamma: float, seed: int):
    rng = np.random.default_rng(seed)
    paid = {f"t{k}": [rng.standard_normal(4) for _ in range(length)] for k in range(terms)}
    assert sum(shares(paid, rng.random((length, 4)) < 0.2, gamma).values()) == pytest.approx(1.0)


def test_recording_listens_only_where_it_is_due_and_never_afterwards():
    table = RewardTable({"one_reward": lambda robot, state: np.ones(2), "off_reward": lambda robot, state: np.ones(2)},
                        {"one_reward": 2.0, "off_reward": 0.0}, 0.5)  # fmt: skip
    robot = type("Robot", (), {"pos_w_m": np.zeros((2, 3))})()
    with recording(table, due=True) as paid:
        table(robot, None)
        table(robot, None)
    assert list(paid) == ["one_reward"] and [list(row) for row in paid["one_reward"]] == [[1.0, 1.0]] * 2
    assert table.on_paid is None
    with recording(table, due=False) as paid:
        table(robot, None)
    assert paid == {}


def series(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    tail = RunTail(folder)
    while points := tail.poll().points:
        for point in points:
            found.setdefault(point.tag, []).append((point.step, point.value))
    return {tag: values for tag, values in found.items() if tag.startswith("share/")}


def test_a_resumed_run_measures_the_same_shares_in_the_same_iterations(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(advantage_share, "EVERY_ITERATIONS", 2)
    monkeypatch.chdir(tmp_path)
    whole = run_folder("whole", train={"env_steps": 320, "num_envs": 8})  # ten iterations of 32
    worker.train(whole)
    first = min(whole.checkpoints.glob("ckpt_*.pt"))
    again = run_folder("again", run="whole", train={"env_steps": 320, "num_envs": 8}, resume_from=str(first))
    worker.train(again)
    told, told_again = series(whole.path), series(again.path)
    done = int(first.stem.removeprefix("ckpt_"))
    assert {step for values in told.values() for step, _ in values} == {32, 96, 160, 224, 288}
    assert 0 < done < 224 and "share/trot_reward" in told and "share/fall_event" in told
    assert told_again == {tag: [pair for pair in values if pair[0] > done] for tag, values in told.items()}
    ends = [checkpoint.load(max(folder.checkpoints.glob("ckpt_*.pt"))) for folder in (whole, again)]
    assert all(torch.equal(weight, ends[1]["policy"][name]) for name, weight in ends[0]["policy"].items())
    for step in (32, 288):
        assert sum(value for values in told.values() for at, value in values if at == step) == pytest.approx(1.0)
