"""The whole contract between vbotd and a plugin, on one page.

A plugin is a module with functions of these names, marked `@hookimpl`; it may take fewer arguments than a hook offers.
Plugins run in a process of their own, get frozen values and return data; only the core acts. They are asked one by
one, each with a deadline (5 s; a proposal or an estimate 60 s): one that raises, hangs, dies or answers nonsense loses
that one answer, is named in the report, and is blocked when it goes on.

Who is asked: a plugin that declares skills (`vbotd_skills`) has opinions on the campaigns that name one of them, in
their order; a plugin without skills follows, for all campaigns, and may do everything but propose, estimate and amend.
Every plugin gets `vbotd_wake_up` and `vbotd_on_event`. `docs/HOOKS.md` says more, and has a complete plugin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pluggy

from vbotd.domain.event import Event
from vbotd.domain.finding import Finding
from vbotd.domain.history import History
from vbotd.domain.skill import Estimate, Exhausted, FollowUp, Opinion, Section, SkillCard, ToolCard
from vbotd.domain.task import ParamValue, RunKindCard, TaskCard
from vbotd.domain.trial import Proposal, Run, Trial

hookspec = pluggy.HookspecMarker("vbotd")
hookimpl = pluggy.HookimplMarker("vbotd")

Point = tuple[int, float]  # (env steps, value)
Series = Mapping[str, Sequence[Point]]  # by tag, at most 500 points each, read when looked up


class View(Protocol):
    """What a plugin may look up beside the history; read-only."""

    def seed(self, label: str) -> int:
        """Return a seed in [0, 2**32) that depends on the campaign and the label alone."""

    def series(self, run_id: str, tag: str) -> Sequence[Point]:
        """Return at most 500 points of one series of one run, () where there is none."""

    def histories(self, task: str) -> Sequence[History]:
        """Return every campaign of a task that the workspace has seen, this one among them, the oldest first."""

    def presets(self, task: str) -> Mapping[str, Mapping[str, ParamValue]]:
        """Return the settings of each preset of a task, by the preset's name."""


# Nouns: asked once, when the plugins are loaded. A name that is taken is an error that names both plugins,
# and the later one is left out. A raise leaves out what that hook would have offered.

@hookspec
def vbotd_tasks() -> list[TaskCard]:
    """Return the tasks that this plugin offers; `factory` names the code, so nothing heavy is loaded.

        @hookimpl
        def vbotd_tasks():
            return [TaskCard(name="hop", summary="jump on the spot", factory="hop.env:make")]
    """
    raise NotImplementedError


@hookspec
def vbotd_run_kinds() -> list[RunKindCard]:
    """Return kinds of run beyond train, evaluate, capture and audit; `entry` is called with the run's folder.

        @hookimpl
        def vbotd_run_kinds():
            return [RunKindCard(name="film", entry="film.worker:film", summary="a video of the champion")]
    """
    raise NotImplementedError


@hookspec
def vbotd_tools() -> list[ToolCard]:
    """Return tools for agents; one that changes anything says `changes=True` and passes the policy first.

        @hookimpl
        def vbotd_tools():
            return [ToolCard(name="gait", summary="name the gait of a run", entry="gait:classify")]
    """
    raise NotImplementedError


@hookspec
def vbotd_skills() -> list[SkillCard]:
    """Return the skills that campaigns may name; `check` is the pydantic model of the skill's own block.

        @hookimpl
        def vbotd_skills():
            return [SkillCard(name="anneal", summary="cool down", check=f"{__name__}:Options")]
    """
    raise NotImplementedError


# Opinions: pure, may be asked again at any time. None (or an empty list) is "no opinion".
# A raise, a timeout or an answer of another type costs that one answer; the other plugins are still asked.

@hookspec
def vbotd_propose(history: History, count: int, view: View) -> list[Proposal] | Exhausted | None:
    """Propose up to `count` trials inside the campaign's search space, or say that nothing is left to try.

    Asked when there is room for trials. Combined round-robin over the campaign's skills, duplicates left
    out; the campaign closes when every skill that proposes is `Exhausted`. Checked before it is a trial.

        @hookimpl
        def vbotd_propose(history, count, view):
            return [Proposal(params={"ppo.learning_rate": 3e-4}, proposer="anneal", why="the textbook value")]
    """
    raise NotImplementedError


@hookspec
def vbotd_estimate(history: History) -> Estimate | None:
    """Say to `vbotd check` about how many env steps your trainings will take; the campaign has no trial yet.

        def vbotd_estimate(history): return Estimate(env_steps=30_000_000, why="ten trainings to the end")
    """
    raise NotImplementedError


@hookspec
def vbotd_amend(proposal: Proposal, history: History) -> Proposal | None:
    """Change the parameters of a proposal before it becomes a trial.

    Asked once for each proposal; everybody sees the original. Folded in the skills' order, each change
    attributed to its plugin; where two change one key, the earlier stays and the conflict is reported.

        @hookimpl
        def vbotd_amend(proposal, history):
            return replace(proposal, params={**proposal.params, "env.slope_deg": 5.0})
    """
    raise NotImplementedError


@hookspec
def vbotd_watch(run: Run, series: Series, history: History) -> list[Finding]:
    """Look at a live run and say what is wrong with it.

    Asked every few seconds while it runs. Combined by union; a run is stopped only by a finding of level
    "error" with `stop=True` that the campaign does not allow.

        @hookimpl
        def vbotd_watch(run, series, history):
            return [Finding(rule="kl", level="warning", message="KL is high")] if series["train/kl"][-1][1] > 1 else []
    """
    raise NotImplementedError


@hookspec
def vbotd_judge(trial: Trial, history: History) -> Opinion | None:
    """Give a verdict on a trial whose runs have all ended.

    Asked once, beside the core's own judgement. The most conservative verdict counts (inconclusive, then
    discard, keep, promote); who thought otherwise is shown as dissent.

        @hookimpl
        def vbotd_judge(trial, history):
            return Opinion(verdict="discard", why="it hops instead of walking")
    """
    raise NotImplementedError


@hookspec
def vbotd_follow_up(run: Run, history: History) -> list[FollowUp]:
    """Ask for further runs after one has ended, for instance a capture of its checkpoint.

    Asked once for each ended run. Combined by union, equal wishes once, inside the budget.

        @hookimpl
        def vbotd_follow_up(run, history):
            return [FollowUp(kind="capture", why="look at the best")] if run.kind == "evaluate" else []
    """
    raise NotImplementedError


@hookspec
def vbotd_wake_up(histories: Sequence[History]) -> Section | None:
    """Write a section of the morning report: a title and at most 15 lines of Markdown.

    Asked when the report is written, with the campaigns in it. Sections follow in the plugins' order.

        @hookimpl
        def vbotd_wake_up(histories):
            return Section(title="Gaits", lines=(f"{len(histories)} campaigns, all trotting",))
    """
    raise NotImplementedError


# Notice: told after the commit, answers nothing, cannot object.

@hookspec
def vbotd_on_event(event: Event) -> None:
    """Hear of an event that the store now holds; told once in the common case, never before the commit.

        @hookimpl
        def vbotd_on_event(event):
            if isinstance(event, CampaignClosed): print(event.campaign, event.outcome)
    """
