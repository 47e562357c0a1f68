"""The recovery table: what a look at a run's folder justifies. Every combination has exactly one answer."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from tests.core.given import NOW, ended
from vbotd.core.outcome import classify, reconcile
from vbotd.core.sighting import ExitSeen, RunSeen
from vbotd.domain.event import RunEnded, RunFenced, RunStarted
from vbotd.domain.trial import Run

RUN = Run(id="c/t001/train-s1-a1", campaign="c", trial="c/t001", kind="train", seed=1, attempt=1, status="launching",
          queued_at=NOW, launch=1, token="t", threads=1, launched_at=NOW)
RUNNING = replace(RUN, status="running", started_at=NOW, pid=7)


@pytest.mark.parametrize(("claim", "alive", "exited", "same_boot", "status"), list(product(
    ("none", "shim", "fenced"), (False, True), (False, True), (False, True), ("launching", "running", "stopping"))))
def test_every_combination_has_one_answer(claim: str, alive: bool, exited: bool, same_boot: bool, status: str) -> None:
    exit_seen = ExitSeen(exit_code=0, signal=None, ended_at=NOW, duration_s=1.0) if exited else None
    seen = RunSeen(run=RUN.id, claim=claim, alive=alive, pid=7, exit=exit_seen,  # type: ignore[arg-type]
                   same_boot=same_boot, swept=not alive and not exited)
    run = replace(RUN if status == "launching" else RUNNING, status=status)  # type: ignore[arg-type]
    event = reconcile(run, seen)
    if claim == "fenced":
        assert isinstance(event, RunEnded if status == "stopping" else RunFenced)
        assert getattr(event, "outcome", "") in ("", "stopped")
    elif claim == "none":
        assert event is None
    elif alive:
        assert isinstance(event, RunStarted) if status == "launching" else event is None
    else:
        assert isinstance(event, RunEnded)
        assert event.outcome != "finished", "an exit without a result is no success"
        assert (event.outcome == "lost") == (not exited)
        assert exited or ("restarted" in event.reason) == (not same_boot)


def test_a_run_whose_folder_was_deleted_is_lost_and_says_why() -> None:
    event = reconcile(RUNNING, RunSeen(run=RUN.id, claim="shim", alive=False, bereft=True, swept=True))
    assert isinstance(event, RunEnded)
    assert (event.outcome, "folder was deleted" in event.reason) == ("lost", True)


def test_an_unswept_tree_is_not_called_lost_yet() -> None:
    assert reconcile(RUNNING, RunSeen(run=RUN.id, claim="shim", alive=False)) is None


@pytest.mark.parametrize(("code", "signal", "result", "status", "expected"), [
    (0, None, {"outcome": "finished", "env_steps": 10}, "running", "finished"),
    (0, None, {"outcome": "finished", "env_steps": 0}, "running", "failed"),
    (0, None, None, "running", "failed"),
    (0, None, {"outcome": "splendid", "env_steps": 10}, "running", "failed"),
    (0, None, {"outcome": "stopped", "env_steps": 5}, "stopping", "stopped"),
    (3, None, {"outcome": "diverged", "env_steps": 5}, "running", "diverged"),
    (4, None, None, "running", "failed"),
    (1, None, {"outcome": "finished", "env_steps": 10}, "running", "failed"),
    (None, 9, None, "running", "failed"),
    (None, 9, None, "stopping", "stopped"),
    (None, 11, {"outcome": "finished", "env_steps": 10}, "running", "failed"),
])
def test_outcomes(code: int | None, signal: int | None, result: object, status: str, expected: str) -> None:
    seen = ended(RUN.id, code=code, signal=signal, result=result)
    outcome, reason = classify(replace(RUNNING, status=status), seen)  # type: ignore[arg-type]
    assert outcome == expected
    assert reason or outcome == "finished"


def test_the_true_code_and_the_checkpoint_are_recorded() -> None:
    event = reconcile(RUNNING, ended(RUN.id))
    assert isinstance(event, RunEnded)
    assert (event.exit_code, event.signal, event.env_steps) == (0, None, 1000)
    assert event.checkpoint is not None and event.checkpoint.path == f"{RUN.id}/checkpoints/ckpt_000000001000.pt"


def test_a_checkpoint_outside_of_its_run_and_numbers_that_are_none_are_not_believed() -> None:
    bad = {"outcome": "finished", "env_steps": 10, "checkpoint": {"path": "../../etc/x", "sha256": "a"},
           "metrics": {"eval/a": {"value": float("nan")}, "eval/b": {"value": True}, "eval/c": {"value": 1}, "d": 3}}
    event = reconcile(RUNNING, ended(RUN.id, result=bad))
    assert isinstance(event, RunEnded)
    assert event.checkpoint is None and list(event.metrics) == ["eval/c"]


def test_a_run_of_a_plugins_own_kind_need_not_simulate() -> None:
    seen = RunSeen(run=RUN.id, claim="shim", alive=False, result={"outcome": "finished", "env_steps": 0},
                   exit=ExitSeen(exit_code=0, signal=None, ended_at=NOW, duration_s=1.0))
    assert classify(replace(RUNNING, kind="look"), seen) == ("finished", "")
    assert classify(RUNNING, seen)[0] == "failed"
