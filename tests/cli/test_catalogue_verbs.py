"""tasks, plugins, bench: what there is, and what is wrong with what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import ROOT
from vbotd.cli.tasks import page_markdown, value_text
from vbotd.train.tasks.cards import TASKS


def test_tasks_lists_the_bundled_ones(call):
    called = call("tasks")
    assert called.code == 0
    assert "vbot_walk_flat" in called.out
    assert "vbot_navigation_section001" in called.out


def test_a_task_has_a_reference(call):
    text = call("tasks", "vbot_walk_flat").out
    assert "ppo.learning_rate" in text
    assert "1e-05 to 0.01, log" in text


def test_the_json_of_a_task_has_every_setting(call):
    (task,) = call("tasks", "vbot_walk_flat", "--json").json()["tasks"]
    rate = next(param for param in task["params"] if param["key"] == "ppo.learning_rate")
    assert set(rate) == {"key", "default", "low", "high", "choices", "scale", "unit", "summary", "evaluated_as",
                         "search"}


def test_an_unknown_task_is_five(call):
    called = call("tasks", "vbot_walk")
    assert called.code == 5
    assert "did you mean 'vbot_walk_flat'" in called.err


def test_the_page_about_the_tasks_is_current():
    assert (ROOT / "docs" / "TASKS.md").read_text() == page_markdown(TASKS), "run 'make docs'"


@pytest.mark.parametrize(("value", "text"), [
    (True, "true"), (1e-4, "0.0001"), (3, "3"), ((2.0, 5.0), "[2, 5]"), ("adaptive", "adaptive"),
])
def test_a_value_is_shown_as_a_file_would_hold_it(value, text: str):
    assert value_text(value) == text


def test_plugins_shows_hooks_and_skills(call):
    (plugin,) = [p for p in call("plugins", "--json").json()["plugins"] if p["name"] == "hp_search"]
    assert "propose" in plugin["hooks"]
    assert plugin["skills"] == ["hp-search"]
    assert plugin["blocked"] is None


def test_a_plugin_that_fails_is_named_with_its_reason(call, home: Path):
    (home / "plugins").mkdir()
    (home / "plugins" / "broken.py").write_text("raise RuntimeError('no such sensor')\n")
    called = call("plugins")
    assert called.code == 0
    assert "failed: broken (plugins/broken.py):" in called.out
    assert "no such sensor" in called.out
    assert call("plugins", "--json").json()["failures"][0]["name"] == "broken"


def test_bench_lists_what_it_can_run(call):
    called = call("bench")
    if not any((ROOT / "bench").glob("*.py")):
        assert called.code == 5
        return
    assert called.code == 0
    assert call("bench", "no_such_bench").code == 5
