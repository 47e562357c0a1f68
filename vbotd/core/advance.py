"""What follows from the state alone: the next run of a trial, a verdict, a budget that is used up, a start.

Level-triggered: asked after every change and after every restart, it gives the same answer for the same
state, so nothing depends on having seen the moment at which something became due.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from vbotd.core.admission import admitted, task_of
from vbotd.core.auditing import audit_due, clock_starts, is_awaited, is_preflight, stopped_due
from vbotd.core.judge import CONFIRM, gate_misses
from vbotd.core.ranking import best_of, contenders, qualities, scored_run, search_seed
from vbotd.core.reward_budget import is_overruled
from vbotd.core.sighting import Circumstances
from vbotd.core.slots import choose_starts
from vbotd.core.state import State, fold
from vbotd.core.trialplan import are_followed, evaluation, is_ready_to_judge, judged, judged_anew, next_run
from vbotd.domain import event as e
from vbotd.domain.campaign import Campaign
from vbotd.domain.event import Event, Stored
from vbotd.domain.finding import Finding
from vbotd.domain.history import CampaignRecord
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Proposal, Run, Trial

FAILURES_IN_A_ROW = 3
REFUSALS_PER_TRIAL = 10


def advance(state: State, circumstances: Circumstances) -> tuple[Event, ...]:
    """Return everything that is due now, to the end: each event is folded before the next rule looks."""
    events: list[Event] = []
    for _ in range(10_000):
        event = next(_due(state, circumstances), None)
        if event is None:
            break
        events.append(event)
        state = fold(state, (Stored(seq=0, at=circumstances.now, event=event),))
    return tuple(events)


def _due(state: State, circumstances: Circumstances) -> Iterator[Event]:
    if circumstances.hold and not state.held:
        yield e.LaunchesHeld(why=circumstances.hold)
    elif state.held and not circumstances.hold:
        yield e.LaunchesReleased()
    for campaign in state.campaigns.values():
        task = circumstances.tasks.get(campaign.content.task)
        if campaign.status not in ("open", "closing"):
            continue
        if task is None:
            if circumstances.knows_tasks:
                yield e.CampaignPaused(campaign=campaign.id, by="core", why=(
                    f"no plugin offers the task '{campaign.content.task}' any more; see 'vbotd plugins'"))
            continue
        yield from stopped_due(state, campaign)
        yield from audit_due(state, campaign, circumstances, task)
        yield from _trials_due(state, campaign, circumstances)
        if campaign.status == "open":
            yield from _open_due(state, campaign, circumstances)
        else:
            yield from _closing_due(state, campaign, circumstances, task)
    yield from _launches_due(state, circumstances)


def _trials_due(state: State, campaign: CampaignRecord, circumstances: Circumstances) -> Iterator[Event]:
    waits = campaign.status == "open" and is_awaited(state, campaign, circumstances)
    for trial in state.trials_of(campaign.id):
        task = circumstances.tasks.get(task_of(campaign.content, trial.proposal))
        if trial.judged and task is not None:
            yield from filter(None, (judged_anew(trial, state, task),))
        if trial.judged or waits or task is None:
            continue
        runs = state.runs_of(trial.id)
        wanted = next_run(trial, runs, campaign, circumstances)
        if wanted is not None:
            yield wanted
        elif is_ready_to_judge(trial, runs, circumstances) and not circumstances.judges:
            yield judged(trial, state, task)


def _open_due(state: State, campaign: CampaignRecord, circumstances: Circumstances) -> Iterator[Event]:
    trials = state.trials_of(campaign.id)
    content = campaign.content
    over = over_budget(state, campaign, circumstances)
    if over:
        yield e.CampaignClosing(campaign=campaign.id, why=over)
        return
    searched = proposes(campaign, circumstances)
    if not searched and len(trials) >= content.budget.trials and all(t.judged for t in trials):
        yield e.CampaignClosing(campaign=campaign.id, why=all_done(trials))
        return
    failed = failures_in_a_row(trials)
    if failed - campaign.forgiven >= FAILURES_IN_A_ROW:
        last = [t for t in trials if t.judged][-1]
        yield e.CampaignPaused(campaign=campaign.id, by="core", why=(
            f"the last {failed} trials all failed ({last.why[:200]}); "
            "the rest would cost time and teach nothing"))
        return
    if campaign.refused_proposals >= REFUSALS_PER_TRIAL * content.budget.trials:
        yield e.CampaignPaused(campaign=campaign.id, by="core", why=(
            f"{campaign.refused_proposals} proposals were refused; the search does not fit the campaign"))
        return
    if not searched and trials_wanted(state, campaign, circumstances.cores):
        yield admitted(campaign, len(trials) + 1, Proposal(params={}, proposer="campaign",
                                                           why="the settings of the file, with a seed of its own"))


def _closing_due(state: State, campaign: CampaignRecord, circumstances: Circumstances, task: TaskCard
                 ) -> Iterator[Event]:
    trials = state.trials_of(campaign.id)
    for run in state.runs.values():
        if run.campaign == campaign.id and (run.kind == "train" or is_preflight(run)) and run.status in (
                "queued", "launching", "running"):
            yield e.RunStopAsked(campaign=campaign.id, trial=run.trial, run=run.id, why=campaign.closing_why, by="core")
            return
    if not all(trial.judged for trial in trials):
        return
    runs = [run for run in state.runs.values() if run.campaign == campaign.id]
    champion = best_of(contenders(trials, campaign.content.stage_names), task, qualities(trials, runs, task.quality))
    if champion is None:
        yield e.CampaignClosed(campaign=campaign.id, outcome="failed",
                               why=f"{campaign.closing_why}; no trial has a score")
        return
    of_champion = state.runs_of(champion.id)
    trained = {r.seed: r for r in of_champion if r.kind == "train" and r.checkpoint is not None}
    for run in trained.values():
        assert run.checkpoint is not None
        wanted = evaluation(champion, of_champion, campaign, circumstances, purpose=CONFIRM,
                            checkpoint=run.checkpoint, seed=run.seed)
        if wanted is not None and all(run.status == "ended" for run in of_champion):
            yield wanted
            return
    if all(run.status == "ended" for run in runs) and are_followed(of_champion, circumstances):
        yield _closed(campaign, champion, state)


def _closed(campaign: CampaignRecord, champion: Trial, state: State) -> e.CampaignClosed:
    confirmed = scored_run(state.runs_of(champion.id), CONFIRM, search_seed(champion))
    content = campaign.content
    if confirmed is None:
        return e.CampaignClosed(campaign=campaign.id, outcome="finished", champion=champion.id,
                                why=f"{campaign.closing_why}; the best trial could not be confirmed on fresh episodes")
    if not content.gates:
        return e.CampaignClosed(campaign=campaign.id, outcome="finished", champion=champion.id,
                                why=campaign.closing_why)
    broken = [finding for finding in newest_findings(state.runs_of(champion.id))
              if finding.level == "error" and not is_overruled(finding.rule, content.allow)]
    if broken:
        return e.CampaignClosed(campaign=campaign.id, outcome="finished", champion=champion.id,
                                why=f"{campaign.closing_why}; no success: {broken[0].rule}: {broken[0].message}")
    misses = gate_misses(content.gates, confirmed.metrics)
    if misses:
        return e.CampaignClosed(campaign=campaign.id, outcome="finished", champion=champion.id,
                                why=f"{campaign.closing_why}; the gate was missed: {'; '.join(misses)}")
    return e.CampaignClosed(campaign=campaign.id, outcome="reached", champion=champion.id,
                            why=f"{campaign.closing_why}; the gate was passed on fresh episodes")


def newest_findings(runs: tuple[Run, ...]) -> tuple[Finding, ...]:
    """Return what was found about a trial's newest policy by the runs after its last training."""
    trained = max((k for k, run in enumerate(runs) if run.kind == "train"), default=0)
    return tuple(finding for run in runs[trained + 1:] if run.outcome == "finished" for finding in run.findings)


