"""The host reads the store and the runs' series itself: a question carries ids, no values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from vbotd.domain.campaign import Budget, Campaign, SkillUse
from vbotd.domain.event import CampaignAccepted, RunQueued, TrialAdmitted
from vbotd.domain.trial import Proposal
from vbotd.host.view import MAX_POINTS, HostView, Library, RunSeries, seed_of
from vbotd.layout import Layout
from vbotd.store.events import EventStore

PLUGIN = """
    from vbotd.domain.finding import Finding
    from vbotd.domain.task import TaskCard
    from vbotd.domain.trial import Proposal
    @hookimpl
    def vbotd_tasks():
        return [TaskCard(name="hop", summary="jump", factory="x:y")]
    @hookimpl
    def vbotd_skills():
        return [SkillCard(name="mine", summary="x")]
    @hookimpl
    def vbotd_propose(history, count, view):
        points = view.series(history.runs[0].id, "train/return")
        why = f"{history.task.summary}, {len(history.trials)} trial, last {points[-1]}"
        return [Proposal(params={"a": 2.0}, proposer="mine", why=why)]
    @hookimpl
    def vbotd_watch(run, series, history):
        return [Finding(rule="length", level="info", message=f"{sorted(series)} {len(series['train/return'])}")]
    @hookimpl
    def vbotd_wake_up(histories):
        return Section(title="seen", lines=tuple(history.record.id for history in histories))
    """
RUN = "night-1/t001/train-s1-a1"


def write_series(home: Path, run: str, points: int) -> None:
    folder = Layout(home).run(run)
    folder.mkdir(parents=True)
    writer = EventFileWriter(str(folder))
    for step in range(points):
        value = Summary.Value(tag="train/return", simple_value=float(step))
        writer.add_event(Event(wall_time=1.0, step=step * 10, summary=Summary(value=[value])))
    writer.close()


def commit_campaign(home: Path) -> None:
    store = EventStore(Layout(home).store)
    content = Campaign(version=1, name="night", task="hop", budget=Budget(trials=3), skills=(SkillUse(name="mine"),))
    proposal = Proposal(params={"a": 1.0}, proposer="mine")
    store.commit([
        CampaignAccepted(campaign="night-1", content=content, sha256="0" * 64, file="night.yaml", text=""),
        TrialAdmitted(campaign="night-1", trial="night-1/t001", number=1, proposal=proposal, params={"a": 1.0}),
        RunQueued(campaign="night-1", trial="night-1/t001", run=RUN, kind="train", seed=1, attempt=1, spec={}),
    ], at=1.0)
    store.close()


def test_a_question_of_ids_is_answered_from_the_store_and_the_series(workspace: Callable[..., Path],
                                                                     talk: Callable[..., Any]) -> None:
    home = workspace(mine=PLUGIN)
    commit_campaign(home)
    write_series(home, RUN, 700)
    host = talk(home)
    (proposal,) = host.ask("propose", campaign="night-1", args={"count": 1})[0]["mine"]
    assert proposal.why == "jump, 1 trial, last (6990, 699.0)"
    (finding,) = host.ask("watch", campaign="night-1", run=RUN)[0]["mine"]
    assert finding.message == f"['train/return'] {MAX_POINTS}"
    assert host.ask("wake_up")[0]["mine"].lines == ("night-1",)
    assert host.ask("wake_up", args={"campaigns": []})[0]["mine"].lines == ()
    answers, done = host.ask("watch", campaign="night-1", run="night-1/t001/none")
    assert not answers and done.detail == "no run 'night-1/t001/none' in this campaign"
    assert host.ask("judge", campaign="gone")[1].detail == "no campaign 'gone' in the store"


def test_series_grow_with_the_run_and_stay_below_runs(tmp_path: Path) -> None:
    library = Library(tmp_path)
    write_series(tmp_path, "c/t/r", 3)
    view = HostView(library, "c")
    assert view.series("c/t/r", "train/return") == ((0, 0.0), (10, 1.0), (20, 2.0))
    assert view.series("c/t/r", "no/such_tag") == () and view.series("c/t/none", "train/return") == ()
    assert "no/such_tag" not in RunSeries(library, "c/t/r") and dict(RunSeries(library, "c/t/r")).keys() == {
        "train/return"}
    try:
        view.series("../../elsewhere", "x")
    except ValueError as error:
        assert "not below runs/" in str(error)
    else:
        raise AssertionError("a path out of the workspace was read")


def test_seeds_depend_on_the_campaign_and_the_label_alone() -> None:
    assert seed_of("c", "x") == seed_of("c", "x") == HostView(Library(Path("nowhere")), "c").seed("x")
    assert len({seed_of("c", "x"), seed_of("c", "y"), seed_of("d", "x")}) == 3
    assert 0 <= seed_of("c", "x") < 2**32
