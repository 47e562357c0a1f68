"""The red team: does the search find what pays, is it fair to those who do the task, and what does its run write?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vbotd.core.probe_sums import Measured, ProbeSums
from vbotd.train import cheat_film, red_team
from vbotd.train.cheats import FAMILIES, GAIT, WALKER
from vbotd.train.probes import Scene
from vbotd.train.red_team import Cem, Cheat, TimeIsUp, attack, judge, search, worth
from vbotd.train.runio import RunSpec
from vbotd.train.session import make_folder
from vbotd.train.tasks import registry
from vbotd.train.tasks.settings import resolve
from vbotd.train.worker import build

FLAT = "vbot_navigation_section001"
SHORT = {"env.spawn_radius_m": (0.9, 1.0), "env.episode_s": 4.0}
REFERENCE = ProbeSums(name="brisk", length_s=4.0, total=40.0, discounted=10.0, success_rate=1.0,
                      terms={"success_event": 30.0, "goal_progress": 10.0})  # fmt: skip


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def few(monkeypatch):
    """A tiny search: one generation of eight, two episodes each."""
    for name, value in (("POPULATION", 8), ("ELITES", 2), ("EPISODES", 2), ("PROOF_EPISODES", 2)):
        monkeypatch.setattr(red_team, name, value)


def sums(length_s: float, total: float, **more: float) -> ProbeSums:
    terms = {"alive_reward": total}
    return ProbeSums(name="cheat", length_s=length_s, total=total, discounted=0.0, terms=terms, **more)


def spec(**params: object) -> RunSpec:
    return RunSpec(run="r", kind="red-team", entry="x:y", task=FLAT, seed=1, threads=1, params=params, train={})


def test_the_search_climbs_to_where_the_fitness_is_best():
    wanted = np.linspace(0.2, 0.8, len(GAIT.genes))
    cem = Cem(GAIT, np.random.default_rng(0))
    done = search([cem], lambda rows: np.array([-((row - wanted) ** 2).sum() for _, row in rows]), 30)
    assert done == 30 and cem.best is not None
    assert np.abs(cem.mean - wanted).max() < 0.15 and cem.best_fitness > -0.1


def test_a_search_whose_time_is_up_keeps_what_is_finished():
    calls = []

    def fitness(rows: list) -> np.ndarray:
        calls.append(len(rows))
        if len(calls) == 3:
            raise TimeIsUp
        return np.zeros(len(rows))

    assert search([Cem(family, np.random.default_rng(0)) for family in FAMILIES], fitness, 10) == 2
    assert calls == [red_team.POPULATION] * 3


@pytest.mark.parametrize(("cheat", "expected"), [
    (sums(10.0, 40.0), 0.4),  # the same sum in an episode that lasts 2.5 times as long: the second counts
    (sums(2.0, 20.0), 0.5),  # short, and does not fall: the episode counts
    (sums(2.0, 20.0, fall_rate=1.0), 1.0),  # falls, and the next episode begins at once: the second counts
    (sums(4.0, 40.0, success_rate=1.0), 0.0),  # doing the task is no cheating
    (sums(4.0, 40.0, success_rate=0.5), 0.5),
    (sums(10.0, -5.0), -0.125),
])  # fmt: skip
def test_what_a_cheat_is_worth(cheat: ProbeSums, expected: float):
    assert worth(cheat, REFERENCE) == pytest.approx(expected)


def measured(success_rate: float = 1.0) -> Measured:
    reference = ProbeSums(name="brisk", length_s=4.0, total=40.0, discounted=10.0, success_rate=success_rate)
    return Measured(episode_s=10.0, control_dt_s=0.02, gamma=0.99, weights={}, probes={"brisk": reference})


def cheat(pay: float) -> Cheat:
    return Cheat(family="walker", genes={}, sums=sums(10.0, 100.0 * pay), summary="stands about", pay=pay)


def test_seven_tenths_of_the_pay_without_the_task_is_an_error_that_names_who_paid():
    finding, = judge(measured(), (cheat(0.7), cheat(0.1)))
    assert (finding.rule, finding.level, finding.value) == ("reward-budget/red-team", "error", 0.7)
    assert "stands about" in finding.message and "alive_reward 70" in finding.message and "alive_reward" in finding.fix
    finding, = judge(measured(), (cheat(0.69),))
    assert (finding.level, finding.value) == ("info", 0.69)


def test_without_one_who_does_the_task_nobody_is_accused():
    assert judge(measured(0.0), (cheat(5.0),))[0].level == "info"
    assert judge(measured(0.3), (cheat(5.0),))[0].level == "info", "a reference that mostly fails proves little"
    assert judge(measured(), ())[0].level == "info"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_row_of_numbers_is_a_behaviour_with_words(family):
    rng = np.random.default_rng(1)
    n = 3
    scene = Scene(time_s=1.0, distance_m=np.full(n, 2.0), bearing_rad=np.zeros(n), reach_m=0.5,
                  arrived=np.zeros(n, dtype=bool), velocity=np.zeros((n, 3)), posed=np.zeros(n, dtype=bool),
                  noise=np.zeros((n, 12)))  # fmt: skip
    for row in (*rng.random((20, len(family.genes))), np.zeros(len(family.genes)), np.ones(len(family.genes))):
        probe = family.probe("c", row, 10.0)
        motion = probe.act(scene)
        assert motion.velocity.shape == (n, 3) and motion.offset_rad.shape == (n, 12) and motion.posed.shape == (n,)
        assert np.isfinite(motion.velocity).all() and np.isfinite(motion.offset_rad).all() and probe.summary
        assert "goal" not in family.probe("c", row, 10.0, has_goal=False).summary
    assert len(GAIT.genes) == 12 and WALKER.values(np.zeros(8))["halt_m"] == 0.0


def test_a_reward_for_being_alive_is_earned_by_a_robot_that_does_nothing(few):
    report = attack(spec(**SHORT, **{"reward.alive_reward": 150.0}), search_s=600.0, generations=1)
    assert report["generations"] == 1 and report["candidates"] == 8 and report["reference"] in ("walk", "brisk")
    finding, = report["findings"]
    assert (finding["rule"], finding["level"]) == ("reward-budget/red-team", "error") and finding["value"] >= 0.7
    assert "alive_reward" in finding["message"]
    assert report["cheats"][0]["sums"]["success_rate"] < 0.5


def test_our_own_reward_is_not_earned_without_the_task(few):
    report = attack(spec(**SHORT), search_s=600.0, generations=1)
    assert [finding["level"] for finding in report["findings"]] == ["info"]


def test_the_run_writes_its_findings_and_every_number(few, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(red_team, "MOST_GENERATIONS", 1)
    monkeypatch.setattr(red_team, "SEARCH_S", 600.0)
    folder = make_folder(tmp_path / "run", kind="red-team", task=FLAT, seed=1, threads=1, params=dict(SHORT), train={})
    red_team.red_team(folder)
    result = json.loads((folder.path / "result.json").read_text())
    report = json.loads((folder.path / "red_team.json").read_text())
    assert result["outcome"] == "finished" and result["findings"] == report["findings"]
    assert result["env_steps"] == report["env_steps"] > 0 and result["checkpoint"] is None
    assert report["generations"] == 1 and {"walk", "brisk"} <= {one["name"] for one in report["honest"]}
    assert not list(folder.path.glob("red_team.[mg]*")), "nobody cheats here"


def test_a_cheat_is_filmed_or_it_is_said_what_is_missing(few, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(red_team, "MOST_GENERATIONS", 1)
    monkeypatch.setattr(red_team, "SEARCH_S", 600.0)
    params = {**SHORT, "reward.alive_reward": 150.0}
    folder = make_folder(tmp_path / "run", kind="red-team", task=FLAT, seed=1, threads=1, params=params, train={})
    red_team.red_team(folder)
    report = json.loads((folder.path / "red_team.json").read_text())
    finding, = report["findings"]
    if report["missing"]:
        assert "OpenGL" in report["missing"] and not report["film"]
    else:
        assert report["film"] in finding["fix"] and (folder.path / report["film"]).stat().st_size > 10_000


def test_the_film_shows_what_the_cheat_did_for_a_whole_episode():
    env = build(registry.find(FLAT), resolve(registry.find(FLAT), SHORT), 1, 1, 1)
    standing = WALKER.probe("still", np.zeros(len(WALKER.genes)), 2.0)
    steps = cheat_film.lived(env, standing, 5)
    assert steps[-1].ending in ("time-out", "fall") and len(steps) <= env.options.episode_steps
    again = cheat_film.lived(env, standing, 5)
    assert [step.total_reward for step in again] == [step.total_reward for step in steps]


def test_a_run_that_is_asked_to_stop_ends_as_stopped(few, tmp_path: Path):
    folder = make_folder(tmp_path / "run", kind="red-team", task=FLAT, seed=1, threads=1, params=dict(SHORT), train={})
    folder.request_stop()
    red_team.red_team(folder)
    assert json.loads((folder.path / "result.json").read_text())["outcome"] == "stopped"