def _launches_due(state: State, circumstances: Circumstances) -> Iterator[Event]:
    if circumstances.hold:
        return
    coming = frozenset(c.id for c in state.campaigns.values() if c.status == "open" and trials_wanted(state, c, 1))
    for start in choose_starts(state, cores=circumstances.cores, progress=circumstances.progress, more_to_come=coming,
                               now=circumstances.now):
        run = state.runs[start.run]
        launch = run.launch + 1
        token = hashlib.sha256(f"{circumstances.nonce}|{run.id}|{launch}".encode()).hexdigest()[:32]
        yield e.RunLaunched(campaign=run.campaign, trial=run.trial, run=run.id, token=token, threads=start.threads,
                            launch=launch)


def trials_wanted(state: State, campaign: CampaignRecord, slots: int) -> int:
    """Return how many more trials a campaign could use now: never more unjudged ones than there are slots."""
    return max(0, min(campaign.content.budget.trials - len(state.trials_of(campaign.id)),
                      _free_slots(state, campaign, slots)))


def proposals_wanted(state: State, campaign: CampaignRecord, slots: int) -> int:
    """Return how many proposals there is room for: of new trials, and once those are used up, of extensions."""
    return trials_wanted(state, campaign, slots) or _free_slots(state, campaign, slots)


def _free_slots(state: State, campaign: CampaignRecord, slots: int) -> int:
    return max(0, slots - sum(not trial.judged for trial in state.trials_of(campaign.id)))


def proposes(campaign: CampaignRecord, circumstances: Circumstances) -> bool:
    """Say whether a campaign names a skill that proposes; without one its trials repeat the settings of the file."""
    return any(skill.name.replace("_", "-") not in circumstances.mute for skill in campaign.content.skills)


def all_done(trials: tuple[Trial, ...]) -> str:
    """Return why a campaign without further trials ends."""
    return "its one trial is done" if len(trials) == 1 else f"all {len(trials)} trials are done"


def over_budget(state: State, campaign: CampaignRecord, circumstances: Circumstances) -> str:
    """Return which limit a campaign has used up, "" for none. Hours count from the first training, also while down."""
    budget = campaign.content.budget
    runs = [run for run in state.runs.values() if run.campaign == campaign.id]
    started = clock_starts(runs)
    deadline = circumstances.deadlines.get(campaign.id)
    if deadline is not None and circumstances.now >= deadline:
        return f"the deadline {campaign.content.deadline} has come"
    if budget.hours is not None and started is not None and circumstances.now - started >= budget.hours * 3600:
        return f"the budget of {budget.hours:g} hours is used up"
    if budget.env_steps is not None:
        live = circumstances.progress
        spent = sum(max(0, (run.env_steps or (live[run.id].env_steps if run.id in live else 0))
                        - int(run.spec.get("resumed_env_steps") or 0)) for run in runs if run.kind == "train")
        if spent >= budget.env_steps:
            return f"the budget of {budget.env_steps:,} env steps is used up"
    return ""


def failures_in_a_row(trials: tuple[Trial, ...]) -> int:
    """Return how many of the newest judged trials have no score, one after the other."""
    count = 0
    for trial in reversed([t for t in trials if t.judged]):
        if trial.score is not None:
            break
        count += 1
    return count


def without_schedule(content: Campaign) -> Campaign:
    """Return the content that one start of a scheduled campaign has."""
    return replace(content, schedule=None)
