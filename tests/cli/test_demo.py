"""demo: a campaign from its file to the report, again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import ROOT
from tests.daemon.workspace import Workspace, campaign
from vbotd.cli.demo import CAMPAIGN


def test_the_campaign_of_the_checkout_is_the_one_in_the_package():
    assert (ROOT / "campaigns" / "demo.yaml").read_text() == CAMPAIGN


def put_demo(home: Path, **changes: str | int | float) -> None:
    (home / "campaigns").mkdir(exist_ok=True)
    (home / "campaigns" / "demo.yaml").write_text(campaign("demo", **{"trials": 2, "train_s": 0.1, **changes}))


@pytest.mark.slow
def test_it_ends_with_a_best_trial_and_can_be_run_again(workspace: Workspace, home: Path, spawn):
    put_demo(home)
    first = spawn("demo")
    assert first.code == 0, first.err + workspace.out()
    assert "best trial: demo-" in first.out
    assert "WAKE_UP.md begins:" in first.out
    second = spawn("demo")
    assert second.code == 0, second.err
    assert len(workspace.records("closed")) == 2


def test_it_fails_when_no_trial_is_any_good(workspace: Workspace, home: Path, spawn):
    put_demo(home, mode="raise", trials=1)
    called = spawn("demo")
    assert called.code == 1
    assert "no best trial" in called.err


def test_a_refused_campaign_is_no_success(workspace: Workspace, home: Path, spawn):
    put_demo(home, mode="no-such-mode")
    called = spawn("demo")
    assert called.code == 1
    assert "rejected" in called.err
