"""A report whose writer remembers the last one says what one made from nothing says, and no more is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stories import MORNING, STORIES, story, tell
from vbotd.core.report_facts import RECENT_S
from vbotd.layout import Layout
from vbotd.store.events import EventStore
from vbotd.store.facts import READ_ANEW_S, Known
from vbotd.store.read import Reader
from vbotd.store.views import write_views


def told(layout: Layout, now: float, known: Known | None = None) -> tuple[str, object]:
    with Reader(layout.store) as reader:
        write_views(layout, reader, now, daemon_alive=True, known=known)
    return layout.wake_up.read_text(), json.loads(layout.wake_up_json.read_text())


@pytest.mark.parametrize("name", STORIES)
def test_after_every_event_the_report_is_the_one_that_is_made_from_nothing(name: str, tmp_path: Path) -> None:
    layout, known = tell(tmp_path, "nothing"), Known()
    store = EventStore(layout.store)
    for at, event in story(name)[::3]:
        store.commit((event,), at)
        assert told(layout, at + 1.0, known) == told(layout, at + 1.0)
        assert told(layout, at + 31.0, known) == told(layout, at + 31.0)  # nothing has happened since
    store.close()


def test_while_nothing_happens_the_history_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, known = tell(tmp_path, "success"), Known()
    told(layout, MORNING, known)
    with monkeypatch.context() as patched:
        for method in ("runs", "trials", "records", "last_events", "open_requests"):
            patched.setattr(Reader, method, None)
        told(layout, MORNING + 30.0, known)
        with pytest.raises(TypeError):
            told(layout, MORNING + READ_ANEW_S, known)


def test_what_is_too_old_for_a_report_is_forgotten(tmp_path: Path) -> None:
    layout, known = tell(tmp_path, "success"), Known()
    told(layout, MORNING, known)
    assert list(known.campaigns) == ["flat-night-1123"]
    told(layout, MORNING + RECENT_S + READ_ANEW_S, known)
    assert known.campaigns == {} and known.past is not None and not (known.past.trials or known.past.runs)


def test_a_view_that_was_deleted_comes_back_though_nothing_has_happened(tmp_path: Path) -> None:
    layout, known = tell(tmp_path, "success"), Known()
    told(layout, MORNING, known)
    status = layout.campaign("flat-night-1123") / "status.yaml"
    before = status.read_text()
    status.unlink()
    told(layout, MORNING + 30.0, known)
    assert status.read_text() == before
