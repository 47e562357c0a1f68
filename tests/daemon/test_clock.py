"""When something is due, in a time zone with a summer time."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from vbotd.daemon.clock import deadline_at, last_due, next_due
from vbotd.domain.campaign import Budget, Campaign, Schedule
from vbotd.domain.history import CampaignRecord

ZONE = ZoneInfo("Europe/Zurich")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


def test_cron_weekdays_mean_what_their_names_say() -> None:
    weekly = Schedule(cron="0 1 * * mon")
    due = next_due(weekly, since=at("2026-11-20T00:00"), now=at("2026-11-20T12:00"), zone=ZONE)
    assert due == at("2026-11-23T01:00"), "2026-11-23 is a Monday"


def test_several_missed_times_are_one_and_it_is_the_latest() -> None:
    nightly = Schedule(cron="0 1 * * *")
    missed = last_due(nightly, since=at("2026-11-20T02:00"), now=at("2026-11-23T09:00"), zone=ZONE)
    assert missed == at("2026-11-23T01:00")
    assert last_due(nightly, since=at("2026-11-23T01:00"), now=at("2026-11-23T23:00"), zone=ZONE) is None


def test_a_time_that_summer_time_skips_is_run_once_and_one_that_comes_twice_too() -> None:
    early = Schedule(cron="30 2 * * *")
    for day, before in (("2026-03-29", "2026-03-28"), ("2026-10-25", "2026-10-24")):
        times, since = [], at(f"{before}T12:00")
        for hour in range(1, 30):
            due = last_due(early, since=since, now=at(f"{before}T12:00") + hour * 3600, zone=ZONE)
            if due is not None:
                times.append(due)
                since = due
        assert len(times) == 1, (day, [datetime.fromtimestamp(t, ZONE) for t in times])


def test_at_is_due_once() -> None:
    once = Schedule(at="2026-11-24T01:00:00")
    assert last_due(once, since=at("2026-11-23T12:00"), now=at("2026-11-24T00:59"), zone=ZONE) is None
    assert last_due(once, since=at("2026-11-23T12:00"), now=at("2026-11-25T00:00"), zone=ZONE) == at("2026-11-24T01:00")
    assert last_due(once, since=at("2026-11-24T01:00"), now=at("2026-11-25T00:00"), zone=ZONE) is None
    assert next_due(once, since=0.0, now=at("2026-11-25T00:00"), zone=ZONE) is None


def test_every_counts_from_the_last_start() -> None:
    hourly = Schedule(every_s=3600.0)
    assert last_due(hourly, since=1000.0, now=4599.0) is None
    assert last_due(hourly, since=1000.0, now=1000.0 + 3.5 * 3600) == 1000.0 + 3 * 3600
    assert next_due(hourly, since=1000.0, now=1001.0) == 4600.0


def test_a_deadline_is_the_first_such_time_after_the_campaign_was_accepted() -> None:
    content = Campaign(version=1, name="n", task="t", budget=Budget(trials=1), deadline="07:30")
    for accepted, due in (("2026-11-23T22:00", "2026-11-24T07:30"), ("2026-11-24T06:00", "2026-11-24T07:30")):
        record = CampaignRecord(id="n", content=content, sha256="s", file="f", status="open", accepted_at=at(accepted))
        assert deadline_at(record, ZONE) == at(due)
