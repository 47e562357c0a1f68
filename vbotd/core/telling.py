"""How is an event told in one line? For the log, for `watch`, and for the life of a run."""

from __future__ import annotations

from vbotd.core.wording import clean, count, counted, duration, interval, number, setting
from vbotd.domain import event as e
from vbotd.domain.event import Event


def tell(event: Event) -> str:
    """Return what an event says beyond its kind and its ids; foreign text in it is cleaned."""
    match event:
        case e.DaemonStarted():
            how = "" if event.clean else ", the one before died without a word"
            return f"pid {event.pid}, version {clean(event.version, 40)}{how}"
        case e.DaemonStopped():
            return f"pid {event.pid}: {clean(event.why)}; {counted(event.left_running, 'run')} left running"
        case e.CatalogueChanged():
            return (f"{counted(len(event.tasks), 'task')}, {counted(len(event.skills), 'skill')}, "
                    f"{counted(len(event.plugins), 'plugin')}")
        case e.CampaignAccepted():
            by = f" by {clean(event.submitted_by, 60)}" if event.submitted_by else ""
            return f"{clean(event.file, 80)}{by}: {clean(event.content.task, 80)}"
        case e.CampaignRefused():
            first = event.problems[0].render(event.file) if event.problems else event.file
            return f"{counted(len(event.problems), 'problem')}: {clean(first)}"
        case e.ScheduleFired():
            return f"its start is {clean(event.child, 80)}"
        case e.CampaignAmended():
            return "budget: " + ", ".join(f"{clean(key, 40)} {value:g}" for key, value in event.budget.items())
        case e.CampaignResumed():
            past = f"past {clean(', '.join(event.allowed))}" if event.allowed else ""
            return ", ".join(filter(None, (f"by {clean(event.by, 60)}" if event.by else "", past)))
        case e.CampaignClosed():
            best = f"; best {clean(event.champion, 80)}" if event.champion else ""
            return f"{event.outcome}: {clean(event.why)}{best}"
        case e.NoteAdded():
            return f"{clean(event.text)}" + (f" ({clean(event.by, 60)})" if event.by else "")
        case e.TrialAdmitted():
            return f"{clean(event.proposal.proposer, 40)}: {_params(event.params)} — {clean(event.proposal.why, 120)}"
        case e.LaunchesHeld():
            return f"nothing new is started: {clean(event.why, 300)}"
        case e.LaunchesReleased():
            return "runs are started again"
        case e.TrialExtended():
            further = [f"to {event.env_steps:,} env steps"] if event.env_steps else []
            further += [f"with the seeds {', '.join(map(str, event.seeds))}"] if event.seeds else []
            return f"{clean(event.by, 40)}: trained on {' and '.join(further)} — {clean(event.why, 120)}"
        case e.ProposalRefused():
            return f"{clean(event.proposer, 40)}: {_params(event.params)}: {clean(event.why)}"
        case e.FindingMade():
            stop = ", asks to stop" if event.finding.stop else ""
            return f"{event.finding.level} {clean(event.finding.rule, 60)}: {clean(event.finding.message)}{stop}"
        case e.PluginFailed():
            return f"{clean(event.plugin, 60)} in {clean(event.hook, 60)}: {event.how}: {clean(event.detail)}"
        case e.PluginBlocked():
            return f"{clean(event.plugin, 60)}: {clean(event.why)}"
        case e.CommandAccepted():
            return f"{clean(event.verb, 40)} of {clean(event.principal, 60)}: {clean(event.answer)}"
        case e.CommandRefused():
            return f"{clean(event.verb, 40)} of {clean(event.principal, 60)}: {clean(event.why)}"
        case e.AgentTurn():
            return (f"turn {event.turn} of session {clean(event.session, 60)}: {clean(event.how, 120)}; "
                    f"{counted(event.tokens, 'token')}" + (f", ${event.usd:.4f}" if event.usd else ""))
        case e.TrialJudged():
            return _judged(event)
        case e.CampaignPaused() | e.CampaignClosing() | e.RunFenced() | e.RunStopAsked():
            return clean(event.why)
    return _run_event(event)


def about(event: Event) -> str:
    """Return the id of the run, else the trial, else the campaign that an event is about; "" for none."""
    for name in ("run", "trial", "campaign"):
        found = getattr(event, name, "")
        if found:
            return clean(found, 160)
    return ""


def _judged(event: e.TrialJudged) -> str:
    dissent = f" (dissent: {clean('; '.join(event.dissent), 120)})" if event.dissent else ""
    return f"{event.verdict}: {clean(event.why)}{dissent}"


def _run_event(event: Event) -> str:
    match event:
        case e.RunQueued():
            return f"{clean(event.kind, 40)}, seed {event.seed}, attempt {event.attempt}" + (
                f", asked by {clean(event.asked_by, 60)}" if event.asked_by else "")
        case e.RunLaunched():
            return f"{counted(event.threads, 'thread')}, launch {event.launch}"
        case e.RunStarted() | e.RunAdopted():
            return f"pid {event.pid}"
        case e.RunEnded():
            return _ended(event)
    return ""


def _ended(event: e.RunEnded) -> str:
    code = f", exit code {event.exit_code}" if event.exit_code else ""
    code += f", signal {event.signal}" if event.signal else ""
    reason = f": {clean(event.reason)}" if event.reason else ""
    metrics = "".join(f"; {clean(tag, 60)} {number(m.value, tag)} [{interval(m, tag)}] of {count(m.n)}"
                      for tag, m in list(event.metrics.items())[:2])
    return (f"{event.outcome}{code}{reason}; {count(event.env_steps)} env steps in {duration(event.wall_s)}{metrics}")


def _params(params: object) -> str:
    items = params.items() if isinstance(params, dict) else ()
    return clean(", ".join(f"{key}={setting(value)}" for key, value in items), 160) or "the defaults"
