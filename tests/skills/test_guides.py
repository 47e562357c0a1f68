"""A guide that lies fails the build: every verb, option, tool, task, key, tag, path and number in it is real.

Numbers in prose carry a mark for this test, `5 M<!--=task:vbot_walk_flat:env_steps-->`; a number without one is an
error. Numbers inside code are checked as what they are: commands against the command line, YAML by the real parser.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from vbotd.agent.tools import all_tools
from vbotd.cli import VERBS, cli
from vbotd.core.accounts import MEANS, RATES
from vbotd.core.parse import parse_campaign
from vbotd.domain.campaign import Campaign
from vbotd.host.one_shot import one_shot_catalogue
from vbotd.layout import Layout

ROOT = Path(__file__).parents[2]
GUIDES = {path.parent.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "skills").glob("*/SKILL.md"))}
NAMES = {"curriculum-learning", "hyperparameter-optimization", "mjcf-xml-reasoning", "quadruped-competition-tutor",
         "reward-penalty-engineering", "training-campaign", "training-pipeline", "visual-analysis"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
MARKED = re.compile(r"(\d[\d,.]*)([^\d<\n]*)<!--=([^>]+)-->")
TOOL = re.compile(r"([a-z_]+)\(([a-z_, ]*)\)")
KEY = re.compile(r"(ppo|reward|env)\.[a-z_]+")
TAG = re.compile(r"(eval|train)/[a-z_0-9]+")
PATH = re.compile(r"[A-Za-z_.-]+(/[A-Za-z0-9_.-]+)+/?")
# What a workspace gets when it is used, so that it is not in the repository.
MADE_LATER = ("state/inbox/", "state/WAKE_UP.md", "reward/...")


@pytest.fixture(params=sorted(GUIDES))
def guide(request: pytest.FixtureRequest) -> str:
    return GUIDES[request.param]


@cache
def catalogue() -> Any:
    return one_shot_catalogue(ROOT)


@cache
def measured() -> set[str]:
    """The tags that evaluations have: those of every task, and each task's own."""
    own = {card.tag for task in catalogue().tasks for card in (task.metric, task.quality) if card is not None}
    return own | set(RATES) | set(MEANS)


def prose(text: str) -> str:
    """The guide without its front matter and code blocks."""
    return FENCE.sub("", text.split("---\n", 2)[2])


def commands(text: str) -> list[str]:
    """All commands of a guide, from its blocks and inline."""
    lines = [line for kind, block in FENCE.findall(text) if kind == "sh" for line in block.splitlines()]
    return [line for line in (*lines, *CODE.findall(prose(text))) if line.startswith("vbotd ")]


def test_all_eight_are_there():
    assert set(GUIDES) == NAMES


def test_the_format_is_that_of_agent_skills(guide: str):
    _, head, body = guide.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["name"] in NAMES and GUIDES[front["name"]] == guide
    assert set(front) == {"name", "description"} and 40 <= len(front["description"]) <= 1024
    assert len(body.splitlines()) < 500 and len(body) / 4 < 5000


def test_the_validator_of_the_format_agrees():
    validator = shutil.which("agentskills", path=str(ROOT / ".venv" / "bin")) or shutil.which("agentskills")
    if validator is None:
        pytest.skip("the validator 'agentskills' (package skills-ref) is not installed")
    for name in NAMES:
        done = subprocess.run([validator, "validate", str(ROOT / "skills" / name)], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_exists_with_its_options(guide: str):
    for line in commands(guide):
        _, verb, *words = shlex.split(line)
        assert any(verb in group for group in VERBS.values()), line
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None, f"'{line}': the verb cannot be loaded"
        known = {name for param in command.params if isinstance(param, click.Option) for name in param.opts}
        unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
        assert not unknown, f"'{line}': no option {unknown}; it has {sorted(known)}"


def test_every_tool_exists_with_its_arguments(guide: str, tmp_path: Path):
    tools = {tool.name: tool for tool in all_tools(Layout(tmp_path))}
    for call in CODE.findall(prose(guide)):
        match = TOOL.fullmatch(call)
        if match is None:
            continue
        assert match[1] in tools, f"no tool '{match[1]}'"
        given = [name.strip() for name in match[2].split(",") if name.strip()]
        fields = tools[match[1]].args.model_fields
        assert set(given) <= set(fields), f"{call}: it takes {list(fields)}"


def test_every_campaign_is_one_that_can_run(guide: str):
    tasks = {task.name: task for task in catalogue().tasks}
    skills = {skill.name: skill for skill in catalogue().skills}
    for kind, block in FENCE.findall(guide):
        assert kind in ("yaml", "sh"), f"a block is marked '{kind}'"
        if kind == "yaml":
            found = parse_campaign(block.encode(), tasks=tasks, skills=skills)
            assert isinstance(found, Campaign), [problem.render("guide") for problem in found]


def test_every_task_key_tag_and_path_is_real(guide: str):
    tasks = {task.name: task for task in catalogue().tasks}
    keys = {param.key for task in tasks.values() for param in task.params}
    for word in CODE.findall(prose(guide)):
        if word.startswith("vbot_"):
            assert word in tasks, word
        elif KEY.fullmatch(word):
            assert word in keys, word
        elif TAG.fullmatch(word):
            assert word in measured(), word
        elif PATH.fullmatch(word) and word not in MADE_LATER:
            assert (ROOT / word).exists(), word


def test_every_finding_that_is_named_is_one_of_the_rules():
    rules = set(re.findall(r'rule="([a-z-]+)', "\n".join(
        path.read_text() for path in (ROOT / "vbotd" / "core" / "health").glob("*.py"))))
    table = GUIDES["reward-penalty-engineering"].split("| what you see | finding |")[1].split("\n\n")[0]
    named = [word for row in table.splitlines()[2:] for word in CODE.findall(row.split("|")[2])]
    assert named and set(named) <= rules


def test_every_number_in_prose_carries_its_source_and_agrees_with_it(guide: str):
    text = re.sub(r"^\d+\. ", "", CODE.sub("", prose(guide)), flags=re.MULTILINE)
    for number, unit, source in MARKED.findall(text):
        value = float(number.replace(",", "").rstrip(".")) * (1e6 if unit.startswith(" M") else 1.0)
        assert value == pytest.approx(resolved(source)), f"{number}{unit} is said, {source} is {resolved(source)}"
    left = re.findall(r"[^\n]{0,30}\d[^\n]{0,20}", MARKED.sub("", text))
    assert not left, f"numbers without a source: {left}"


def resolved(source: str) -> float:
    """The value behind a mark: task:NAME:FIELD, option:PLUGIN:FIELD[:percent], config:KEY, const:MODULE:NAME."""
    kind, *rest = source.split(":")
    if kind == "task":
        return float(getattr(catalogue().task(rest[0]), rest[1]))
    if kind == "option":
        options = import_module(f"vbotd_plugins.{rest[0]}.options").Options
        return float(options.model_fields[rest[1]].default) * (100.0 if rest[2:] == ["percent"] else 1.0)
    if kind == "config":
        from vbotd.core.config import Config
        return float(Config.model_fields[rest[0]].default)
    assert kind == "const", source
    return float(getattr(import_module(rest[0]), rest[1]))
