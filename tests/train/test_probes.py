"""The reference walker and the probes: do they do what they say, and is what they are paid accounted for?"""

from __future__ import annotations

import numpy as np
import pytest

from vbotd.core.probe_sums import Measured
from vbotd.core.reward_remedy import reweighted
from vbotd.train import probes, reference_walker
from vbotd.train.reference_walker import ReferenceWalker, observe
from vbotd.train.tasks import navigation, walk
from vbotd.train.tasks.settings import resolve

EACH = 3


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rolled(task, names: list[str], seed: int = 3, max_steps: int = 6000, **overrides: object) -> probes.Rolled:
    settings = resolve(task.CARD, overrides)
    chosen = [probe for probe in probes.PROBES if probe.name in names]
    env = task.make(settings, EACH * len(chosen), 1, 1)
    return probes.roll(env, chosen, settings.ppo["gamma"], max_steps, seed)


def test_the_walker_is_small_and_the_one_that_was_recorded(tmp_path):
    assert reference_walker.WEIGHTS.stat().st_size < 1_000_000
    ReferenceWalker.load()
    other = tmp_path / "reference_walker.npz"
    other.write_bytes(reference_walker.WEIGHTS.read_bytes() + b"x")
    other.with_suffix(".json").write_bytes(reference_walker.WEIGHTS.with_suffix(".json").read_bytes())
    with pytest.raises(ValueError, match="make reference-walker"):
        ReferenceWalker.load(other)


def test_the_walker_sees_what_the_walking_task_shows():
    env = walk.make(resolve(walk.CARD, {}), 4, 1, 1)
    env.start()
    actions = np.random.default_rng(0).standard_normal((4, 12))
    shown = env.step(actions).obs
    np.testing.assert_allclose(observe(env.sim, env.task.command, actions), shown, atol=1e-6)


def test_following_the_command_succeeds_and_standing_does_not():
    probed = rolled(walk, ["stand", "follow"]).probes
    assert probed["follow"].success_rate == 1.0 and probed["follow"].length_s == pytest.approx(20.0)
    assert probed["stand"].success_rate == 0.0 and probed["stand"].fall_rate == 0.0
    assert probed["follow"].total > 2.0 * probed["stand"].total
    assert probed["stand"].flow["far"] == pytest.approx(probed["stand"].rate, rel=0.1)


def test_the_probes_of_a_goal_do_what_they_say():
    names = ["stand", "fold", "brisk", "hover", "loiter", "touch-fall"]
    result = rolled(navigation, names, **{"env.spawn_radius_m": (1.5, 2.5), "env.episode_s": 6.0})
    p = result.probes
    assert result.episodes == EACH and result.extended_s == 0.0
    assert p["brisk"].success_rate == 1.0 and p["brisk"].goal_s < p["brisk"].length_s < 6.0
    assert p["hover"].goal_s is None and p["hover"].at_goal is not None and p["hover"].fall_rate == 0.0
    assert p["loiter"].goal_s is not None and p["loiter"].success_rate == 0.0 and p["loiter"].fall_rate == 0.0
    assert p["fold"].fall_rate == p["touch-fall"].fall_rate == 1.0 and p["fold"].length_s < 1.0
    assert p["brisk"].goal_s < p["touch-fall"].length_s < p["brisk"].goal_s + 1.0
    assert p["stand"].terms["time_cost"] == pytest.approx(-0.5 * 6.0)
    weights = resolve(navigation.CARD, {}).reward
    assert p["brisk"].terms["success_event"] == weights["success_event"] and p["brisk"].terms["fall_event"] == 0.0
    assert p["fold"].terms["fall_event"] == weights["fall_event"]


def test_the_terms_of_a_probe_add_up_to_what_it_was_paid():
    for probe in rolled(navigation, ["tremble", "sprint-fall"], **{"env.episode_s": 2.0}).probes.values():
        assert sum(probe.terms.values()) == pytest.approx(probe.total, rel=1e-5)
        assert sum(probe.terms_discounted.values()) == pytest.approx(probe.discounted, rel=1e-5)
        assert probe.first_half <= probe.total or probe.total < 0
        assert sum(probe.terms_first_half.values()) == pytest.approx(probe.first_half, rel=1e-5)


def test_the_terms_add_up_at_the_goal_and_in_every_zone_too():
    overrides = {"env.spawn_radius_m": (2.2, 2.6), "env.episode_s": 6.0}
    for probe in rolled(navigation, ["brisk", "hover"], **overrides).probes.values():
        assert probe.at_goal is not None and {"far", "near"} <= set(probe.flow)
        assert sum(probe.terms_at_goal.values()) == pytest.approx(probe.at_goal, rel=1e-4)
        for zone, flow in probe.flow.items():
            assert sum(probe.terms_flow[zone].values()) == pytest.approx(flow, rel=1e-3, abs=1e-3)


def test_what_is_not_simulated_is_shared_by_the_terms():
    cut = rolled(navigation, ["stand"], max_steps=50, **{"env.episode_s": 2.0}).probes["stand"]
    assert sum(cut.terms.values()) == pytest.approx(cut.total, rel=1e-5)


def test_a_changed_weight_earns_what_the_sums_of_the_old_one_say():
    overrides = {"env.spawn_radius_m": (1.2, 1.4), "env.episode_s": 4.0, "reward.alive_reward": 10.0}
    settings = resolve(navigation.CARD, overrides)
    before, after = (
        Measured(episode_s=4.0, control_dt_s=0.02, gamma=0.99, weights=weights, probes=rolled(
            navigation, ["stand", "brisk", "hover"], **{**overrides, "reward.alive_reward": alive}).probes)
        for weights, alive in ((settings.reward, 10.0), ({}, 1.0)))  # fmt: skip
    for name, probe in reweighted(before, "alive_reward", 1.0).probes.items():
        simulated = after.probes[name]
        for field in ("total", "discounted", "first_half", "at_goal"):
            expected = getattr(simulated, field) or 0.0  # None: it never came to the goal
            assert (getattr(probe, field) or 0.0) == pytest.approx(expected, rel=1e-4), (name, field)
        assert dict(probe.flow) == pytest.approx(dict(simulated.flow), rel=1e-3)


def test_what_is_not_simulated_goes_on_at_the_last_rate():
    whole = rolled(navigation, ["stand"], **{"env.episode_s": 8.0}).probes["stand"]
    cut = rolled(navigation, ["stand"], max_steps=200, **{"env.episode_s": 8.0})
    assert cut.extended_s == pytest.approx(4.0)
    assert cut.probes["stand"].length_s == pytest.approx(8.0)
    assert cut.probes["stand"].total == pytest.approx(whole.total, rel=0.25)


def test_another_control_step_and_smoothing_do_not_trip_the_walker():
    overrides = {"env.control_dt_s": 0.01, "env.action_scale_rad": 0.25, "env.action_smoothing": 0.3,
                 "env.spawn_radius_m": (1.5, 2.0), "env.episode_s": 6.0}  # fmt: skip
    assert rolled(navigation, ["brisk"], **overrides).probes["brisk"].success_rate == 1.0


def test_probing_leaves_no_one_listening():
    settings = resolve(navigation.CARD, {"env.episode_s": 0.2})
    env = navigation.make(settings, 2, 1, 1)
    probes.roll(env, [probes.PROBES[0]], 0.99, 100, 1)
    assert env.task.rewards.on_paid is None
