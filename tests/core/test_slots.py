"""Who gets a slot, and how many threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.core.given import NOW
from vbotd.core.sighting import Progress
from vbotd.core.slots import choose_starts
from vbotd.core.state import State
from vbotd.domain.campaign import Budget, Campaign
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run


def record(name: str, accepted_at: float = NOW, status: Any = "open") -> CampaignRecord:
    return CampaignRecord(id=name, content=Campaign(version=1, name=name, task="walk", budget=Budget(trials=9)),
                          sha256=name, file=f"{name}.yaml", status=status, accepted_at=accepted_at)


def run(campaign: str, number: int, kind: str = "train", status: Any = "queued", threads: int = 0,
        **changes: Any) -> Run:
    spec = {"train": {"env_steps": 1_000_000}} if kind == "train" else {}
    trial = f"{campaign}/t{number:03d}"
    return replace(Run(id=f"{trial}/{kind}-s1-a1", campaign=campaign, trial=trial, kind=kind, seed=1, attempt=1,
                       status=status, queued_at=NOW + number, threads=threads, spec=spec), **changes)


def state(campaigns: list[CampaignRecord], runs: list[Run]) -> State:
    return State(campaigns={c.id: c for c in campaigns}, runs={r.id: r for r in runs})


def starts(given: State, *, cores: int = 2, progress: dict[str, Progress] | None = None,
           more: set[str] | None = None) -> list[tuple[str, int]]:
    chosen = choose_starts(given, cores=cores, progress=progress or {}, more_to_come=frozenset(more or ()))
    return [(start.run, start.threads) for start in chosen]


def test_many_runs_get_one_core_and_one_thread_each() -> None:
    given = state([record("a")], [run("a", n) for n in (1, 2, 3)])
    assert starts(given) == [("a/t001/train-s1-a1", 1), ("a/t002/train-s1-a1", 1)]


def test_a_run_that_is_alone_takes_all_cores() -> None:
    assert starts(state([record("a")], [run("a", 1)]), cores=8) == [("a/t001/train-s1-a1", 8)]


def test_a_run_of_a_campaign_that_will_propose_more_leaves_the_other_cores() -> None:
    assert starts(state([record("a")], [run("a", 1)]), more={"a"}) == [("a/t001/train-s1-a1", 1)]


def test_campaigns_take_turns() -> None:
    given = state([record("a"), record("b", NOW + 1), record("c", NOW + 2)],
                  [run(name, n) for name in "abc" for n in (1, 2)])
    assert [name[0] for name, _ in starts(given, cores=3)] == ["a", "b", "c"]
    busy = state([record("a"), record("b", NOW + 1)],
                 [run("a", 1, status="running", threads=1), run("a", 2), run("b", 1)])
    assert [name[0] for name, _ in starts(busy)] == ["b"]


def test_an_evaluation_goes_before_a_training_of_its_campaign() -> None:
    given = state([record("a")], [run("a", 1), run("a", 2, kind="evaluate")])
    assert starts(given, cores=1)[0][0] == "a/t002/evaluate-s1-a1"


def test_paused_campaigns_start_nothing_and_closing_ones_no_training() -> None:
    given = state([record("a", status="paused"), record("b", status="closing")],
                  [run("a", 1), run("b", 1), run("b", 2, kind="evaluate")])
    assert [name for name, _ in starts(given)] == ["b/t002/evaluate-s1-a1"]


def test_the_last_training_waits_for_all_cores_when_the_other_run_is_nearly_done() -> None:
    def given(left: int) -> list[tuple[str, int]]:
        live = run("a", 1, status="running", threads=1)
        progress = {live.id: Progress(env_steps=1_000_000 - left, total_env_steps=1_000_000, env_steps_per_s=10_000.0)}
        return starts(state([record("a")], [live, run("a", 2)]), progress=progress)
    assert given(left=100_000) == [], "ten seconds of waiting save forty"
    assert given(left=900_000) == [("a/t002/train-s1-a1", 1)], "ninety would save forty"


def test_a_retried_run_keeps_the_threads_of_its_trial() -> None:
    given = state([record("a")], [run("a", 1, threads=2), run("a", 2, status="running", threads=1)])
    assert starts(given) == [], "it was begun with two threads and needs two again"


def test_a_training_that_goes_on_has_the_threads_that_it_had_however_many_are_free() -> None:
    before = run("a", 1, status="ended", threads=1)
    further = run("a", 1, id="a/t001/train-s1-r1-a1", spec={"train": {"env_steps": 9}, "resume_from": "a.pt"})
    assert starts(state([record("a")], [before, further])) == [("a/t001/train-s1-r1-a1", 1)]
    anew = replace(further, spec={"train": {"env_steps": 9}, "resume_from": None})
    assert starts(state([record("a")], [before, anew])) == [("a/t001/train-s1-r1-a1", 2)]
    wide = replace(before, threads=8)
    assert starts(state([record("a")], [wide, further])) == [("a/t001/train-s1-r1-a1", 2)], "no more than there are"
