"""When something is due: schedules, the report hour, deadlines. APScheduler's jobs only wake the loop.

What is due is worked out from the store each time the loop looks (`last_due`), so a job that fired while
the daemon was down, or twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from vbotd.domain.campaign import Schedule
from vbotd.domain.history import CampaignRecord

LOOK_BACK_FIRES = 10_000


def local_zone() -> Any:
    """Return the time zone that a person on this machine means."""
    return datetime.now().astimezone().tzinfo


def last_due(schedule: Schedule, *, since: float, now: float, zone: Any = None) -> float | None:
    """Return the latest time in (since, now] at which a schedule came due, or None. Missed ones count as one."""
    zone = zone or local_zone()
    if schedule.every_s:
        passed = int((now - since) // schedule.every_s)
        return since + passed * schedule.every_s if passed > 0 else None
    if schedule.at:
        due = datetime.fromisoformat(schedule.at)
        stamp = (due if due.tzinfo else due.replace(tzinfo=zone)).timestamp()
        return stamp if since < stamp <= now else None
    found = None
    for fire in islice(_cron_fires(schedule.cron or "", since, zone), LOOK_BACK_FIRES):
        if fire > now:
            break
        found = fire
    return found


def next_due(schedule: Schedule, *, since: float, now: float, zone: Any = None) -> float | None:
    """Return the next time after `now` at which a schedule comes due, or None when it never does again."""
    zone = zone or local_zone()
    if schedule.every_s:
        return since + (int((now - since) // schedule.every_s) + 1) * schedule.every_s
    if schedule.at:
        due = datetime.fromisoformat(schedule.at)
        stamp = (due if due.tzinfo else due.replace(tzinfo=zone)).timestamp()
        return stamp if stamp > now else None
    return next(_cron_fires(schedule.cron or "", now, zone), None)


def _cron_fires(cron: str, after: float, zone: Any) -> Iterator[float]:
    """Yield the epoch times behind `after` at which a cron line is due.

    When the clocks go back, a time of day that comes twice counts once, the first time; one that is skipped when
    they go forward counts at the moment it would have been.
    """
    trigger = CronTrigger.from_crontab(cron, timezone=zone)
    while True:
        fire = trigger.get_next_fire_time(None, datetime.fromtimestamp(after + 1.0, UTC).astimezone(zone))
        if fire is None:
            return
        if fire.timestamp() > after and not fire.fold:
            yield fire.timestamp()
        after = fire.timestamp()


def schedule_since(campaign: CampaignRecord) -> float:
    """Return the time from which a scheduled campaign's next start is counted."""
    return campaign.last_fired_at if campaign.last_fired_at is not None else campaign.accepted_at


def deadline_at(campaign: CampaignRecord, zone: Any = None) -> float | None:
    """Return the epoch time of a campaign's deadline: the first such time of day after it was accepted."""
    text = campaign.content.deadline
    if not text:
        return None
    hour, minute = (int(part) for part in text.split(":"))
    accepted = datetime.fromtimestamp(campaign.accepted_at, zone or local_zone())
    due = accepted.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (due if due > accepted else due + timedelta(days=1)).timestamp()


class Alarms:
    """Wakes the loop at the times at which something becomes due, and at a steady tick."""

    def __init__(self, wake: Callable[[], None], *, tick_s: float, report_hour: str) -> None:
        self._wake = wake
        self._scheduler = BackgroundScheduler(
            timezone=local_zone(), job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})
        self._scheduler.add_job(wake, "interval", seconds=tick_s, id="tick")
        hour, minute = (int(part) for part in report_hour.split(":"))
        self._scheduler.add_job(wake, "cron", hour=hour, minute=minute, id="report")
        self._set: dict[str, float] = {}

    def start(self) -> None:
        """Begin to wake the loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop without waiting: the jobs do nothing but set a flag."""
        self._scheduler.shutdown(wait=False)

    def follow(self, campaigns: Iterable[CampaignRecord], now: float) -> None:
        """Set an alarm for the next start of each scheduled campaign and for each deadline."""
        wanted: dict[str, float] = {}
        for campaign in campaigns:
            if campaign.status == "scheduled" and campaign.content.schedule:
                due = next_due(campaign.content.schedule, since=schedule_since(campaign), now=now)
                if due is not None:
                    wanted[f"start {campaign.id}"] = due
            deadline = deadline_at(campaign)
            if deadline is not None and deadline > now:
                wanted[f"deadline {campaign.id}"] = deadline
        for name, due in wanted.items():
            if self._set.get(name) != due:
                self._scheduler.add_job(self._wake, DateTrigger(datetime.fromtimestamp(due, UTC)), id=name,
                                        replace_existing=True)
        self._set = wanted
