"""A small part of each row, as `make test` plays it. What took how long is no part of these tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.gauntlet.__main__ import all_rows, scoreboard
from tests.gauntlet.adoption import adoption
from tests.gauntlet.dropping import dropped_at_once
from tests.gauntlet.errors import failing_writes
from tests.gauntlet.flat import Flat, Lived, broken
from tests.gauntlet.images import damaged_images
from tests.gauntlet.kills import all_rules, kills_at_places, random_kills
from tests.gauntlet.recovery import recovery
from tests.gauntlet.row import Play, Row, Trial
from tests.gauntlet.sessions import PLACES, kills_of_sessions
from tests.gauntlet.week import a_simulated_week
from tests.gauntlet.zoo import hostile_workers, reused_pids
from vbotd import failpoint


@pytest.mark.slow
@pytest.mark.parametrize(("row", "share"), [
    (random_kills, 0.01), (kills_at_places, 0.1), (failing_writes, 0.02), (adoption, 0.02), (recovery, 0.02),
    (dropped_at_once, 0.02), (hostile_workers, 0.1), (reused_pids, 0.05), (damaged_images, 0.02),
    (kills_of_sessions, 0.1), (a_simulated_week, 0.0015)],
    ids=lambda value: getattr(value, "__name__", None))
def test_a_small_part_of_a_row_holds(row: Play, share: float, tmp_path: Path) -> None:
    assert row(Trial(folder=tmp_path, share=share, seed=2)).failures == ()


def test_every_row_is_found() -> None:
    assert {"random_kills", "kills_at_places", "failing_writes", "adoption", "recovery", "dropped_at_once",
            "hostile_workers", "reused_pids", "damaged_images", "kills_of_sessions",
            "a_simulated_week"} <= all_rows().keys()


def test_the_daemon_or_a_session_dies_at_every_place() -> None:
    assert {name for name, _ in all_rules()} | set(PLACES) == set(failpoint.NAMES)


def test_the_scoreboard_says_which_row_failed_and_how_to_repeat_it() -> None:
    good = Row(name="kills", figure="0 lost", bar="0", ok=True)
    bad = Row(name="drops", figure="12 s", bar="10 s", ok=False)
    table = scoreboard([("random_kills", good), ("dropped_at_once", bad)]).splitlines()
    assert table[2] == "| ok | kills | 0 lost | 0 | `python -m tests.gauntlet --rows random_kills` |"
    assert table[3].startswith("| **failed** | drops | 12 s | 10 s |")


@pytest.mark.parametrize(("flat", "words"), [
    (Flat(descriptors=Counter({10: 99, 11: 1})), "open descriptors: {10: 99, 11: 1}"),
    (Flat(runs_bytes=3 * 2**28 + 1), "runs/ took 805,306,369 bytes; the cap is 805,306,368"),
    (Flat(archived=51), "51 archived reports"),
    (Flat(stale_s=61.0), "the report was 61 s old"),
    (Flat(memory=[100, 100, 100, 115]), "memory grew 1.15-fold")])
def test_a_day_that_is_not_flat_says_what_was_not(flat: Flat, words: str) -> None:
    def day(flat: Flat) -> Lived:
        return Lived(seconds=86400.0, ticks=100, trials=1, daemons=1, faults=Counter(), flat=flat, deleted_bytes=0,
                     wrong=())
    flat.descriptors = flat.descriptors or Counter({10: 100})
    assert [words in line for line in broken(day(flat))] == [True]
    assert broken(day(Flat(descriptors=Counter({10: 100}), stale_s=60.0))) == []
