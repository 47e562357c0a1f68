"""presets: each one fits its task, and a key that nobody knows is an error."""

from __future__ import annotations

import pytest

from vbotd.core.presets import Preset, PresetError, parse_preset
from vbotd.errors import NotFound
from vbotd.store.presets import load_preset, load_presets
from vbotd.train.tasks.cards import TASKS
from vbotd.train.tasks.settings import resolve

CARDS = {card.name: card for card in TASKS}
PRESETS = {preset.name: preset for preset in load_presets()}
SMALL = b"about: a\nsource: b\ntask: vbot_navigation_section001\nreward: {alive_reward: 15}\n"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_every_preset_fits_its_task(preset: Preset):
    card = CARDS[preset.task]
    given = preset.settings(card)
    settings = resolve(card, given)
    assert {name for name, weight in settings.reward.items() if weight} <= set(preset.reward)


def test_the_numbers_of_the_exploits_are_the_predecessors():
    lazy, farm, hover = PRESETS["lazy-robot"], PRESETS["reach-and-farm"], PRESETS["hover-at-boundary"]
    assert lazy.reward["alive_reward"] * lazy.env["episode_s"] == 4500 and lazy.reward["arrival_event"] == 50
    per_second = 2.0 * farm.reward["stop_reward"] + farm.reward["still_reward"]
    assert per_second * 6.0 == pytest.approx(12_726)  # 600 control steps of 10 ms
    assert hover.reward["fine_position_reward"] * 2.71828 ** (-0.52 / 0.5) == pytest.approx(424, abs=1)
    assert PRESETS["die-early"].env["time_decay"] == 0.5
    assert PRESETS["standing-dominance"].env["episode_s"] == 40
    assert PRESETS["section001-speed-opt"].reward["forward_velocity_reward"] == 350


def test_the_sets_of_section011_are_converted_by_their_units():
    best = PRESETS["section011-s9-t1"]
    assert best.reward["forward_velocity_reward"] == 922 and best.reward["approach_progress"] == 572.7
    assert best.reward["zone_progress"] == 3320 and best.reward["fall_event"] == -25
    assert best.env["alive_decay_s"] == 16.26 and best.env["height_scan"] is False


def test_each_late_exploit_differs_from_the_winner_by_its_one_mistake():
    winner = PRESETS["section001-am4-t1"]
    for name, mistake in (("reach-and-farm", {"stop_budget_s": 0}), ("die-early", {"time_decay": 0.5}),
                          ("hover-at-boundary", {"fine_after_reach": False})):
        assert PRESETS[name].reward == winner.reward
        assert PRESETS[name].env == {**winner.env, **mistake}


def test_a_term_that_is_not_named_has_weight_0():
    given = parse_preset(SMALL, "small").settings(CARDS["vbot_navigation_section001"])
    assert given["reward.alive_reward"] == 15
    assert given["reward.success_event"] == given["reward.trot_reward"] == 0
    assert "env.episode_s" not in given


@pytest.mark.parametrize(("text", "says"), [
    (SMALL.replace(b"alive_reward", b"alive_rewrd"), "did you mean 'reward.alive_reward'"),
    (SMALL + b"env: {stop_buget_s: 1}\n", "did you mean 'env.stop_budget_s'"),
])
def test_a_key_that_the_task_has_not_is_an_error(text: bytes, says: str):
    with pytest.raises(PresetError, match=says):
        parse_preset(text, "small").settings(CARDS["vbot_navigation_section001"])


@pytest.mark.parametrize(("text", "says"), [
    (SMALL + b"rewards: {}\n", "rewards: Extra"), (b"about: [", "small.yaml:2"),
    (b"about: a\n", "source: Field required"),
    (SMALL.replace(b"15", b"much"), "reward.alive_reward: Input should be a valid number"),
])
def test_a_file_that_is_no_preset_is_refused(text: bytes, says: str):
    with pytest.raises(PresetError, match=says):
        parse_preset(text, "small")


def test_a_preset_that_is_not_there_is_answered_with_the_nearest():
    assert load_preset("lazy-robot").task == "vbot_navigation_section001"
    with pytest.raises(NotFound, match="did you mean 'lazy-robot'"):
        load_preset("lazyrobot")
