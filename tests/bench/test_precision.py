"""What is kept of the comparison of precisions: the newest row of each task."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def precision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the bench as a module."""
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])  # it imports a bench, which adds a folder of its own
    spec = importlib.util.spec_from_file_location("bench_precision", BENCH / "precision.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_that_were_not_measured_again_are_kept(precision: ModuleType):
    before = [{"name": "walk", "threads": 2, "passed": False}, {"name": "section001", "threads": 2, "passed": True}]
    walk, section001 = ({"name": name, "threads": 1, "passed": True} for name in ("walk", "section001"))
    assert precision.merged(before, [walk]) == [walk, before[1]]
    assert precision.merged(before, [section001]) == [before[0], section001]
    assert precision.merged(before[1:], [walk]) == [before[1], walk]
    assert precision.merged([], [walk]) == [walk]


def test_what_is_kept_has_passed_where_every_row_has(precision: ModuleType):
    good, bad = {"name": "walk", "passed": True}, {"name": "section001", "passed": False}
    assert precision.result_of([good])["passed"]
    assert not precision.result_of([good, bad])["passed"]


def test_only_and_save_leave_the_other_row_in_the_file(
    precision: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    monkeypatch.setattr(precision, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(precision, "row", lambda name, seeds, threads: {"name": name, "seeds": seeds, "passed": True})
    monkeypatch.setattr("vbotd.train.precision.bfloat16_is_fast", lambda: True)
    for arguments in ([], ["--only", "walk", "--seeds", "7"]):
        monkeypatch.setattr("sys.argv", ["precision.py", "--save", *arguments])
        assert precision.main() == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["name"] for row in printed["rows"]] == ["walk"]
    kept = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [(row["name"], row["seeds"]) for row in kept["rows"]] == [("walk", 7), ("section001", 5)]
