"""The race on made-up episodes: who drops out, by what, and that no quality makes up for fewer successes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vbotd.core.accounts import Accounts, from_csv, pooled
from vbotd.core.racing import Criterion, criteria_of, losers, ordered, screen
from vbotd.domain.metric import MetricCard
from vbotd.domain.task import TaskCard

CARD = TaskCard(name="t", summary="", factory="x:y", quality=MetricCard(tag="eval/time_to_goal_s", direction="min"))
CRITERIA = criteria_of(CARD)


def made(success: float, time_s: float, n: int, first: int = 0, noise: float = 0.3) -> Accounts:
    """Return episodes of a checkpoint; how hard an instance is, is the same for all of them."""
    hard = np.random.default_rng(7).random(4096)[first:first + n]
    jitter = np.random.default_rng([3, first, round(1000 * success), round(1000 * time_s)]).normal(0, noise, n)
    won = hard < success
    return Accounts(columns={
        "success": tuple(won.astype(float)), "fall": tuple((~won).astype(float)),
        "time_to_goal_s": tuple(np.where(won, time_s + hard + jitter, math.nan))})


def measured(**policies: tuple[float, float]) -> Callable[[str, int, int], Accounts]:
    def measure(name: str, number: int, episodes: int) -> Accounts:
        return made(*policies[name], n=episodes, first=500 * number)
    return measure


def test_the_metric_counts_before_falls_and_falls_before_quality():
    assert [c.tag for c in CRITERIA] == ["eval/success_rate", "eval/fall_rate", "eval/time_to_goal_s"]
    statue = Accounts(columns={"success": (0.0,) * 4, "fall": (0.0,) * 4, "time_to_goal_s": (math.nan,) * 4})
    good = Accounts(columns={"success": (1.0, 1.0, 1.0, 0.0), "fall": (0.0, 0.0, 0.0, 1.0),
                             "time_to_goal_s": (5.0, 5.0, 5.0, math.nan)})
    fast = Accounts(columns=good.columns | {"time_to_goal_s": (4.0, 4.0, 4.0, math.nan)})
    assert ordered({"statue": statue, "good": good, "fast": fast}, CRITERIA) == ["fast", "good", "statue"]


def test_who_succeeds_less_drops_out_however_fast():
    out = losers({"good": made(0.95, 5.0, 64), "bad": made(0.5, 2.0, 64)}, CRITERIA)
    assert [(d.name, d.leader, d.criterion.tag) for d in out] == [("bad", "good", "eval/success_rate")]
    assert out[0].p < 0.05
    assert out[0].mean < out[0].leader_mean


def test_equal_success_is_decided_by_quality():
    (out,) = losers({"fast": made(0.95, 4.0, 64), "slow": made(0.95, 5.0, 64)}, CRITERIA)
    assert (out.name, out.criterion.tag, out.episodes) == ("slow", "eval/time_to_goal_s", 64)


def test_who_is_not_proved_worse_stays():
    assert losers({"a": made(0.95, 4.0, 64), "b": made(0.92, 4.0, 64)}, CRITERIA) == []


def test_a_race_ends_with_three():
    asked: list[tuple[str, int, int]] = []
    measure = measured(a=(0.99, 4.0), b=(0.98, 4.0), c=(0.97, 4.0), d=(0.6, 4.0), e=(0.2, 4.0), f=(0.5, 3.0))

    def counted(name: str, number: int, episodes: int) -> Accounts:
        asked.append((name, number, episodes))
        return measure(name, number, episodes)

    race = screen(list("abcdef"), CRITERIA, counted, most_episodes=512)
    assert set(race.survivors) == {"a", "b", "c"}
    assert {d.name for d in race.dropped} == {"d", "e", "f"}
    assert asked == [(name, 0, 64) for name in "abcdef"]


def test_rounds_double_until_the_cap_and_the_rest_is_called_undecided():
    rounds: list[tuple[int, int]] = []

    def same(name: str, number: int, episodes: int) -> Accounts:
        rounds.append((number, episodes))
        return made(0.9, 4.0, episodes, first=500 * number)

    race = screen(list("abcde"), CRITERIA, same, most_episodes=300)
    assert list(dict.fromkeys(rounds)) == [(0, 64), (1, 64), (2, 128), (3, 44)]
    assert (race.survivors, race.undecided, race.dropped) == (("a", "b", "c"), ("d", "e"), ())
    assert race.accounts["a"].num_episodes == 300


def test_three_need_no_race():
    race = screen(list("abc"), CRITERIA, measured(), most_episodes=512)
    assert (race.survivors, race.accounts) == (("a", "b", "c"), {})


def test_a_criterion_without_numbers_tells_nothing_apart():
    odd = (Criterion(tag="eval/unheard_of", direction="max", words="unheard of"),)
    assert losers({"a": made(0.9, 4.0, 64), "b": made(0.1, 4.0, 64)}, odd) == []


def test_accounts_from_a_file_and_pooled():
    one = from_csv("instance,success,time_to_goal_s\n0,1,4.5\n1,0,\n")
    assert one.values("eval/success_rate") == (1.0, 0.0)
    both = pooled([one, Accounts(columns={"success": (1.0,)})])
    metrics = both.metrics()
    assert metrics["eval/success_rate"]["value"] == 2 / 3
    assert (metrics["eval/time_to_goal_s"]["value"], metrics["eval/time_to_goal_s"]["n"]) == (4.5, 1)
    assert both.num_episodes == 3
