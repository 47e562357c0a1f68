"""The ledger of the agent loop: sums that are never too small, whatever is killed and whenever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.models import reply
from tests.daemon.workspace import ROOT
from vbotd.agent.ledger import Ledger, OverCap, calls_in
from vbotd.agent.llm_calls import settle_lost
from vbotd.agent.registry import Context
from vbotd.core.config import ConfigError, parse_config
from vbotd.core.spending import Caps, Cost, Price, entries, total
from vbotd.failpoint import MARK
from vbotd.layout import Layout

DAY = 1_795_000_000.0


def ledger(home: Path, *, tokens: int = 1_000, usd: float | None = None, session: int = 10**9,
           at: list[float] | None = None) -> Ledger:
    times = at or [DAY]
    return Ledger(layout=Layout(home), now=lambda: times[0],
                  caps=Caps(tokens_a_day=tokens, usd_a_day=usd, tokens_a_session=session))


def test_what_is_set_aside_counts_until_it_is_settled(tmp_path: Path):
    book = ledger(tmp_path)
    day = book.reserve("c1", "s", Cost(tokens=800, usd=0.1))
    with pytest.raises(OverCap, match="800 of 1,000 tokens of this day are spent, and the next call may take 300"):
        book.reserve("c2", "s", Cost(tokens=300))
    book.settle(day, "c1", Cost(tokens=120, usd=0.01), "answered")
    book.reserve("c2", "s", Cost(tokens=300))
    assert total(book.today().values()) == Cost(tokens=420, usd=0.01)


def test_each_cap_holds_and_says_where_it_stands(tmp_path: Path):
    book = ledger(tmp_path, usd=0.5, session=500)
    book.reserve("c1", "s1", Cost(tokens=400, usd=0.4))
    for session, cost, where in (("s1", Cost(tokens=200), "agents.tokens_per_wake"),
                                 ("s2", Cost(tokens=550), "agents.tokens_per_wake"),
                                 ("s2", Cost(tokens=800), "agents.tokens_per_day"),
                                 ("s2", Cost(tokens=1, usd=0.2), "agents.usd_per_day")):
        with pytest.raises(OverCap, match=where):
            book.reserve("c2", session, cost)
    book.reserve("c2", "s2", Cost(tokens=400, usd=0.1))


def test_a_day_is_a_file_and_a_call_counts_on_the_day_it_began(tmp_path: Path):
    at = [DAY - DAY % 86_400 + 86_399]
    book = ledger(tmp_path, at=at)
    day = book.reserve("c1", "s", Cost(tokens=900))
    at[0] += 2
    book.reserve("c2", "s", Cost(tokens=900))
    book.settle(day, "c1", Cost(tokens=10), "answered")
    assert total(calls_in(day).values()).tokens == 10
    assert total(book.today().values()).tokens == 900
    assert [entry.call for _, entry in book.unsettled()] == ["c2"]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400))
def test_a_file_that_is_torn_anywhere_never_makes_a_call_cheaper_than_it_was(tmp_path_factory: Any, cut: int):
    home = tmp_path_factory.mktemp("torn")
    book = ledger(home)
    day = book.reserve("c1", "s", Cost(tokens=500))
    book.settle(day, "c1", Cost(tokens=100), "answered")
    whole = day.read_bytes()
    day.write_bytes(whole[: min(cut, len(whole))])
    first_line = whole.index(b"\n")
    sum_ = total(book.today().values()).tokens
    assert sum_ == (0 if cut < first_line else 100 if cut >= len(whole) - 1 else 500)
    book.reserve("c2", "s", Cost(tokens=7))  # what is written behind a torn line is whole
    assert total(book.today().values()).tokens == sum_ + 7


@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["call", "what", "tokens", "usd", "session"]),
                                st.none() | st.text(max_size=3) | st.integers() | st.floats() | st.just("reserve"))))
def test_lines_that_make_no_sense_are_no_error(lines: list[dict[str, Any]]):
    assert isinstance(entries(lines), dict)


def test_many_processes_may_not_together_take_more_than_is_left(tmp_path: Path):
    book = ledger(tmp_path)

    def take(number: int) -> bool:
        try:
            book.reserve(f"c{number}", "s", Cost(tokens=90))
        except OverCap:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(40))) == 11


def test_a_cap_on_money_needs_prices():
    with pytest.raises(ConfigError, match="usd_per_million_in"):
        parse_config(b"agents: {usd_per_day: 2}\n")
    agents = parse_config(b"agents: {usd_per_day: 2, usd_per_million_in: 1, usd_per_million_out: 4}\n").agents
    assert Price(usd_in=agents.usd_per_million_in, usd_out=agents.usd_per_million_out).of(1_000_000, 500_000).usd == 3.0


def test_a_call_whose_process_died_is_told_once_and_stays_paid(tmp_path: Path):
    layout = Layout(tmp_path)
    book = ledger(tmp_path)
    book.reserve("turn-s1-003", "s1", Cost(tokens=500, usd=0.2))
    context = Context(layout=layout, principal="agent:llm", now=lambda: DAY)
    assert (settle_lost(context, book), settle_lost(context, book)) == (1, 0)
    command = json.loads((layout.commands / "turn-s1-003.json").read_text())
    assert (command["args"]["session"], command["args"]["turn"], command["args"]["tokens"]) == ("s1", 3, 500)
    assert command["args"]["how"].startswith("lost")
    assert total(book.today().values()) == Cost(tokens=500, usd=0.2)


@pytest.mark.slow
def test_over_200_kills_no_more_is_spent_than_the_cap_and_the_ledger_is_never_too_small(tmp_path: Path, chat):
    # Each killed session leaves what it set aside, so the cap has to leave room for 200 of them; the last one fills it.
    (tmp_path / MARK).touch()
    billed: list[tuple[int, int]] = []

    def bill(asked: dict[str, Any]) -> Any:
        billed.append((len(json.dumps(asked)) // 4, 60))
        return reply(asked, [("status", {})], usage=billed[-1])

    chat.script = bill
    cap, usd, kills = 300_000, 100.0, 200
    done = subprocess.run(
        [sys.executable, "-m", "tests.agent.spender", str(tmp_path), chat.url, str(kills), str(cap), str(usd)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=400,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    days = sorted((tmp_path / "state" / "agent").glob("spent-*.jsonl"))  # two of them where midnight came
    ledgered = sum((total(calls_in(day).values()) for day in days), Cost())
    real = sum(a + b for a, b in billed)
    killed, sessions = map(int, done.stdout.split())
    one_call = max(entry.cost.tokens for day in days for entry in calls_in(day).values())
    print(f"{killed} of {sessions} sessions killed; billed {real:,} tokens in {len(billed)} calls, in the ledger "
          f"{ledgered.tokens:,} of {cap:,}; the largest call {one_call:,}")
    assert killed == kills
    assert real <= ledgered.tokens <= cap * len(days)
    assert len(days) > 1 or ledgered.tokens > cap - 20_000  # it was the cap that ended the last session
