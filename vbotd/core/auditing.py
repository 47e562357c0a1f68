"""What is done before anything is trained, and what of it stops a campaign? The audit, and what its skills add."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from vbotd.core.admission import task_of
from vbotd.core.reward_budget import is_overruled
from vbotd.core.sighting import Circumstances
from vbotd.core.state import State
from vbotd.core.wording import clean
from vbotd.domain import event as e
from vbotd.domain.event import Event
from vbotd.domain.finding import Finding
from vbotd.domain.history import CampaignRecord
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Run

AUDIT = "audit"
PREFLIGHT = "preflight"  # purpose of a run that a skill wants done before anything is trained
MOST_FINDINGS = 40
WAY_OUT = ("change what pays for it, or add 'allow: [reward-budget]' to the file, and submit it again; "
           "'vbotd audit FILE' shows every number")
REMEDY = "remedy/"  # then a term: a finding of the audit whose value is the weight that would heal alone
LOOK = "'vbotd resume' lets it pass, 'vbotd cancel' ends the campaign"


def audit_entry(task: str, entries: Mapping[tuple[str, str], str], kind: str = AUDIT) -> str:
    """Return the worker that audits a task, "" where it is not audited: one with a trainer of its own need not be.

    Same for another `kind` of preflight.
    """
    own = entries.get((task, kind))
    return own or ("" if (task, "train") in entries else entries.get(("", kind), ""))


def is_preflight(run: Run) -> bool:
    """Say whether a run is one of those that are done before anything is trained."""
    return run.kind == AUDIT or run.purpose == PREFLIGHT


def is_awaited(state: State, campaign: CampaignRecord, circumstances: Circumstances) -> bool:
    """Say whether nothing of a campaign may be trained yet, since its audit or another preflight is to come or runs."""
    runs = _runs(state, campaign)
    if any(run.kind == "train" for run in runs):
        return False
    return any(_is_open(kind, runs, circumstances) for kind, _ in preflights(campaign, circumstances))


def preflights(campaign: CampaignRecord, circumstances: Circumstances) -> tuple[tuple[str, str], ...]:
    """Return (run kind, worker) of what is done before a campaign's first training: the audit, then its skills' own."""
    task, entries = campaign.content.task, circumstances.entries
    own = [kind for skill, kinds in circumstances.preflights.items() if campaign.content.skill(skill)
           for kind in kinds]
    return tuple((kind, entry) for kind in (AUDIT, *own) if (entry := audit_entry(task, entries, kind)))


def clock_starts(runs: Iterable[Run]) -> float | None:
    """Return when a campaign's hours began: at the first launch of a training.

    What is done before does not count, since a campaign that waits there for a person would find its hours gone.
    """
    return min((run.launched_at for run in runs if run.launched_at is not None and not is_preflight(run)), default=None)


def audit_due(state: State, campaign: CampaignRecord, circumstances: Circumstances, task: TaskCard
              ) -> Iterator[Event]:
    """Yield the preflights of an open campaign whose first trial is there, one by one; a lost one is tried again."""
    trials = state.trials_of(campaign.id)
    if campaign.status != "open" or not trials or not is_awaited(state, campaign, circumstances):
        return
    runs = _runs(state, campaign)
    kind, entry = next(one for one in preflights(campaign, circumstances) if _is_open(one[0], runs, circumstances))
    done = [run for run in runs if run.kind == kind]
    if done and done[-1].status != "ended":
        return
    attempt, content, first = len(done) + 1, campaign.content, trials[0]
    task = circumstances.tasks.get(task_of(content, first.proposal), task)
    yield e.RunQueued(
        campaign=campaign.id, trial=first.id, run=f"{first.id}/{kind}-a{attempt}", kind=kind,
        seed=content.train.seed, attempt=attempt, purpose="" if kind == AUDIT else PREFLIGHT, spec={
            "entry": entry, "task": task.name, "params": dict(first.params),
            "train": {"num_envs": content.train.num_envs or task.num_envs}})


def stopped_due(state: State, campaign: CampaignRecord) -> Iterator[Event]:
    """Yield the end of a campaign whose audit found a broken incentive, before anything is trained.

    What a skill's own preflight found is for a person to look at: the campaign waits, and goes on when it is resumed.
    """
    runs = _runs(state, campaign)
    seen = broken_incentives(runs, campaign)
    if not seen:
        return
    broken = broken_incentives(runs, campaign, AUDIT)
    if not broken:
        if campaign.status == "open":
            yield e.CampaignPaused(campaign=campaign.id, by="core", why=held_words(seen))
        return
    for trial in state.trials_of(campaign.id):
        if not trial.judged:
            yield e.TrialJudged(campaign=campaign.id, trial=trial.id, verdict="discard",
                                why=f"never trained: the audit found {names(broken)}")
    yield e.CampaignClosed(campaign=campaign.id, outcome="failed", why=f"{stop_words(broken)} — {WAY_OUT}")


def held_words(seen: Sequence[Finding]) -> str:
    """Return why a campaign waits for a person before its first training."""
    fix = (seen[0].fix,) if seen[0].fix else ()
    return " — ".join((stop_words(seen, "what was tried before training"), *fix, LOOK))


def held_by(runs: Iterable[Run], campaign: CampaignRecord) -> tuple[Finding, ...]:
    """Return what a paused campaign waits for a person about; nothing where it was paused for something else."""
    seen = broken_incentives(runs, campaign) if campaign.status == "paused" else ()
    return seen if seen and campaign.paused_why == held_words(seen) else ()


def broken_incentives(runs: Iterable[Run], campaign: CampaignRecord, kind: str = "") -> tuple[Finding, ...]:
    """Return what a campaign's preflights, or those of one kind, found that is an error and that nobody has allowed.

    Nothing once something was trained.
    """
    runs, allowed = list(runs), (*campaign.content.allow, *campaign.allowed)
    if any(run.kind == "train" for run in runs):
        return ()
    newest = {run.kind: run for run in runs if is_preflight(run) and run.outcome == "finished"
              and run.kind == (kind or run.kind)}
    return tuple(finding for run in newest.values() for finding in run.findings
                 if finding.level == "error" and not is_overruled(finding.rule, allowed))


def overruled_by(finding: Finding, campaign: CampaignRecord) -> str:
    """Return by whom a campaign's finding was overruled, in words; "" where nobody has."""
    if is_overruled(finding.rule, campaign.content.allow):
        return "allowed by the campaign's file"
    if is_overruled(finding.rule, campaign.allowed):
        return f"let pass by {clean(campaign.allowed_by, 60) or 'a person'}"
    return ""


