"""When the report is written anew: at once after anything that matters, and at least every half minute of work."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from vbotd.core.report_facts import RECENT_S
from vbotd.core.state import State
from vbotd.daemon.questions import Questions
from vbotd.domain import event as e
from vbotd.domain.event import Stored
from vbotd.errors import StoreDamaged, StoreError
from vbotd.layout import Layout
from vbotd.store.facts import Known
from vbotd.store.read import Reader
from vbotd.store.sleepers import wake_sleepers
from vbotd.store.views import last_sections, write_views

log = logging.getLogger("vbotd.daemon")

AT_MOST_EVERY_S = 1.0
AT_LEAST_EVERY_S = 30.0
REST = 4.0  # times as long as the last writing took: with a thousand campaigns the loop has other things to do
MOST_CLOSED = 3  # that plugins are asked about beside the open ones: they have a deadline
SECTIONS_AFTER = (e.TrialJudged, e.CampaignClosed, e.CatalogueChanged)


class Reporting:
    """Writes the views from the store, coalesced. A view that cannot be written never stops the loop."""

    def __init__(self, layout: Layout, questions: Questions, secrets: Sequence[str] = ()) -> None:
        self.secrets = secrets  # known by their value
        self._layout, self._questions = layout, questions
        self._written_at = self._took_s = 0.0
        self._dirty = True
        # Until the plugins have been heard, what they last said stands: a new daemon has lost no night.
        self._sections = questions.sections = last_sections(layout)
        self._were_asked = False
        self._known = Known()

    def update(self, stored: Iterable[Stored], now: float, state: State, *, final: bool = False) -> None:
        """Take note of what was committed, and write when it is time."""
        events = [item.event for item in stored]
        self._dirty |= bool(events)
        has_news = not self._were_asked or any(isinstance(event, SECTIONS_AFTER) for event in events)
        if has_news and not final and self._questions.hooked("wake_up", state.blocked):
            self._were_asked = True
            self._questions.wake_up(tuple(dict.fromkeys([*state.campaigns, *self._lately_closed(now)])))
        if self._sections != self._questions.sections:
            self._sections, self._dirty = self._questions.sections, True
        waited = now - self._written_at
        if final or (self._dirty and waited >= max(AT_MOST_EVERY_S, REST * self._took_s)) or waited >= AT_LEAST_EVERY_S:
            self._write(now, alive=not final)

    def _lately_closed(self, now: float) -> list[str]:
        """Return the campaigns that closed last, the newest first: what closed at two is still told of at seven."""
        try:
            with Reader(self._layout.store) as reader:
                closed = reader.last_events(kinds=("CampaignClosed",), limit=MOST_CLOSED)
        except StoreError:  # whoever writes the report says so
            return []
        return [item.event.campaign for item in reversed(closed)
                if isinstance(item.event, e.CampaignClosed) and now - item.at <= RECENT_S]

    def _write(self, now: float, *, alive: bool) -> None:
        began_s = time.monotonic()
        try:
            with Reader(self._layout.store) as reader:
                write_views(self._layout, reader, now, sections=self._questions.sections, daemon_alive=alive,
                            secrets=self.secrets, known=self._known)
            wake_sleepers(self._layout, now)
            self._written_at, self._dirty = now, False
        except StoreDamaged:  # a report that stands still would hide it; the next start says what to do
            raise
        except Exception:
            self._written_at, self._dirty = now, True  # so that it is tried again at once, and not at its next time
            log.exception("action=write_views")
        self._took_s = time.monotonic() - began_s
