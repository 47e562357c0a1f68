"""The contract: every hook has a paragraph with its exact signature and a test; the docs' plugin runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vbotd import hookspecs
from vbotd.domain.campaign import SkillUse
from vbotd.domain.event import CampaignClosed
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Estimate, Exhausted, FollowUp, Opinion, Section, SkillCard, ToolCard
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import RunKindCard, TaskCard
from vbotd.domain.trial import Proposal
from vbotd.hookspecs import hookimpl
from vbotd.host.registry import Answered, Registry
from vbotd.host.wire import decode_answer
from vbotd.testing import check_plugin, make_history

ROOT = Path(__file__).parents[2]
HOOKS = {name: function for name, function in vars(hookspecs).items() if name.startswith("vbotd_")}
HISTORY = make_history([{"a": 1.0}], [0.5])


def module_of(*functions: Callable[..., Any], name: str = "made_up", **named: Any) -> ModuleType:
    module = ModuleType(name)
    for function in functions:
        setattr(module, function.__name__, hookimpl(function))
    vars(module).update(named)
    return module


def registry_of(**functions: Callable[..., Any]) -> Registry:
    module = ModuleType("made_up")
    for name, function in functions.items():
        setattr(module, f"vbotd_{name}", hookimpl(function))
    return Registry.of_modules({"made_up": module})


def ask(hook: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Return what a plugin with this one function answers, after the way through the wire."""
    answered = registry_of(**{hook: function}).ask("made_up", hook, arguments)
    assert answered.how == "", answered
    return decode_answer(hook, answered.value)


def documented_signature(name: str) -> str:
    """Return a hook's signature as the docs write it, that is as its source does."""
    source = inspect.getsource(HOOKS[name])
    return " ".join(re.search(r"def (.+?):\n", source, re.DOTALL)[1].split())  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_every_hook_has_a_paragraph_with_its_exact_signature(name: str) -> None:
    sections = re.split(r"^### ", (ROOT / "docs" / "HOOKS.md").read_text(), flags=re.MULTILINE)[1:]
    paragraphs = {head.strip("`"): body.strip() for head, _, body in (part.partition("\n") for part in sections)}
    assert documented_signature(name) in paragraphs
    assert len(paragraphs[documented_signature(name)]) > 100


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_every_hook_has_a_test_named_for_it(name: str) -> None:
    assert f"test_hook_{name.removeprefix('vbotd_')}" in globals()


def test_no_paragraph_is_left_over() -> None:
    heads = re.findall(r"^### `(vbotd_\w+)\(", (ROOT / "docs" / "HOOKS.md").read_text(), flags=re.MULTILINE)
    assert sorted(heads) == sorted(HOOKS)


def test_the_contract_is_one_page_and_every_hook_is_explained() -> None:
    assert len((ROOT / "vbotd" / "hookspecs.py").read_text().splitlines()) <= 200
    for name, function in HOOKS.items():
        assert f"def {name}(" in (function.__doc__ or ""), f"{name} has no example"


def test_the_plugin_of_the_docs_runs(tmp_path: Path) -> None:
    (text,) = re.findall(r"```python\n(.+?)```", (ROOT / "docs" / "HOOKS.md").read_text(), flags=re.DOTALL)
    body = text.split("\n\n", 1)[1]
    assert len(body.strip().splitlines()) <= 10
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "halver.py").write_text(text)
    registry = Registry(tmp_path, allowed=["halver"])
    assert not registry.catalogue.failures
    space = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-6, high=1e-3),))
    history = make_history([{"ppo.learning_rate": 8e-4}], [0.5], skills=[SkillUse(name="halver")], space=space)
    answered = registry.ask("halver", "propose", {"history": history, "count": 1, "view": None})
    (proposal,) = decode_answer("propose", answered.value)
    assert proposal.params == {"ppo.learning_rate": 4e-4} and not space.problems(proposal.params)


def test_hook_tasks() -> None:
    card = TaskCard(name="hop", summary="jump", factory="hop:make")
    assert registry_of(tasks=lambda: [card]).catalogue.tasks == (card,)


def test_hook_run_kinds() -> None:
    card = RunKindCard(name="film", entry="film:film")
    assert registry_of(run_kinds=lambda: [card]).catalogue.run_kinds == (card,)


def test_hook_tools() -> None:
    card = ToolCard(name="gait", summary="name the gait", entry="gait:classify", changes=True)
    assert registry_of(tools=lambda: [card]).catalogue.tools == (card,)


def test_hook_skills() -> None:
    card = SkillCard(name="anneal", summary="cool down")
    catalogue = registry_of(skills=lambda: [card]).catalogue
    assert catalogue.skills == (card,) and catalogue.owner("anneal") == "made_up"


