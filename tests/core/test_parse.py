"""From bytes to a campaign, or to all of its problems at once."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core import campaign_docs
from vbotd.core.campaign_schedule import BadTime, checked_cron, moment_of, seconds_of
from vbotd.core.campaign_schema import schema_with
from vbotd.core.campaign_text import label_from, template
from vbotd.core.parse import parse_campaign
from vbotd.domain.campaign import Campaign, Gate, Schedule, SkillUse
from vbotd.domain.finding import Problem
from vbotd.domain.metric import MetricCard
from vbotd.domain.skill import SkillCard
from vbotd.domain.space import Dimension
from vbotd.domain.task import ParamCard, TaskCard
from vbotd.train.tasks import cards

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "campaigns"

# A card of our own, so that the golden files do not change with the real ones.
WALK = TaskCard(
    name="vbot_walk_flat",
    summary="walk",
    factory="m:f",
    env_steps=1_500_000,
    params=(
        ParamCard(key="ppo.learning_rate", default=1e-3, low=1e-5, high=1e-2, scale="log"),
        ParamCard(key="ppo.kl_target", default=0.01, low=1e-3, high=0.1, scale="log"),
        ParamCard(key="ppo.gamma", default=0.99, low=0.9, high=0.9999),
        ParamCard(key="ppo.clip", default=0.2, low=0.05, high=0.5),
        ParamCard(key="ppo.entropy", default=0.005, low=0.0, high=0.05),
        ParamCard(key="ppo.epochs", default=5, low=1, high=20),
        ParamCard(key="ppo.rollout", default=24, low=4, high=256, scale="fixed"),
        ParamCard(key="ppo.schedule", default="adaptive", choices=("adaptive", "fixed", "linear"), scale="fixed"),
        ParamCard(key="ppo.hidden", default=(128.0, 64.0), low=8, high=1024, scale="fixed"),
        ParamCard(key="env.command_s", default=5.0, low=0.5, high=120.0, scale="fixed", unit="s"),
        ParamCard(key="env.push", default=False, scale="fixed"),
        ParamCard(key="reward.orientation_cost", default=-2.0, low=-20.0, high=0.0, unit="1/s"),
    ),
)
TASKS = {WALK.name: WALK}
SKILLS = {name: SkillCard(name=name, summary=name) for name in (
    "hp_search", "curriculum", "reward_engineering", "vlm_capture")}
HEAD = "version: 1\nname: a\ntask: vbot_walk_flat\n"

DESIGN = """\
# yaml-language-server: $schema=../../schemas/campaign.schema.json
version: 1
name: flat-night
task: vbot_navigation_section001
skills: [hp-search, reward-engineering, vlm-capture, {curriculum: {rungs: 3}}]
budget: {hours: 8, trials: 27, env_steps: 400e6}
deadline: "07:30"
train: {env_steps: 20e6, num_envs: 1024, seed: 1}
search:
  space:
    ppo.learning_rate: {log: [1e-4, 1e-3]}
    reward.forward_velocity: {uniform: [1.0, 4.0]}
gate: {eval/success_rate: ">= 0.95"}
allow: []                      # findings overruled by name
stages:
  - {name: near,  task: vbot_navigation_section001, env: {spawn_radius_m: [2, 5]},  gate: {eval/success_rate: ">= 0.9"}}
  - name: far
    task: vbot_navigation_section001
    env: {spawn_radius_m: [8, 11]}
    warm_start: {from: near, learning_rate: 0.4}
