"""What can only a person do now, and with which command? An empty answer is the best one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vbotd.core.auditing import LOOK, WAY_OUT, broken_incentives, held_by, names, remedy_words
from vbotd.core.judge import CONFIRM, gate_misses
from vbotd.core.ranking import scored_run, search_seed
from vbotd.core.report_best import is_current
from vbotd.core.report_facts import Facts, Need
from vbotd.core.wording import clean, count, counted, duration, interval, number, setting
from vbotd.domain import event as e
from vbotd.domain.campaign import Gate
from vbotd.domain.event import Event
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import Run

SILENT_S = 300.0  # heartbeats come every 5 s at the latest; a minute-long pause is an overloaded machine
MOST_EPISODES = 100_000  # beyond this many, "measure longer" is no advice


def needs(facts: Facts) -> tuple[Need, ...]:
    """Return what needs a person, the most pressing first."""
    return (*_daemon(facts), *_held(facts), *_requests(facts), *_paused(facts), *_audited(facts), *_failed(facts),
            *_blocked(facts), *_rejected(facts), *_task_missing(facts), *_silent_runs(facts), *_gate_missed(facts))


def gate_words(gates: tuple[Gate, ...]) -> str:
    """Return the gates of a campaign as its file has them."""
    return ", ".join(f"{gate.tag} {gate.op} {gate.value:g}" for gate in gates)


def event_about(facts: Facts, campaign: str, kind: type[Event]) -> str:
    """Return 'event N' of the newest event of a kind about a campaign, else the command that shows its events."""
    seqs = [s.seq for s in facts.events if isinstance(s.event, kind) and getattr(s.event, "campaign", "") == campaign]
    return f"event {seqs[-1]}" if seqs else f"vbotd log --campaign {campaign}"


def _daemon(facts: Facts) -> Iterator[Need]:
    waiting = [record for record in facts.records if record.status in ("open", "closing", "scheduled")]
    if facts.daemon_alive is False and waiting:
        yield Need(text=f"the daemon is not running, and {counted(len(waiting), 'campaign')} "
                        f"({', '.join(record.id for record in waiting[:3])}) cannot go on",
                   command="vbotd run", origin="state/vbotd.lock is free")


def _held(facts: Facts) -> Iterator[Need]:
    told = [s for s in facts.events if isinstance(s.event, e.LaunchesHeld | e.LaunchesReleased | e.DaemonStarted)]
    if told and isinstance(told[-1].event, e.LaunchesHeld) and facts.daemon_alive is not False:
        yield Need(text=f"nothing new is started: {clean(told[-1].event.why, 300)}", command="vbotd doctor",
                   origin=f"event {told[-1].seq}")


def _requests(facts: Facts) -> Iterator[Need]:
    open_now = {record.id for record in facts.records if record.status != "closed"}
    for stored in facts.requests:
        asked = stored.event
        # What was asked about a campaign that is over has answered itself.
        if isinstance(asked, e.CommandAccepted) and (not asked.campaign or asked.campaign in open_now):
            yield Need(text=f"{clean(asked.principal, 60)} asks to {request_words(asked)}",
                       command=f"vbotd approve {asked.key}", origin=f"event {stored.seq}")


def request_words(asked: e.CommandAccepted) -> str:
    """Return what an agent asks for, and why it may not do it by itself."""
    verb, args = clean(asked.args.get("verb", "?"), 40), asked.args.get("args")
    given = dict(args) if isinstance(args, Mapping) else {}
    target = clean(given.pop("id", "") or given.pop("campaign", "") or given.get("name", ""), 80)
    params = given.get("params")
    details = params if isinstance(params, Mapping) else {
        key: value for key, value in given.items() if key not in ("why", "text", "name")}
    said = ", ".join(f"{clean(key, 60)} {setting(value)}" for key, value in list(details.items())[:6])
    return (f"{verb} {target}{': ' + said if said else ''} ({clean(asked.args.get('why', ''), 200)})"
            + (f"; its words: {clean(given['why'], 120)}" if given.get("why") and verb != "submit" else ""))


def _paused(facts: Facts) -> Iterator[Need]:
    for record in facts.records:
        seen = held_by(facts.runs_of(record.id), record)
        if seen:
            fix = f" — {clean(seen[0].fix, 250)}" if seen[0].fix else ""
            yield Need(text=f"{record.id} waits for you before its first training ({names(seen)}): "
                            f"{clean(seen[0].message, 240)}{fix}.{remedy_words(facts.runs_of(record.id))} {LOOK}",
                       command=f"vbotd resume {record.id}", origin=event_about(facts, record.id, e.CampaignPaused))
        elif record.status == "paused":
            yield Need(text=f"{record.id} is paused: {clean(record.paused_why)}",
                       command=f"vbotd resume {record.id}", origin=event_about(facts, record.id, e.CampaignPaused))


def _audited(facts: Facts) -> Iterator[Need]:
    for record in facts.records:
        broken = broken_incentives(facts.runs_of(record.id), record)
        if record.outcome == "failed" and is_current(facts, record) and broken:
            yield Need(text=f"{record.id} was not trained, its reward pays for something else ({names(broken)}): "
                            f"{WAY_OUT}. {clean(broken[0].message, 300)}",
                       command=f"vbotd explain {record.id}", origin=event_about(facts, record.id, e.CampaignClosed))


def _failed(facts: Facts) -> Iterator[Need]:
    for record in facts.records:
        if broken_incentives(facts.runs_of(record.id), record):
            continue
        if record.outcome == "failed" and is_current(facts, record):
            trials = facts.trials_of(record.id)
            yield Need(text=f"{record.id}: {len(trials)} of {counted(len(trials), 'trial')} failed; causes below",
                       command=f"vbotd explain {trials[-1].id if trials else record.id}",
                       origin=event_about(facts, record.id, e.CampaignClosed))


def _blocked(facts: Facts) -> Iterator[Need]:
    started = [s.seq for s in facts.events if isinstance(s.event, e.DaemonStarted)]
    for stored in facts.events:
        if isinstance(stored.event, e.PluginBlocked) and stored.seq > max(started, default=0):
            yield Need(text=f"plugin {stored.event.plugin} is blocked until the daemon starts again: "
                            f"{clean(stored.event.why)} (its traceback: state/host.log)",
                       command="vbotd plugins", origin=f"event {stored.seq}")


def _rejected(facts: Facts) -> Iterator[Need]:
    refused = {s.event.file: s.seq for s in facts.events if isinstance(s.event, e.CampaignRefused)}
    for file in facts.rejected:
        seq = refused.get(file.name)
        yield Need(text=f"{file.name} was refused; what is wrong stands in state/rejected/{file.why}",
                   command=f"vbotd check state/rejected/{file.name}",
                   origin=f"event {seq}" if seq else f"state/rejected/{file.name}")


def _task_missing(facts: Facts) -> Iterator[Need]:
    if facts.metrics is None:
        return
    for record in facts.records:
        if record.status in ("open", "closing") and record.content.task not in facts.metrics:
            yield Need(text=f"{record.id} waits: no plugin offers its task {record.content.task}",
                       command="vbotd plugins", origin="state/catalogue.json")


def _silent_runs(facts: Facts) -> Iterator[Need]:
    for run in facts.runs:
        beat = facts.heartbeats.get(run.id)
        if run.status == "running" and beat is not None and facts.now - beat.at > SILENT_S:
            yield Need(text=f"{run.id} has not said anything for {duration(facts.now - beat.at)}",
                       command=f"vbotd explain {run.id}", origin=f"{run.id}/heartbeat.json")


def _gate_missed(facts: Facts) -> Iterator[Need]:
    for record in facts.records:
        confirmed = _confirmed(facts, record)
        if record.outcome != "finished" or not is_current(facts, record) or confirmed is None:
            continue
        misses = gate_misses(record.content.gates, confirmed.metrics)
        missed = [gate for gate in record.content.gates if gate_misses((gate,), confirmed.metrics)]
        if misses:
            yield Need(text=f"{record.id} missed its gate: {'; '.join(misses)}. "
                            + advice(missed[0], confirmed.metrics.get(missed[0].tag)),
                       command=f"vbotd explain {record.champion}", origin=confirmed.id)


def _confirmed(facts: Facts, record: CampaignRecord) -> Run | None:
    champion = next((trial for trial in facts.trials if trial.id == record.champion), None)
    if champion is None:
        return None
    return scored_run((run for run in facts.runs if run.trial == champion.id), CONFIRM, search_seed(champion))


def advice(gate: Gate, measured: Measurement | None) -> str:
    """Return what would change a missed gate: more episodes where the value passes, more training where it does not."""
    if measured is None:
        return "The evaluation does not measure this; name a metric that it does."
    distance = measured.value - gate.value if gate.op in (">=", ">") else gate.value - measured.value
    if distance <= 0:
        return (f"The value itself ({number(measured.value, gate.tag)}) is short of the bar: train longer, "
                "search wider or lower the bar.")
    half = max(measured.high - measured.value, measured.value - measured.low)
    episodes = measured.n * (half / distance) ** 2
    if measured.n and episodes < MOST_EPISODES:
        return (f"The value passes, its interval ({interval(measured, gate.tag)}) does not: about "
                f"{count(round(episodes * 1.2, -1))} episodes instead of {count(measured.n)} would decide it "
                "(evaluate.episodes).")
    return "The value is too near the bar for any number of episodes to decide: train longer."
