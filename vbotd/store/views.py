"""Which files show people what is true? `WAKE_UP.md` and the folder of each campaign, all made from the store.

The rule this protects: a view may be deleted at any time, and is written whole or not at all. Only a campaign's
`report.md` and a task's `REPORT.md` are never rewritten: each grows when a campaign closes, once, known by a marker.

Writes: `state/WAKE_UP.md`, `state/wake_up.json`, `state/archive/WAKE_UP-*.md`, `state/campaigns/<id>/` with
`campaign.yaml`, `status.yaml` and `report.md`, `state/tasks/<task>/REPORT.md`. After a crash half-way the next call
writes what is missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from vbotd.core.campaign_report import closing_section, marker, task_paragraph
from vbotd.core.redaction import redact, redact_text
from vbotd.core.report import build, to_json, to_markdown
from vbotd.core.report_facts import BestOf, Facts, Report, Spent
from vbotd.core.report_text import plain
from vbotd.domain import event as e
from vbotd.domain.history import CampaignRecord
from vbotd.domain.skill import Section
from vbotd.layout import Layout
from vbotd.store.facts import Known, gather
from vbotd.store.files import UnreadableFile, read_json, write_atomic
from vbotd.store.read import Reader

KEPT_REPORTS = 50
LARGEST_REPORT = 16 << 20
STATUS_HEAD = "# A view of the event store: it may be deleted at any time, and changing it changes nothing.\n"


def write_views(layout: Layout, reader: Reader, now: float, sections: Iterable[tuple[str, Section]] = (), *,
                daemon_alive: bool | None = None, secrets: Sequence[str] = (), known: Known | None = None
                ) -> tuple[Path, ...]:
    """Write the report and the campaigns' views where they differ from what stands there; return what was written.

    They are redacted: of the `secrets`, which are known by value, and of what looks like a key. Who writes them again
    and again keeps what is `known` from one time to the next.
    """
    known = known or Known()
    known.hide(tuple(secrets))
    facts = gather(reader, layout, now, sections=sections, daemon_alive=daemon_alive, known=known)
    report = build(facts, known.bests_of(facts))
    written = [*_write_wake_up(layout, report, known)]
    is_shown = known.shown is known.past
    for record in facts.records:
        # What stands there is right while nothing has happened; only who deleted it wants it back.
        if not is_shown or not (layout.campaign(record.id) / "status.yaml").exists():
            written += _write_campaign(layout, reader, facts, report, record, secrets)
    known.shown = known.past
    return tuple(written)


def _write_wake_up(layout: Layout, report: Report, known: Known) -> list[Path]:
    values = _redacted(report, known)
    layout.wake_up.parent.mkdir(parents=True, exist_ok=True)
    # Order: the archive before the new report, else a crash between them loses the old one.
    archived = _archive(layout, values) if known.fingerprint != values["fingerprint"] else []
    known.fingerprint = None
    write_atomic(layout.wake_up, redact_text(to_markdown(report), known.secrets))
    # Without indent the C encoder does it, ten times as fast.
    write_atomic(layout.wake_up_json, json.dumps(values, allow_nan=False) + "\n")
    known.fingerprint = values["fingerprint"]
    return [*archived, layout.wake_up, layout.wake_up_json]


def _redacted(report: Report, known: Known) -> dict[str, Any]:
    """Return the report as JSON values without secrets; what it says of the best trials is by far the most of it."""
    told = {}
    for best in report.bests:
        before = known.told.get(best.campaign)
        told[best.campaign] = before if before and before[0] is best else (
            best, redact(plain(best), known.secrets))
    known.told = told
    values: dict[str, Any] = redact(to_json(replace(report, bests=())), known.secrets)
    return values | {"bests": [value for _, value in told.values()]}


def _archive(layout: Layout, values: Mapping[str, Any]) -> list[Path]:
    """Keep the report that stands there when the new one says something materially different."""
    try:
        before = read_json(layout.wake_up_json, max_bytes=LARGEST_REPORT)
        text = layout.wake_up.read_bytes()
    except (UnreadableFile, OSError):
        return []
    if before is None or before.get("fingerprint") == values["fingerprint"]:
        return []
    at = before.get("at")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at if isinstance(at, int | float) else values["at"]))
    folder = layout.wake_up_archive
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"WAKE_UP-{stamp}.md"
    write_atomic(path, text)
    # The names sort by time.
    for old in sorted(folder.glob("WAKE_UP-*.md"))[:-KEPT_REPORTS]:
        with suppress(OSError):
            old.unlink()
    return [path]


def _write_campaign(layout: Layout, reader: Reader, facts: Facts, report: Report, record: CampaignRecord,
                    secrets: Sequence[str]) -> list[Path]:
    folder = layout.campaign(record.id)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    accepted = folder / "campaign.yaml"
    if not accepted.exists():
        write_atomic(accepted, _accepted_text(reader, record))
        written.append(accepted)
    spent = next((item for item in report.spent if item.campaign == record.id), None)
    best = next((item for item in report.bests if item.campaign == record.id), None)
    status = redact(_status(record, spent, best), secrets)
    written += _write_changed(folder / "status.yaml", STATUS_HEAD + _yaml(json.dumps(status)))
    closed = [s for s in facts.events if isinstance(s.event, e.CampaignClosed) and s.event.campaign == record.id]
    if closed:
        mark = marker(closed[-1])
        written += _grow(folder / "report.md", record.id, mark,
                         lambda: redact_text(closing_section(facts, record, closed[-1]), secrets))
        history = layout.state / "tasks" / record.content.task / "REPORT.md"
        history.parent.mkdir(parents=True, exist_ok=True)
        written += _grow(history, record.content.task, mark,
                         lambda: redact_text(task_paragraph(facts, record, closed[-1]), secrets))
    return written


def _accepted_text(reader: Reader, record: CampaignRecord) -> str:
    """Return the accepted content; that of the scheduled campaign for one of its starts."""
    for campaign in (record.id, record.parent):
        accepted = reader.events(campaign=campaign, kinds=("CampaignAccepted",), limit=1) if campaign else ()
        if accepted and isinstance(accepted[0].event, e.CampaignAccepted) and accepted[0].event.text:
            return accepted[0].event.text
    return ""


def _status(record: CampaignRecord, spent: Spent | None, best_of: BestOf | None) -> dict[str, Any]:
    status: dict[str, Any] = {"campaign": record.id, "task": record.content.task, "status": record.status,
                              "outcome": record.outcome, "why": record.why or record.paused_why or record.closing_why}
    if spent is not None:
        status |= {"trials": {"judged": spent.trials_judged, "admitted": spent.trials_admitted,
                              "budget": spent.trials_budget}, "runs": spent.runs, "next": spent.next}
    if best_of is not None:
        best = best_of.trials[0]
        status["best"] = {"trial": best.trial, "metric": best.tag, "score": _measured(best.score, best.score_run),
                          "confirmed": _measured(best.confirmed, best.confirm_run), "seeds": best.seeds,
                          "changed": list(best.changes), "checkpoint": best.checkpoint, "sha256": best.sha256}
    return status


def _measured(measured: Any, run: str) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {"value": measured.value, "low": measured.low, "high": measured.high, "episodes": measured.n, "run": run}


def _grow(path: Path, title: str, mark: str, section: Callable[[], str]) -> list[Path]:
    """Add a section to a text that only grows, unless the section's marker line stands there already."""
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else f"# {title}\n"
    if mark in before.splitlines():
        return []
    # Everything that stood there, and the new section, in one rename: never half a section.
    write_atomic(path, before.rstrip("\n") + "\n\n" + section())
    return [path]


def _write_changed(path: Path, text: str) -> list[Path]:
    """Write a file unless it has this very content."""
    with suppress(OSError):
        if path.read_bytes() == text.encode():
            return []
    # Without fsync: a thousand campaigns have a thousand of them, and what a power cut takes is written anew.
    write_atomic(path, text, durable=False)
    return [path]


@lru_cache(maxsize=64)  # most campaigns stand as they stood when they were written last
def _yaml(value: str) -> str:
    """Return a JSON text as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(json.loads(value), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))


def last_sections(layout: Layout) -> tuple[tuple[str, Section], ...]:
    """Return the plugins' sections of the report that stands there: only the daemon can ask the plugins."""
    try:
        kept = read_json(layout.wake_up_json, max_bytes=LARGEST_REPORT)
    except UnreadableFile:
        return ()
    found = []
    for pair in (kept or {}).get("sections", ()):
        with suppress(TypeError, ValueError, KeyError):
            plugin, section = pair
            found.append((str(plugin), Section(title=str(section["title"]), lines=tuple(map(str, section["lines"])))))
    return tuple(found)
