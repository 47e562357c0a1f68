"""The error bars of a night, on a part of the bench's nights: fixed seed, margins of three standard errors."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "nights.py"
NIGHTS = 150


@pytest.fixture
def nights(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The bench as a module."""
    spec = importlib.util.spec_from_file_location("bench_nights", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)  # a dataclass looks its module up
    spec.loader.exec_module(module)
    yield module


def world(nights: ModuleType, name: str):
    return next(one for one in nights.WORLDS if one.name == name)


def test_few_nights_without_a_difference_confirm_one_and_the_champions_number_is_true(nights: ModuleType):
    lived = nights.nights_of(world(nights, "equal"), NIGHTS, 1)
    assert sum(n.confirmed_falsely for n in lived) <= 15  # 5 % are 7.5, with a standard deviation of 2.7
    off = [n.off for n in lived]
    assert abs(fmean(off)) <= nights.MOST_BIAS + 3 * stdev(off) / NIGHTS**0.5
    assert fmean(n.off_when_chosen for n in lived) > 1.0, "what chose it is no number to report"
    assert abs(fmean(n.off_when_shrunken for n in lived)) < 0.5


def test_a_difference_of_two_spreads_is_found_with_six_pairs(nights: ModuleType):
    lived = [n for n in nights.nights_of(world(nights, "better-paired"), NIGHTS, 1) if n.in_final]
    assert max(n.pairs for n in lived) <= 6
    assert fmean(n.found for n in lived) >= 0.9  # 0.96 on many nights


def test_the_same_seed_lives_the_same_nights(nights: ModuleType):
    three = world(nights, "in-turn")
    assert nights.nights_of(three, 3, 5) == nights.nights_of(three, 3, 5) != nights.nights_of(three, 3, 6)


def test_a_row_is_judged_by_its_bar(nights: ModuleType):
    fine = nights.Night(confirmed_falsely=False, in_final=True, found=True, pairs=6, off=0.0, over_seeds=True,
                        off_when_chosen=1.0, off_when_shrunken=0.0, covered=(True,))
    wrong = nights.Night(confirmed_falsely=True, in_final=True, found=False, pairs=6, off=0.5, over_seeds=True,
                         off_when_chosen=1.0, off_when_shrunken=0.0, covered=(False,))
    equal, better, shown = (world(nights, name) for name in ("equal", "better", "unequal"))
    assert nights.row_of(equal, [fine] * 19 + [wrong])["passed"]
    assert not nights.row_of(equal, [fine] * 18 + [wrong] * 2)["passed"]
    assert nights.row_of(better, [fine] * 8 + [wrong] * 2)["power"] == 0.8
    assert not nights.row_of(better, [fine] * 7 + [wrong] * 3)["passed"]
    assert "passed" not in nights.row_of(shown, [wrong])