def test_hook_propose() -> None:
    arguments = {"history": HISTORY, "count": 2, "view": None}
    proposal = Proposal(params={"a": 1, "b": True, "c": "x", "d": (1.0, 2.0), "e": 0.5}, proposer="p", why="w")
    assert ask("propose", lambda history, count: [proposal] * count, arguments) == [proposal, proposal]
    assert ask("propose", lambda: Exhausted(why="done"), arguments) == Exhausted(why="done")
    assert ask("propose", lambda view: None, arguments) is None


def test_hook_estimate() -> None:
    about = Estimate(env_steps=30_000_000, why="ten trainings to the end")
    assert ask("estimate", lambda history: about, {"history": HISTORY}) == about
    assert ask("estimate", lambda: None, {"history": HISTORY}) is None


def test_hook_amend() -> None:
    proposal = Proposal(params={"a": 1}, proposer="p")
    assert ask("amend", lambda proposal: proposal, {"proposal": proposal, "history": HISTORY}) == proposal
    assert ask("amend", lambda history: None, {"proposal": proposal, "history": HISTORY}) is None


def test_hook_watch() -> None:
    finding = Finding(rule="r", level="error", message="m", stop=True)
    arguments = {"run": HISTORY.runs[0], "series": {}, "history": HISTORY}
    assert ask("watch", lambda run, series: [finding], arguments) == [finding]
    assert ask("watch", lambda run, series: None, arguments) == []


def test_hook_judge() -> None:
    opinion = Opinion(verdict="keep", why="w")
    assert ask("judge", lambda trial: opinion, {"trial": HISTORY.trials[0], "history": HISTORY}) == opinion


def test_hook_follow_up() -> None:
    wish = FollowUp(kind="capture", why="w", spec={"seconds": 5, "views": ["side"]})
    assert ask("follow_up", lambda run: [wish], {"run": HISTORY.runs[0], "history": HISTORY}) == [wish]


def test_hook_wake_up() -> None:
    section = Section(title="t", lines=("a", "b"))
    assert ask("wake_up", lambda histories: section, {"histories": (HISTORY,)}) == section


def test_hook_on_event() -> None:
    heard: list[Any] = []
    event = CampaignClosed(campaign="c", outcome="finished", why="w")
    assert ask("on_event", lambda event: heard.append(event), {"event": event}) is None
    assert heard == [event]


@pytest.mark.parametrize(("hook", "answer", "said"), [
    ("propose", [Proposal(params={"a": float("nan")}, proposer="p")], "not JSON compliant"),
    ("propose", [{"params": {}}], "answered list[dict], wanted is list[Proposal] | Exhausted | None"),
    ("propose", [Proposal(params={"a": object()}, proposer="p")], "<class 'object'>"),  # type: ignore[dict-item]
    ("propose", [Proposal(params=3, proposer="p")], "'params'"),  # type: ignore[arg-type]
    ("judge", Opinion(verdict="superb", why="w"), "verdict"),  # type: ignore[arg-type]
    ("watch", "hot", "answered str, wanted is list[Finding]"),
    ("wake_up", Section(title="t", lines=("x" * (2 << 20),)), "at most 1,048,576"),
    ("on_event", 3, "wanted is None"),
    ("follow_up", [FollowUp(kind="k", why="w", spec={"f": lambda: 0})], "function"),
])
def test_nonsense_is_told_apart_and_explained(hook: str, answer: Any, said: str) -> None:
    arguments = dict.fromkeys(inspect.signature(HOOKS[f"vbotd_{hook}"]).parameters)
    answered: Answered = registry_of(**{hook: lambda: answer}).ask("made_up", hook, arguments)
    assert answered.how == "nonsense" and said in answered.detail, answered.detail


def test_the_kit_finds_what_is_wrong() -> None:
    import random

    skill = SkillCard(name="s", summary="x")
    bad = module_of(vbotd_skills=hookimpl(lambda: [skill]), vbotd_judge=hookimpl(lambda trial: 1 / 0),
                    vbotd_wake_up=hookimpl(lambda: Section(title="t", lines=tuple("x" * 20))),
                    vbotd_watch=hookimpl(lambda: [Finding(rule="r", level="info", message=str(random.random()))]),
                    vbotd_propose=hookimpl(lambda: [Proposal(params={"a": 1}, proposer="s")]))
    found = "\n".join(check_plugin(bad))
    for expected in ("ZeroDivisionError", "20 lines, 15 are shown", "when it was asked again",
                     "not in the search space", "gave no reason"):
        assert expected in found
    assert check_plugin(module_of(vbotd_skills=hookimpl(lambda: [skill]))) == []
    assert "did you mean 'vbotd_judge'" in check_plugin(module_of(vbotd_jugde=hookimpl(lambda: None)))[0]
