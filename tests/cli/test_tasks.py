"""vbotd tasks NAME: all about a task, as text, Markdown and JSON; and what happens where a task offers less."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from tests.golden_files import assert_golden
from vbotd.cli import tasks
from vbotd.cli.columns import columns
from vbotd.cli.task_tables import WIDTH, Table, text_of
from vbotd.domain.reference import TaskReference
from vbotd.domain.task import TaskCard
from vbotd.errors import VbotdError
from vbotd.train.tasks.cards import TASKS

PLUGIN = TaskCard(name="hop", summary="jump on the spot", factory="hop.env:make", params=TASKS[0].params)


def test_the_text_of_a_task(call) -> None:
    assert_golden("tasks/vbot_navigation_section011.txt", call("tasks", "vbot_navigation_section011").out)


@pytest.mark.parametrize("card", TASKS, ids=lambda card: card.name)
def test_a_reference_fits_a_terminal(card: TaskCard) -> None:
    lines = text_of(card, (), tasks.reference_of(card)).split("\n")
    assert max(map(len, lines)) <= WIDTH


def test_the_json_has_the_reference_beside_the_card(call) -> None:
    told = call("tasks", "vbot_navigation_section012", "--json").json()
    assert set(told) == {"tasks", "reference"}
    assert set(told["reference"]) == set(TaskReference.__dataclass_fields__)
    assert told["tasks"][0]["reference"] == "vbotd.train.tasks.reference:obstacle_course"
    assert told["reference"]["routes"][2]["points"] == 60.0
    assert set(call("tasks", "--json").json()) == {"tasks"}


def test_a_task_without_a_reference_shows_its_settings() -> None:
    assert tasks.reference_of(PLUGIN) is None
    text = text_of(PLUGIN, (), None)
    assert "ppo.learning_rate" in text
    assert "reward.trot_reward" in text
    assert "observation" not in text.split("settings")[0]


@pytest.mark.parametrize(("path", "said"), [
    ("json:loads", "failed: TypeError"),
    ("nowhere:made", "failed: SpecError: 'nowhere:made' names no code"),
    ("dataclasses:asdict", "returned a dict — it must return a TaskReference"),
])
def test_a_reference_that_cannot_be_made_says_why(path: str, said: str) -> None:
    with pytest.raises(VbotdError, match=said) as raised:
        tasks.reference_of(replace(PLUGIN, reference=path))
    assert str(raised.value).startswith(f"hop: its reference {path}")


def test_what_two_tasks_share_is_told_once() -> None:
    page = tasks.page_markdown([PLUGIN, replace(PLUGIN, name="hop_far")])
    assert page.count("`ppo.learning_rate`") == 1
    assert page.count("As in [hop](#hop).") == 3


def test_the_last_column_is_broken_at_the_width() -> None:
    text = columns(("a", "what"), [("x", "one two three four five six seven"), ("y", "")], width=27)
    assert text.split("\n") == ["a  what", "x  one two three four five", "   six seven", "y"]


def test_a_list_has_a_block_for_each_row() -> None:
    table = Table(title="things", head=("name", "how", "shows"), rows=(("a", "b", "c"),), is_list=True)
    assert table.text() == "things\n  a: b\n    shows:           c"
    assert "| `a` | b | c |" in table.markdown()


def test_the_json_is_made_of_the_rows_themselves(call) -> None:
    (card,) = [card for card in TASKS if card.name == "vbot_walk_flat"]
    reference = tasks.reference_of(card)
    assert reference is not None
    told = call("tasks", "vbot_walk_flat", "--json").json()["reference"]
    assert told["endings"] == [asdict(row) for row in reference.endings]