schedule: {cron: "0 1 * * mon-fri"}
"""


def parsed(text: str, tasks=TASKS, skills=SKILLS) -> Campaign:
    result = parse_campaign(text.encode(), tasks=tasks, skills=skills)
    assert isinstance(result, Campaign), [problem.render("f") for problem in result]
    return result


def problems(text: str, tasks=TASKS, skills=SKILLS) -> tuple[Problem, ...]:
    result = parse_campaign(text.encode(), tasks=tasks, skills=skills)
    assert isinstance(result, tuple)
    return result


def test_the_campaign_of_the_design_parses():
    campaign = parsed(DESIGN, tasks=None, skills=None)
    assert campaign.budget.env_steps == 400_000_000 and isinstance(campaign.train.env_steps, int)
    assert campaign.space.dimensions[0] == Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-3)
    assert campaign.gates == (Gate(tag="eval/success_rate", op=">=", value=0.95),)
    assert campaign.skills[3] == SkillUse(name="curriculum", options={"rungs": 3})
    assert campaign.stages[1].warm_start == {"from": "near", "learning_rate": 0.4}
    assert campaign.stages[0].params == {"env.spawn_radius_m": (2, 5)}
    assert campaign.schedule == Schedule(cron="0 1 * * mon-fri")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_golden_bad_campaign(path):
    found = parse_campaign(path.read_bytes(), tasks=TASKS, skills=SKILLS)
    assert isinstance(found, tuple) and found
    text = "".join(problem.render(path.name) + "\n" for problem in found)
    expected = path.with_suffix(".txt")
    if os.environ.get("VBOTD_REWRITE_GOLDEN"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_five_broken_places_give_five_problems_with_a_fix():
    found = parse_campaign((GOLDEN / "five-places.yaml").read_bytes(), tasks=TASKS, skills=SKILLS)
    assert isinstance(found, tuple) and [problem.line for problem in found] == [3, 5, 6, 9, 11]
    assert all(problem.fix and problem.column > 1 for problem in found)
    assert "did you mean 'vbot_walk_flat'?" in found[0].fix and "did you mean 'trials'?" in found[1].fix


def test_defaults_of_skills():
    assert parsed(HEAD).skills == ()
    assert parsed(HEAD + "budget: {trials: 2}\n").skills == (SkillUse(name="hp-search"),)
    assert parsed(HEAD + "stages: [{name: a}]\n").skills == (SkillUse(name="curriculum"),)
    assert parsed(HEAD + "skills: [vlm_capture, hp_search: {sampler: tpe}]\n").skills == (
        SkillUse(name="vlm-capture"),
        SkillUse(name="hp-search", options={"sampler": "tpe"}),
    )


def test_the_task_is_that_of_the_last_stage_where_none_is_given():
    text = "version: 1\nname: a\nstages: [{name: a, task: x}, {name: b, task: y}]\n"
    assert parsed(text, tasks=None).task == "y"


def test_values_take_the_type_of_their_card():
    params = parsed(HEAD + "ppo: {epochs: 4.0, clip: 0.3, hidden: [64, 32]}\nreward: {orientation_cost: -1}\n").params
    assert params == {"ppo.epochs": 4, "ppo.clip": 0.3, "ppo.hidden": (64.0, 32.0), "reward.orientation_cost": -1.0}
    assert isinstance(params["ppo.epochs"], int) and isinstance(params["reward.orientation_cost"], float)


def test_names_are_not_checked_before_the_plugins_are_known():
    text = HEAD.replace("vbot_walk_flat", "something") + "skills: [else]\nppo: {anything: 1}\n"
    assert parsed(text, tasks=None, skills=None).params == {"ppo.anything": 1}
    assert len(problems(text)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "name: ../../etc\n",
        "name: /abs\n",
        "name: .\n",
        "name: ''\n",
        f"name: {'a' * 300}\n",
        "name: -a\n",
        "name: a..b\n",
        'name: "a\\nb"\n',
        "name: A\n",
        "name: caf\u00e9\n",
        "name: 7\n",
        "name: yes no\n",
    ],
)
def test_a_name_is_a_label(text):
    found = problems("version: 1\ntask: vbot_walk_flat\n" + text)
    assert [problem.where for problem in found] == ["name"]


@pytest.mark.parametrize(
    ("line", "where", "words"),
    [
        ("budget: {trails: 3}\n", "budget.trails", "did you mean 'trials'?"),
        ("hours: 3\n", "hours", "it belongs under 'budget'"),
        ("train: {gate: {}}\n", "train.gate", "top level"),
        ("budget: {trials: 10001}\n", "budget.trials", "from 1 to 10000"),
        ("budget: {trials: true}\n", "budget.trials", "a whole number"),
        ("budget: {hours: '8'}\n", "budget.hours", "a number above 0"),
        ("train: {env_steps: 20.5}\n", "train.env_steps", "whole number"),
        ("train: {env_steps: 100, num_envs: 1000}\n", "train.num_envs", "at most 100"),
        ("budget: {env_steps: 1e6}\n", "budget.env_steps", "1500000"),
        ("deadline: 24:00\n", "deadline", "HH:MM"),
        ("deadline: 7:30\n", "deadline", 'write "07:30"'),
        ("gate: {eval/success_rate: 0.9}\n", "gate.eval/success_rate", ">="),
        ("gate: {eval/success_rate: '>= 1e999'}\n", "gate.eval/success_rate", "a number"),
        ("skills: [hp_search, hp-search]\n", "skills[1]", "named twice"),
        ("skills: [hp-serch]\n", "skills[0]", "did you mean 'hp-search'?"),
        ("skills: [{hp-search: {}, curriculum: {}}]\n", "skills[0]", "not a skill"),
        ("skills: []\nbudget: {trials: 2}\nsearch: {space: {ppo.clip: {uniform: [0.1, 0.2]}}}\n", "skills", "nobody"),
        ("search: {space: {ppo.clip: {uniform: [0.1, 0.2]}}}\n", "budget.trials", "a search needs it"),
        ("budget: {trials: 2}\nsearch: {space: {}}\n", "search.space", "too few"),
        ("skills: [hp-search]\nstages: [{name: a}]\n", "stages", "curriculum"),
        ("env: {push: 1}\n", "env.push", "true or false"),
        ("env: {command_s: true}\n", "env.command_s", "a number"),
        ("schedule: {}\n", "schedule", "exactly one"),
        ("schedule: {every: 10s}\n", "schedule.every", "from 1m"),
        ("schedule: {at: 2026-02-30 01:00}\n", "schedule.at", "calendar"),
        ("allow: [Bad Name]\n", "allow[0]", "a finding's name"),
        (f"note: {'x' * 2001}\n", "note", "2000"),
        ("note:\n", "note", "has no value"),
        ("command: rm -rf /\n", "command", "there is no key"),
    ],
)
def test_one_mistake_gives_one_problem(line, where, words):
    found = problems(HEAD + line)
    assert [problem.where for problem in found] == [where], [problem.render("f") for problem in found]
    assert words in found[0].message + found[0].fix
    assert found[0].fix and (found[0].line >= 4 or "missing" in found[0].message)


def test_a_count_of_many_trials_is_never_made():
    choices = ", ".join(f"k{number}" for number in range(999))
    space = "".join(f"    env.e{number}: {{choice: [{choices}]}}\n" for number in range(10))
    text = HEAD + "budget: {trials: 10}\nsearch:\n  space:\n" + space
    assert len(parsed(text, tasks=None).space.dimensions) == 10


def test_no_more_problems_than_a_person_reads():
    found = problems(HEAD + "".join(f"unknown{number}: 1\n" for number in range(500)))
    assert len(found) == 50 and "further problems" in found[-1].message


@pytest.mark.parametrize("text", ["- a\n", "text\n", "7\n", "null\n", "[]\n"])
def test_a_file_that_is_no_mapping_is_refused(text):
    assert len(problems(text)) == 1


def test_every_prefix_of_a_campaign_gives_an_answer():
    data = DESIGN.encode()
    for cut in range(len(data)):
        result = parse_campaign(data[:cut], tasks=TASKS, skills=SKILLS)
        assert isinstance(result, tuple | Campaign)


PIECES = st.sampled_from(
    [*re.split(r"(\W)", DESIGN), "\n  ", ": ", "- ", "[", "}", "&a", "*a", "!!x", ".nan", "null", "~", "\t", '"']
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["uniform", "log", "int", "choice", "name", "task", "from", "space", "x", "gate", "cron", "eval/a"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = [
    "version",
    "name",
    "task",
    "skills",
    "budget",
    "deadline",
    "train",
    "evaluate",
    "env",
    "ppo",
    "reward",
    "search",
    "gate",
    "stages",
    "allow",
    "schedule",
    "note",
    "else",
]


@given(st.lists(PIECES, max_size=60))
def test_text_that_looks_like_a_campaign_never_raises(pieces):
    result = parse_campaign("".join(pieces).encode(), tasks=TASKS, skills=SKILLS)
    assert isinstance(result, Campaign) or (result and all(problem.line >= 1 for problem in result))


@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6))
def test_any_tree_under_the_keys_of_a_campaign_never_raises(tree):
    for skills in (SKILLS, None):
        result = parse_campaign(json.dumps(tree).encode(), tasks=TASKS, skills=skills)
        assert isinstance(result, Campaign) or (result and all(problem.message for problem in result))


@given(
    name=st.text(max_size=80),
    hours=st.floats(0.01, 8760),
    trials=st.integers(1, 10_000),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_template_parses(name, hours, trials, seed):
    text = template(WALK, hours=hours, trials=trials, name=name, seed=seed)
    campaign = parsed(text)
    assert campaign.budget.hours == hours and campaign.budget.trials == trials and campaign.train.seed == seed
    assert campaign.space.dimensions[0].key == "ppo.learning_rate" and campaign.name == label_from(name)
    assert text.startswith("# yaml-language-server: $schema=")


def test_a_template_for_a_task_without_a_card_parses():
    text = template("else", hours=1, trials=2, name="x", seed=1)
    assert parsed(text, tasks=None).task == "else"
    other = TaskCard(
        name="t", summary="a # b: c", factory="m:f", metric=MetricCard(tag="eval/error_m", direction="min")
    )
    assert parsed(template(other, hours=1, trials=1, name="x", seed=1), tasks=None).gates == ()


@pytest.mark.parametrize(
    "text", ["0 1 * * mon-fri", "*/15 * * * *", "0 0,12 1-7 * *", "5 4 1 jan,jul *", "0 6-18/2 * * sat"]
)
def test_a_cron_line_that_is_accepted_means_something_to_apscheduler(text):
    assert checked_cron(text) == text
    CronTrigger.from_crontab(text, timezone="UTC")


@pytest.mark.parametrize(
    "text",
    [
        "0 1 * * 1-5",
        "0 1 * * 0",
        "0 1 * *",
        "0 1 1 * mon",
        "60 * * * *",
        "* 24 * * *",
        "0 0 31 feb *",
        "0 0 30-31 2 *",
        "*/0 * * * *",
        "0 22-2 * * *",
        "0 0 * * fri-mon",
        "a * * * *",
        "5/2 * * * *",
        "@daily",
        "",
        "0 0 ? * *",
        "* * * * sun/2",
        "0 0 \u0661 * *",
    ],
)
def test_a_cron_line_that_schedulers_read_differently_is_refused(text):
    with pytest.raises(BadTime):
        checked_cron(text)


def test_other_times():
    assert seconds_of("6h") == 21600 and seconds_of("90m") == 5400 and seconds_of("1.5d") == 129600
    assert moment_of("2026-11-24 01:00") == "2026-11-24T01:00:00"
    for text in ("2026-11-24", "2026-11-24T01:00Z", "2026-11-24 25:00", "tomorrow"):
        with pytest.raises(BadTime):
            moment_of(text)


def test_generated_files_are_current():
    hint = "run 'make docs'"
    for name in campaign_docs.SCHEMA_FILES:
        assert (ROOT / name).read_text(encoding="utf-8") == campaign_docs.schema_text(), hint
    assert (ROOT / campaign_docs.DOC_FILE).read_text(encoding="utf-8") == campaign_docs.document_text(), hint


def test_every_key_of_the_grammar_is_explained_with_an_example():
    schema = schema_with({})
    for part in (schema, *schema["$defs"].values()):
        for key, entry in part["properties"].items():
            assert entry.get("description") or "$ref" in entry, key
            assert entry.get("examples"), key


def test_a_skills_block_is_part_of_the_schema():
    card = SkillCard(
        name="hp_search",
        summary="search",
        schema={"type": "object", "properties": {"sampler": {"$ref": "#/$defs/S"}}, "$defs": {"S": {"enum": ["tpe"]}}},
    )
    schema = schema_with({"hp_search": card})
    assert schema["$defs"]["skill_hp_search"]["properties"]["sampler"] == {"$ref": "#/$defs/skill_hp_search/$defs/S"}
    assert set(schema["properties"]["skills"]["items"]["anyOf"][1]["properties"]) == {"hp-search", "hp_search"}


@pytest.mark.parametrize("path", sorted((ROOT / "campaigns").glob("*.yaml")), ids=lambda path: path.stem)
def test_our_own_campaigns_parse_with_the_real_cards(path):
    tasks = {card.name: card for card in cards.TASKS}
    result = parse_campaign(path.read_bytes(), tasks=tasks, skills=SKILLS)
    assert isinstance(result, Campaign), [problem.render(path.name) for problem in result]


def test_a_template_for_every_real_task_parses():
    tasks = {card.name: card for card in cards.TASKS}
    for card in tasks.values():
        assert parsed(template(card, hours=8, trials=15, name="x", seed=1), tasks=tasks).task == card.name
