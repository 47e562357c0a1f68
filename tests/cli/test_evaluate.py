"""evaluate and rank: the same episodes for all, twice the same numbers, copies told by their hash."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.calling import Called
from vbotd.layout import Layout
from vbotd.train.session import train_here

PARAMS = {"env.episode_s": 0.4, "ppo.hidden": [16, 16], "ppo.rollout": 8}
TASK = "vbot_navigation_section001"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of a few iterations with several checkpoints, made once."""
    folder = tmp_path_factory.mktemp("trained") / "mine"
    train_here(TASK, folder, PARAMS, env_steps=2560, num_envs=32, seed=1, threads=1)
    assert len(list((folder / "checkpoints").glob("ckpt_*.pt"))) >= 4
    yield folder


@pytest.fixture
def run(trained: Path, layout: Layout) -> str:
    """The run in this test's workspace, made by hand."""
    shutil.copytree(trained, layout.adhoc_runs / "mine")
    return "by-hand/mine"


def test_the_same_checkpoint_twice_gives_the_same_numbers(call: Callable[..., Called], run: str):
    words = ("evaluate", run, "--episodes", "24", "--threads", "1", "--json")
    one, again = call(*words), call(*words)
    assert one.code == 0, one.err
    assert one.out == again.out


def test_a_copy_is_told_by_its_hash_and_two_are_compared_on_the_same_episodes(
        call: Callable[..., Called], run: str, layout: Layout, home: Path):
    first, *_, last = sorted((layout.run(run) / "checkpoints").glob("ckpt_*.pt"))
    shutil.copy(first, home / "copy.pt")
    called = call("evaluate", str(first), str(last), "copy.pt", "--episodes", "16", "--seeds", "2", "--threads", "1",
                  "--dogs", "10", "--csv", "rows.csv")
    assert called.code == 0, called.err
    assert f"{last} minus {first}, the same episodes:" in called.out
    assert f"copy.pt is the same checkpoint as {first}" in called.out
    assert "eval/success_rate of 2 seeds from 500001 on" in called.out
    assert "100 draws of 10 dogs score" in called.out
    assert "measuring" in called.err
    with (home / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 16
    assert {row["instances"] for row in rows} == {"500001", "500002"}


def test_settings_can_be_overridden_and_are_checked(call: Callable[..., Called], run: str):
    near = call("evaluate", run, "--episodes", "8", "--threads", "1", "--param", "env.spawn_radius_m=[10,11]", "--json")
    assert near.code == 0, near.err
    assert near.json()["checkpoints"][0]["metrics"]["eval/final_distance_m"]["low"] > 9.5
    bad = call("evaluate", run, "--param", "env.spawn_radius=[1,2]")
    assert (bad.code, "did you mean 'env.spawn_radius_m'" in bad.err) == (2, True)


def test_too_few_episodes_for_a_group_of_dogs_is_said(call: Callable[..., Called], run: str):
    called = call("evaluate", run, "--episodes", "4", "--threads", "1", "--dogs", "10")
    assert called.code == 1
    assert "4 episodes make no group of 10 dogs" in called.err


def test_a_run_is_ranked_and_confirmed_on_fresh_episodes(call: Callable[..., Called], run: str):
    called = call("rank", run, "--most", "64", "--confirm", "32", "--threads", "1", "--json")
    assert called.code == 0, called.err
    told = called.json()
    assert told["task"] == TASK
    assert 1 <= len(told["order"]) <= 3
    assert told["order"][0]["metrics"]["eval/success_rate"]["n"] == 32
    names = [entry["name"] for part in ("order", "undecided", "dropped") for entry in told[part]]
    assert sorted(names) == sorted(set(names))
    assert len(names) >= 4
    assert told["confirm_instances"] not in range(told["screen_instances"], told["screen_instances"] + 1000)


def test_the_ranking_reads_as_a_table(call: Callable[..., Called], run: str):
    called = call("rank", run, "--most", "64", "--confirm", "16", "--threads", "1")
    assert called.code == 0, called.err
    assert "the order on 16 fresh episodes, which chose nothing" in called.out
    assert "vbotd play" in called.out


def test_what_cannot_be_ranked_is_said(call: Callable[..., Called], home: Path):
    assert call("rank", "nothing").code == 5
    (home / "x.pt").write_bytes(b"no checkpoint")
    called = call("rank", "x.pt")
    assert called.code == 1
    assert "cannot be read" in called.err
