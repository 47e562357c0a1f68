"""The diagnosis in words, and the shares of reward terms."""

import pytest

from vbotd.core.diagnose import diagnose
from vbotd.core.diagnosis_words import in_words, shares

STEPS = range(20)


def series(**values: float | tuple[float, float]) -> dict[str, list[tuple[int, float]]]:
    rows = {tag.replace("__", "/"): v if isinstance(v, tuple) else (v, v) for tag, v in values.items()}
    return {tag: [(k, a + (b - a) * k / 19) for k in STEPS] for tag, (a, b) in rows.items()}


def test_a_run_that_goes_well_is_told_in_four_sentences():
    found = diagnose(series(train__success_rate=(0.0, 0.9), train__episode_return=(-5.0, 30.0), ppo__kl=0.01,
                            ppo__action_std=(0.8, 0.4), reward__trot_reward=1.5, reward__torque_cost=-0.5), {})
    assert in_words(found, 0.01) == (
        "Success in training is 81% and rising; the return is 26.3 and rising.",
        "The robot is mostly paid by trot_reward (75%), and mostly charged by torque_cost (25%).",
        "Updates are about as large as aimed for (KL 0.01, target 0.01); the action noise went from 0.76 to 0.44.",
        "No rule has anything against it.")


def test_where_a_rule_speaks_the_words_do_not_say_that_all_is_well():
    found = diagnose(series(train__success_rate=0.1, ppo__kl=0.2), {})
    words = in_words(found, 0.01)
    assert words[0] == "Success in training is 10% and flat."
    assert words[1].startswith("Updates are larger than aimed for")
    assert len(words) == 2


def test_nothing_yet_is_nothing_said():
    assert in_words(diagnose({}, {}), 0.01) == ()


def test_shares_are_of_magnitudes_and_in_order():
    terms = diagnose(series(reward__a=1.0, reward__b=-3.0, reward__c=0.0), {}).reward_terms
    assert [(term.tag, share) for term, share in shares(terms)] == [
        ("reward/b", pytest.approx(0.75)), ("reward/a", pytest.approx(0.25)), ("reward/c", 0.0)]
    nothing = diagnose(series(reward__a=0.0), {}).reward_terms
    assert [share for _, share in shares(nothing)] == [0.0]
