"""A plugin that uses the hooks in between: it amends proposals, wants a second look, finds things and listens."""

import os
from dataclasses import replace
from pathlib import Path

from vbotd.domain.finding import Finding
from vbotd.domain.skill import FollowUp, Section, SkillCard
from vbotd.domain.task import RunKindCard
from vbotd.hookspecs import hookimpl


@hookimpl
def vbotd_skills():
    return [SkillCard(name="busybody", summary="amends and follows up")]


@hookimpl
def vbotd_run_kinds():
    return [RunKindCard(name="second-look", entry=f"{__package__}._fake_worker:look")]


@hookimpl
def vbotd_amend(proposal, history):
    return replace(proposal, params={**proposal.params, "ppo.skill": 0.75})


@hookimpl
def vbotd_follow_up(run, history):
    if run.kind == "train" and run.outcome == "finished":
        return [FollowUp(kind="second-look", why="to be sure", spec={"glasses": True})]
    return []


@hookimpl
def vbotd_watch(run, series, history):
    return [Finding(rule="seen", level="info", message="I saw it")]


@hookimpl
def vbotd_wake_up(histories):
    return Section(title="Busybody", lines=("I was here.",))


@hookimpl
def vbotd_on_event(event):
    with open(Path(os.environ["BUSYBODY_LOG"]), "a") as file:
        file.write(type(event).__name__ + "\n")
