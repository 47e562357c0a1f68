"""What comes next: the effects that the state calls for. Imperatives to the shell, each safe to repeat.

`Done` is what this process has already set going; it starts empty after a restart, and then everything
that the state still calls for is called for again. The claim in the run's folder makes a start unique.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from vbotd.core.advance import proposals_wanted, proposes
from vbotd.core.auditing import is_preflight
from vbotd.core.sighting import Circumstances
from vbotd.core.state import State
from vbotd.core.trialplan import is_ready_to_judge, next_run
from vbotd.domain.trial import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """Start the shim of a run whose launch is committed."""

    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Press a run to end: the stop file, then SIGTERM, then SIGKILL to its whole tree."""

    run: Run
    rung: Literal["file", "term", "kill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskProposals:
    """Ask the campaign's skills for trials."""

    campaign: str
    skills: tuple[str, ...]
    count: int
    after: str
    key: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOpinions:
    """Ask the plugins what they think of a trial whose runs have ended."""

    campaign: str
    trial: str
    key: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFollowUps:
    """Ask the plugins whether a run that has ended calls for another one."""

    campaign: str
    run: str


Effect = Spawn | Press | AskProposals | AskOpinions | AskFollowUps


@dataclass(slots=True)
class Done:
    """What this process has set going: tokens that were spawned, rungs that were pressed, questions that were asked."""

    spawned: set[str] = field(default_factory=set)
    pressed: set[tuple[str, str]] = field(default_factory=set)
    asked: set[tuple[object, ...]] = field(default_factory=set)

    def forget_closed(self, state: State) -> None:
        """Forget what was set going for campaigns and runs that the state holds no more: nothing asks for it again."""
        tokens = {run.token for run in state.runs.values()}
        self.spawned &= tokens
        self.pressed = {pressed for pressed in self.pressed if pressed[0] in tokens}
        # The second part of a key is the id of a campaign, or of a trial or run below it.
        self.asked = {key for key in self.asked if str(key[1]).partition("/")[0] in state.campaigns}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds between the rungs of the stop ladder."""

    before_term_s: float = 10.0
    before_kill_s: float = 20.0


def plan(state: State, done: Done, circumstances: Circumstances,
         patience: Patience | None = None) -> tuple[Effect, ...]:
    """Return the effects that the state calls for and that this process has not set going yet."""
    patience = patience or Patience()
    return (*_spawns(state, done), *_presses(state, done, circumstances.now, patience),
            *_questions(state, done, circumstances))


def _spawns(state: State, done: Done) -> Iterator[Effect]:
    for run in state.runs.values():
        if run.status == "launching" and run.token not in done.spawned:
            yield Spawn(run=run)


def _presses(state: State, done: Done, now: float, patience: Patience) -> Iterator[Effect]:
    for run in state.runs.values():
        if run.status != "stopping" or run.stop_asked_at is None:
            continue
        waited = now - run.stop_asked_at
        rungs: Mapping[str, float] = {"file": 0.0, "term": patience.before_term_s, "kill": patience.before_kill_s}
        for rung in ("file", "term", "kill"):
            if waited >= rungs[rung] and (run.token, rung) not in done.pressed:
                yield Press(run=run, rung=rung)


def _questions(state: State, done: Done, circumstances: Circumstances) -> Iterator[Effect]:
    for campaign in state.campaigns.values():
        if campaign.status == "open" and proposes(campaign, circumstances) and not circumstances.hold:
            count = proposals_wanted(state, campaign, circumstances.cores)
            trials = state.trials_of(campaign.id)
            # a new question only when something has changed since the last one; a failure counts, so that a
            # skill that failed is asked again until it answers or is blocked
            ended = sum(run.campaign == campaign.id and run.status == "ended" for run in state.runs.values())
            key = ("propose", campaign.id, len(trials), sum(t.judged for t in trials), campaign.refused_proposals,
                   campaign.forgiven, campaign.content.budget.trials, sum(state.plugin_failures.values()),
                   sum(t.rung for t in trials), ended)
            if count and key not in done.asked:
                yield AskProposals(campaign=campaign.id, count=count, key=key,
                                   after=trials[-1].proposal.proposer if trials else "",
                                   skills=tuple(skill.name for skill in campaign.content.skills))
        if campaign.status not in ("open", "closing"):
            continue
        for trial in state.trials_of(campaign.id):
            runs = state.runs_of(trial.id)
            if circumstances.followers:
                for run in runs:
                    if run.status == "ended" and not is_preflight(run) and ("follow_up", run.id) not in done.asked:
                        yield AskFollowUps(campaign=campaign.id, run=run.id)
            judging = ("judge", trial.id, len(runs))
            tried = not all(is_preflight(run) for run in runs)
            if (tried and circumstances.judges and judging not in done.asked
                    and is_ready_to_judge(trial, runs, circumstances)
                    and next_run(trial, runs, campaign, circumstances) is None):
                yield AskOpinions(campaign=campaign.id, trial=trial.id, key=judging)
