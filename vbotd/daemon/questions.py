"""What the plugins are asked, and how their answers become sightings. The loop never waits for any of it."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from vbotd.core import sighting as s
from vbotd.core.opinions import (
    combine_amendments,
    combine_findings,
    combine_follow_ups,
    combine_proposals,
)
from vbotd.core.plan import AskFollowUps, AskOpinions, AskProposals
from vbotd.core.sighting import FileSeen, Sighting
from vbotd.domain.finding import Problem
from vbotd.domain.skill import Exhausted, Section
from vbotd.domain.trial import Proposal
from vbotd.host.catalogue import Catalogue
from vbotd.host.client import PluginHost
from vbotd.host.messages import (
    AnswerArrived,
    AnswersDone,
    CatalogueArrived,
    Message,
    PluginFault,
    Question,
)

Finish = Callable[["_Open"], list[Sighting]]


@dataclass(slots=True, kw_only=True)
class _Open:
    """A question on its way: what came in so far, who failed, and what to do at the end."""

    finish: Finish
    answers: list[tuple[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    trouble: str = ""


class Questions:
    """Puts the effects that ask to the plugin host, and turns what comes back into sightings."""

    def __init__(self, host: PluginHost) -> None:
        self._host = host
        self._open: dict[int, _Open] = {}
        self._proposing: set[str] = set()
        self._checks: dict[str, tuple[Problem, ...] | None] = {}
        self.catalogue: Catalogue | None = None
        self.followed: set[str] = set()  # runs about which everybody was heard who may ask for further ones
        self.sections: tuple[tuple[str, Section], ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Say whether a plugin has a question to answer."""
        return bool(self._open)

    def forget_closed(self, runs: Container[str]) -> None:
        """Forget the runs that are none of these: those of campaigns that are over."""
        self.followed = {run for run in self.followed if run in runs}

    def hooked(self, hook: str, blocked: frozenset[str]) -> tuple[str, ...]:
        """Return the plugins that answer a hook and are not blocked."""
        return tuple(p.name for p in (self.catalogue.plugins if self.catalogue else ())
                     if hook in p.hooks and p.name not in blocked)

    def proposals(self, effect: AskProposals, amenders: tuple[str, ...]) -> bool:
        """Ask the campaign's skills for trials; plugins that amend are shown each of them.

        Returns: False, and nothing is asked, while they still think about the same question.
        """
        if effect.campaign in self._proposing:
            return False
        self._proposing.add(effect.campaign)

        def finish(done: _Open) -> list[Sighting]:
            # Who failed to answer may have something left: what waits for it goes on waiting.
            answers = [*done.answers, *((who, []) for who in done.failed)]
            found = combine_proposals(answers, effect.count, after=effect.after,
                                      turns=self.catalogue.turns if self.catalogue else {})
            if amenders and found.proposals:
                self._amend(effect.campaign, found.proposals)
                return []
            exhausted = (Exhausted(why=found.exhausted),) if found.exhausted else ()
            self._proposing.discard(effect.campaign)
            return [s.ProposalsSeen(campaign=effect.campaign, proposals=found.proposals, exhausted=exhausted,
                                    nobody=_nobody(effect, done), failed=bool(done.failed))]
        self._ask(Question(hook="propose", campaign=effect.campaign, args={"count": effect.count}), finish)
        return True

    def opinions(self, effect: AskOpinions) -> None:
        """Ask what the plugins think of a trial."""
        self._ask(Question(hook="judge", campaign=effect.campaign, trial=effect.trial), lambda done: [
            s.OpinionsSeen(trial=effect.trial, opinions=tuple((who, what) for who, what in done.answers if what))])

    def follow_ups(self, effect: AskFollowUps) -> None:
        """Ask whether a run that has ended calls for another one."""
        def finish(done: _Open) -> list[Sighting]:
            self.followed.add(effect.run)
            return [s.FollowUpsSeen(run=effect.run, follow_ups=combine_follow_ups(done.answers))]
        self._ask(Question(hook="follow_up", campaign=effect.campaign, run=effect.run), finish)

    def watch(self, campaign: str, run: str) -> None:
        """Ask the plugins to look at a live run's series."""
        self._ask(Question(hook="watch", campaign=campaign, run=run), lambda done: [
            s.FindingsSeen(run=run, findings=combine_findings(done.answers))])

    def wake_up(self, campaigns: tuple[str, ...]) -> None:
        """Ask for the sections of the report; they are used from the next writing on."""
        def finish(done: _Open) -> list[Sighting]:
            self.sections = tuple((who, what) for who, what in done.answers if what is not None)
            return []
        self._ask(Question(hook="wake_up", args={"campaigns": list(campaigns)}), finish)

    def notice(self, event: Any) -> None:
        """Tell the plugins that listen that an event was committed."""
        self._ask(Question(hook="on_event", args={"event": event}), lambda done: [])

    def checked(self, seen: FileSeen) -> FileSeen | None:
        """Return a campaign file with the verdict of its skills on their own blocks, or None while they look."""
        if seen.content is None or not any(skill.options for skill in seen.content.skills):
            return seen
        if seen.sha256 not in self._checks:
            self._checks[seen.sha256] = None
            skills = [{"name": skill.name, "options": dict(skill.options)} for skill in seen.content.skills]
            self._ask(Question(hook="check", args={"skills": skills}),
                      lambda done: self._keep_verdict(seen.sha256, done))
        verdict = self._checks[seen.sha256]
        if verdict is None:
            return None
        del self._checks[seen.sha256]
        if not verdict:
            return seen
        return FileSeen(file=seen.file, sha256=seen.sha256, text=seen.text, problems=verdict)

    def hear(self, message: Message) -> list[Sighting]:
        """Return the sightings that a message of the host amounts to."""
        match message:
            case CatalogueArrived(catalogue=catalogue):
                self.catalogue = catalogue
                return [s.CatalogueSeen(sha256=catalogue.sha256, tasks=tuple(t.name for t in catalogue.tasks),
                                        skills=tuple(k.name for k in catalogue.skills),
                                        plugins=tuple(p.name for p in catalogue.plugins))]
            case AnswerArrived():
                if message.question_id in self._open:
                    self._open[message.question_id].answers.append((message.plugin, message.value))
            case PluginFault():
                if message.question_id in self._open:
                    self._open[message.question_id].failed.append(message.plugin)
                return [s.PluginTroubleSeen(plugin=message.plugin, hook=message.hook, how=message.how,
                                            detail=message.detail, campaign=message.campaign)]
            case AnswersDone():
                done = self._open.pop(message.question_id, None)
                if done is not None:
                    if message.detail:
                        done.trouble = message.detail
                    return done.finish(done)
        return []

    def _ask(self, question: Question, finish: Finish) -> None:
        self._open[self._host.ask(question)] = _Open(finish=finish)

    def _amend(self, campaign: str, proposals: tuple[Proposal, ...]) -> None:
        amended: list[Proposal] = []
        for proposal in proposals:
            def finish(done: _Open, proposal: Proposal = proposal) -> list[Sighting]:
                amended.append(combine_amendments(proposal, done.answers).proposal)
                if len(amended) < len(proposals):
                    return []
                self._proposing.discard(campaign)
                return [s.ProposalsSeen(campaign=campaign, proposals=tuple(amended))]
            self._ask(Question(hook="amend", campaign=campaign, args={"proposal": proposal}), finish)

    def _keep_verdict(self, sha256: str, done: _Open) -> list[Sighting]:
        if done.trouble:
            self._checks.pop(sha256, None)  # a host that is down delays, it never rejects: ask again
            return []
        if done.failed:  # a model that raises would be asked for ever
            self._checks[sha256] = tuple(Problem(
                line=1, column=1, where="skills", message=f"the plugin '{name}' failed while it checked its block",
                fix="leave its options out, or see 'vbotd plugins'") for name in done.failed)
            return []
        problems = [problem for _, found in done.answers for problem in found or ()]
        self._checks[sha256] = tuple(
            Problem(line=1, column=1, where=".".join(map(str, (problem.skill, *problem.loc))),
                    message=problem.message, fix=problem.fix) for problem in problems)
        return []


def _nobody(effect: AskProposals, done: _Open) -> str:
    """Return why nobody could be asked at all, "" where somebody answered or at least failed."""
    if done.answers or done.failed:
        return ""
    return done.trouble or f"the plugin of {', '.join(effect.skills)} is gone or blocked; see 'vbotd plugins'"
