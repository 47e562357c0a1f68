"""Importance on made-up trials: what matters is found, chance is called chance, and few trials say nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from vbotd.core.importance import Tried, importances
from vbotd.core.yaml_scalar import plain_scalar
from vbotd.domain.task import ParamValue


def trials(n: int, score: Callable[[Mapping[str, ParamValue]], float | None]) -> list[Tried]:
    rng = np.random.default_rng(5)
    found = []
    for i in range(n):
        params: dict[str, ParamValue] = {
            "ppo.learning_rate": float(10 ** rng.uniform(-4, -2)), "reward.trot_reward": float(rng.uniform(0, 2)),
            "ppo.schedule": ("adaptive", "fixed")[i % 2]}
        found.append(Tried(trial=f"c/t{i:03d}", params=params, score=score(params)))
    return found


def test_the_setting_that_decides_is_named_and_the_others_are_not():
    found = importances(trials(27, lambda p: -abs(math.log10(float(p["ppo.learning_rate"])) + 3)))
    assert found[0].key == "ppo.learning_rate"
    assert found[0].matters
    assert found[0].share is not None and found[0].share > 0.5
    # Best in the middle: the thirds see it, a rank correlation alone would not.
    assert found[0].rank_correlation is not None and abs(found[0].rank_correlation) < 0.5
    low, middle, high = found[0].groups
    assert middle.score is not None and low.score is not None and high.score is not None
    assert middle.score["value"] > max(low.score["value"], high.score["value"])
    assert [each.key for each in found[1:] if each.matters] == []


def test_chance_is_called_chance():
    rng = np.random.default_rng(11)
    assert not any(each.matters for each in importances(trials(27, lambda _: float(rng.random()))))


def test_a_word_is_grouped_by_value():
    found = importances(trials(20, lambda p: 1.0 if p["ppo.schedule"] == "fixed" else 0.0))
    assert found[0].key == "ppo.schedule"
    assert found[0].share == pytest.approx(1.0)
    assert [(group.values, group.scored) for group in found[0].groups] == [("adaptive", 10), ("fixed", 10)]
    assert found[0].rank_correlation is None


def test_few_trials_say_nothing_but_are_shown():
    found = importances(trials(8, lambda p: float(p["ppo.learning_rate"])))
    assert [(each.share, each.p, each.matters) for each in found] == [(None, None, False)] * 3
    assert sum(group.scored for group in found[0].groups) == 8


def test_failed_trials_are_counted_and_never_a_score():
    found = importances(trials(21, lambda p: None if float(p["reward.trot_reward"]) > 1.4 else 0.5))
    trot = next(each for each in found if each.key == "reward.trot_reward")
    assert trot.groups[0].failed == 0
    assert trot.groups[-1].failed > 0
    assert trot.share is None  # all scores are equal: nothing to explain


@pytest.mark.parametrize("value", [1e-5, 3.25e-4, 24, 1e16, 0.1 + 0.2])
def test_a_pinned_number_reads_back_as_the_same(value: float):
    from vbotd.core.pinned import exact
    assert plain_scalar(exact(value)) == value
