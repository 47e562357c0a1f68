"""Where a search may go: constraints, which sampler, and where the first points lie."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.searching import RICH, SPACE, climbing, night, part, rate, search_skill
from vbotd.domain.space import Dimension, SearchSpace


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return search_skill()


@pytest.mark.parametrize(("text", "holds"), [
    ("ppo.learning_rate <= 2e-3", True), ("ppo.learning_rate > 2 * ppo.gamma", False),
    ("0.5 * ppo.gamma < ppo.gamma", True), ("1 >= ppo.gamma", True)])
def test_constraints_compare_settings_and_numbers(text: str, holds: bool) -> None:
    found = part("constraints").parse_constraint(text)
    assert found.holds({"ppo.learning_rate": 1e-3, "ppo.gamma": 0.99}) is holds
    assert found.holds({}), "what has no number binds nobody"


@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_an_error_that_says_what_can_be_written(text: str) -> None:
    try:
        found = part("constraints").parse_constraint(text)
    except ValueError as error:
        assert "write 'KEY <= NUMBER'" in str(error)
    else:
        assert found.keys


def test_a_block_with_an_unreadable_constraint_is_refused(skill: ModuleType) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        skill.Options.model_validate({"constraints": ["gamma is large"]})


def test_all_proposals_keep_to_the_constraints(skill: ModuleType) -> None:
    _, said, _ = night(skill, climbing(
        constraints=["ppo.learning_rate <= 2e-3", "ppo.learning_rate >= 5e-4"], sampler="tpe"), rate)
    assert all(5e-4 <= one.params["ppo.learning_rate"] <= 2e-3 for one in said if not one.extends)


def test_the_sampler_is_chosen_by_how_much_is_known_of_how_many_numbers() -> None:
    automatic = part("study").automatic
    def numbers(count: int) -> SearchSpace:
        return SearchSpace(dimensions=tuple(Dimension(key=f"a.x{n}", kind="uniform", low=0, high=1)
                                            for n in range(count)))
    mixed = SearchSpace(dimensions=(*numbers(3).dimensions, Dimension(key="a.b", kind="choice", choices=(1, 2))))
    assert automatic(numbers(4), 12) == "gp" and automatic(numbers(12), 12) == "tpe"
    assert automatic(numbers(12), 60) == "cmaes" and automatic(numbers(4), 60) == "tpe"
    assert automatic(mixed, 12) == "tpe"


def test_first_points_lie_where_the_tasks_author_would_look() -> None:
    card = replace(RICH, params=(replace(RICH.params[0], search=(2e-4, 8e-4)), *RICH.params[1:]))
    narrow = part("startup").prior(SPACE, card)
    points = [point for point, _ in zip(part("startup").spread_points(narrow, 3), range(64), strict=False)]
    rates = sorted(point["ppo.learning_rate"] for point in points)
    assert 2e-4 <= rates[0] < 2.5e-4 and 7e-4 < rates[-1] <= 8e-4
    assert sum(rate < 4e-4 for rate in rates) == 32, "log-uniform, and even"