def stop_words(broken: Sequence[Finding], who: str = "the audit") -> str:
    """Return why an audit stops a campaign, the first finding in full."""
    more = f" (and {names(broken[1:])})" if len(broken) > 1 else ""
    return f"{who} found {broken[0].rule}: {broken[0].message}{more}"


def remedy_words(runs: Iterable[Run]) -> str:
    """Return the changes of one weight that an audit has computed, as a sentence; "" where there is none."""
    audits = [run for run in runs if run.kind == AUDIT and run.outcome == "finished"]
    found = [f"{finding.rule.removeprefix(REMEDY)} to {finding.value:g}"
             for finding in (audits[-1].findings if audits else ())
             if finding.rule.startswith(REMEDY) and finding.value is not None]
    return f" The audit would change one weight: {', or '.join(found)}." if found else ""


def names(findings: Sequence[Finding]) -> str:
    """Return the rules of findings, as a list in words."""
    return ", ".join(finding.rule for finding in findings)


def findings_of(result: Mapping[str, Any] | None) -> tuple[Finding, ...]:
    """Return the findings of an audit's result.json; what is none is left out, a worker is not trusted."""
    said = (result or {}).get("findings")
    found = []
    for item in said[:MOST_FINDINGS] if isinstance(said, list) else ():
        rule, level, message = (item.get(key) for key in ("rule", "level", "message")) if isinstance(
            item, Mapping) else (None, None, None)
        if isinstance(rule, str) and isinstance(message, str) and level in ("info", "warning", "error"):
            value, fix = item.get("value"), item.get("fix")
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            found.append(Finding(rule=rule[:64], level=level, message=message[:1000],
                                 value=float(value) if is_number else None,
                                 fix=fix[:300] if isinstance(fix, str) else ""))
    return tuple(found)


def _is_open(kind: str, runs: Sequence[Run], circumstances: Circumstances) -> bool:
    done = [run for run in runs if run.kind == kind and is_preflight(run)]
    return not done or done[-1].status != "ended" or _is_repeated(done[-1], circumstances)


def _is_repeated(audit: Run, circumstances: Circumstances) -> bool:
    return audit.outcome == "lost" and audit.attempt < circumstances.max_attempts


def _runs(state: State, campaign: CampaignRecord) -> list[Run]:
    return [run for run in state.runs.values() if run.campaign == campaign.id]
