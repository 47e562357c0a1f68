"""Every kind of event can be told in one line, whatever text is in it."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.stories import STORIES, TASK, flat_night, story
from vbotd.core.telling import about, tell
from vbotd.domain import event as e

OTHERS = (
    e.DaemonStopped(pid=1, why="asked to", left_running=2),
    e.CatalogueChanged(sha256="a", tasks=(TASK,)),
    e.ScheduleFired(campaign="weekly-1123", child="weekly-1124", due_at=1.0),
    e.CampaignResumed(campaign="c", by="cli:ada"),
    e.CampaignAmended(campaign="c", budget={"trials": 9}),
    e.LaunchesHeld(why="the disk has 12 MiB left"),
    e.LaunchesReleased(),
    e.TrialExtended(campaign="c", trial="c/t001", why="the best third", by="hp-search", env_steps=900, seeds=(7,)),
    e.RunFenced(campaign="c", trial="c/t001", run="c/t001/train-s1-a1", token="t", why="no process"),
    e.RunStopAsked(campaign="c", trial="c/t001", run="c/t001/train-s1-a1", why="not-a-number"),
    e.CommandAccepted(key="k", verb="pause", args={}, principal="cli:ada", answer="c is paused"),
    e.AgentTurn(key="turn-s-001", principal="agent:llm", session="s", turn=1, asked="[]", tokens=812, usd=0.002),
)
EVENTS = [*(event for name in STORIES for _, event in story(name)), *OTHERS]


@pytest.mark.parametrize("kind", get_args(e.Event))
def test_every_kind_is_told_in_one_clean_line(kind: type) -> None:
    told = [tell(event) for event in EVENTS if isinstance(event, kind)]
    assert told, "give this test an event of the new kind"
    assert all(line and line.isprintable() for line in told)


def test_foreign_text_is_one_clean_line() -> None:
    line = tell(e.NoteAdded(campaign="c", text="a\n\x1b[2Jb" * 100, by="x\ty"))
    assert line.isprintable() and len(line) < 300


def test_an_event_is_about_its_run_else_its_trial_else_its_campaign() -> None:
    assert about(OTHERS[8]) == "c/t001/train-s1-a1"
    assert about(OTHERS[2]) == "weekly-1123"
    assert about(OTHERS[0]) == ""
    assert about(e.CampaignAccepted(campaign="c", content=flat_night(), sha256="", file="", text="")) == "c"
