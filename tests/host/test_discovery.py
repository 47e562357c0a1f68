"""Which plugins are found, in what order, and who gives way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.waiting import wait_until
from vbotd.errors import VbotdError
from vbotd.host import discovery
from vbotd.host.catalogue import Catalogue, PluginCard, read_catalogue
from vbotd.host.discovery import find, mount_workspace
from vbotd.host.messages import AnswerArrived, PluginFault, Question
from vbotd.host.one_shot import one_shot_answers, one_shot_catalogue
from vbotd.host.registry import Registry

TASK = """
from vbotd.domain.task import TaskCard
@hookimpl
def vbotd_tasks():
    return [TaskCard(name="hop", summary="x", factory="x:y")]
"""


def names(home: Path, allowed: list[str] | None = None) -> list[str]:
    return [candidate.name for candidate in find(home, allowed)[0]]


def test_files_and_packages_are_found_and_hidden_ones_skipped(workspace: Callable[..., Path]) -> None:
    home = workspace(b="", a="", _c="")
    package = home / "plugins" / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import vbotd_tasks\n")
    (package / "inner.py").write_text("from vbotd.hookspecs import hookimpl\n" + TASK)
    (home / "plugins" / ".hidden").mkdir()
    (home / "plugins" / "notes.md").write_text("")
    assert names(home) == ["a", "b", "pack"]
    catalogue = Registry(home).catalogue
    assert catalogue.task("hop") and not catalogue.failures
    assert catalogue.plugins[-1] == PluginCard(name="pack", source="plugins/pack", hooks=("tasks",))


def test_the_allow_list_and_the_variable_narrow(workspace: Callable[..., Path],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    home = workspace(a_b="", c="", d="")
    assert names(home, ["a-b", "c"]) == ["a_b", "c"]
    monkeypatch.setenv("VBOTD_PLUGINS", "c, d")
    assert names(home) == ["c", "d"]
    assert names(home, ["a-b", "c"]) == ["c"]
    monkeypatch.setenv("VBOTD_PLUGINS", "")
    assert names(home) == []


def test_an_entry_point_wins_over_the_same_file_and_a_taken_name_is_told(
        workspace: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = workspace(mine="", yours="")
    (home / "plugins" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(home))  # an editable install too makes plugins/ importable as a package
    points = [EntryPoint(name="mine", value="plugins.mine", group="vbotd"),
              EntryPoint(name="yours", value="json.tool", group="vbotd")]
    monkeypatch.setattr(discovery, "entry_points", lambda group: points)
    monkeypatch.delitem(sys.modules, "plugins", raising=False)
    found, failures = find(home)
    assert [(one.name, one.source) for one in found] == [
        ("mine", "entry point plugins.mine"), ("yours", "entry point json.tool")]
    (failure,) = failures
    assert "comes from both entry point json.tool and plugins/yours.py" in failure.error
    assert "plugins.mine" not in sys.modules and "json.tool" not in sys.modules


def test_a_clash_of_nouns_names_both_and_the_later_is_left_out(workspace: Callable[..., Path]) -> None:
    catalogue = Registry(workspace(a=TASK, b=TASK)).catalogue
    assert len(catalogue.tasks) == 1
    assert catalogue.failures[0].name == "b"
    assert catalogue.failures[0].error == (
        "task 'hop' is offered by both 'a' and 'b' — names are unique, the first is used — rename one")


def test_a_noun_that_raises_or_is_none_leaves_the_rest_of_the_plugin(workspace: Callable[..., Path]) -> None:
    text = TASK + "@hookimpl\ndef vbotd_tools(): return [3]\n@hookimpl\ndef vbotd_skills(): raise OSError('disk')\n"
    catalogue = Registry(workspace(a=text)).catalogue
    assert catalogue.task("hop")
    assert [failure.error.split(" at ")[0] for failure in catalogue.failures] == [
        "tools answered list[int], wanted is list[ToolCard]", "OSError: disk"]


@pytest.mark.parametrize(("text", "said"), [
    ("@hookimpl\ndef vbotd_judge(trial, past): pass", "past"),
    ("def vbotd_judge(trial): pass", "write @hookimpl above it"),
    ("def broken(:\n", "SyntaxError: invalid syntax at a.py:3"),
    ("import sys; sys.exit(4)", "SystemExit: 4 at a.py:3"),
])
def test_a_module_that_does_not_keep_to_the_contract_is_left_out(workspace: Callable[..., Path], text: str,
                                                                 said: str) -> None:
    catalogue = Registry(workspace(a=text, b=TASK)).catalogue
    assert [plugin.name for plugin in catalogue.plugins] == ["b"]
    assert said in catalogue.failures[0].error


def test_a_worker_can_import_a_workspace_plugin_by_name(workspace: Callable[..., Path]) -> None:
    import importlib

    home = workspace(only_here="def make(): return 7")
    mount_workspace(home / "plugins")
    assert importlib.import_module("vbotd_workspace.only_here").make() == 7


def test_the_one_shot_catalogue_is_kept_until_a_plugin_changes(workspace: Callable[..., Path],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    home = workspace(a=TASK + "open('loaded', 'a').write('x')")
    assert one_shot_catalogue(home, plugins_allowed=["a"]).task("hop")
    assert one_shot_catalogue(home, plugins_allowed=["a"]).task("hop")
    assert (home / "loaded").read_text() == "x"  # the second time came from the file
    kept = read_catalogue(home)
    assert isinstance(kept, Catalogue) and kept.sha256 == one_shot_catalogue(home, plugins_allowed=["a"]).sha256
    (home / "plugins" / "a.py").write_text("open('loaded', 'a').write('y')")
    assert one_shot_catalogue(home, plugins_allowed=["a"]).tasks == ()
    (home / "state" / "catalogue.json").write_text("{")
    assert one_shot_catalogue(home, plugins_allowed=["a"]).tasks == ()
    assert (home / "loaded").read_text() == "xyy"


def test_a_catalogue_with_a_failure_is_not_reused(workspace: Callable[..., Path]) -> None:
    home = workspace(a="import this_is_not_installed_yet")
    assert one_shot_catalogue(home, plugins_allowed=["a"]).failures
    (home / "later").mkdir()
    assert one_shot_catalogue(home, plugins_allowed=["a"]).failures[0].name == "a"
    assert (home / "state" / "host.log").read_text().count("ModuleNotFoundError") == 2


def test_one_shot_answers_and_their_time_limit(workspace: Callable[..., Path]) -> None:
    home = workspace(a="@hookimpl\ndef vbotd_wake_up(): return Section(title='t', lines=('x',))",
                     b="@hookimpl\ndef vbotd_wake_up(): 1 / 0")
    ask = Question(hook="wake_up", args={"histories": []})
    answer, fault = one_shot_answers(home, ask, plugins_allowed=["a", "b"])
    assert isinstance(answer, AnswerArrived) and answer.value.title == "t"
    assert isinstance(fault, PluginFault) and fault.plugin == "b"
    with pytest.raises(VbotdError, match=r"within 0 s — see state/host\.log"):
        one_shot_answers(home, ask, plugins_allowed=["a"], timeout_s=0.0)


def test_the_client_loads_no_plugin_and_nothing_heavy() -> None:
    code = ("import sys, vbotd.host.client, vbotd.host.one_shot; "
            "print(sorted({'torch', 'mujoco', 'optuna', 'numpy', 'openai'} & set(sys.modules)))")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.strip() == "[]"


def test_waiting_gives_up_with_the_last_value() -> None:
    assert wait_until(lambda: 5) == 5
    with pytest.raises(AssertionError, match=r"not true within 0\.05 s.*last value: \[\]"):
        wait_until(list, 0.05)
