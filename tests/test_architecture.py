"""The promises of docs/ARCHITECTURE.md that a machine can check."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vbotd.cli import VERBS, is_there
from vbotd.cli.verb_table import with_table

ROOT = Path(__file__).parents[1]
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 80
HEAVY = ("torch", "mujoco", "openai", "optuna", "scipy")
SAY_NOTHING = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base"}


def modules() -> list[Path]:
    return sorted(path for folder in ("vbotd", "plugins", "bench") for path in (ROOT / folder).rglob("*.py"))


def loaded_by(code: str, home: Path) -> set[str]:
    """Return which heavy modules a fresh interpreter has loaded after some code."""
    probe = f"import sys, json\n{code}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=home, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "VBOTD_HOME": str(home), "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_layers_hold():
    done = subprocess.run([sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; "
                           "sys.exit(lint_imports(config_filename='.importlinter', cache_dir=None))"],
                          cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_idea(path: Path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_FILE_LINES, f"{lines} lines; split it by idea"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MOST_FUNCTION_LINES, f"{node.name} has {length} lines"


def test_names_say_something():
    assert not [path for path in modules() if path.stem in SAY_NOTHING or path.parent.name in SAY_NOTHING]


def test_every_module_says_what_question_it_answers():
    silent = [path for path in modules() if path.stat().st_size
              and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not silent


def present_verbs() -> list[str]:
    return [verb for verbs in VERBS.values() for verb in verbs if is_there(verb)]


def test_the_readme_lists_the_verbs_that_there_are():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == with_table(text), "run 'make docs'"
    assert set(present_verbs()) <= set(re.findall(r"`vbotd ([a-z]+)`", text))


def linked(page: Path) -> Iterator[Path]:
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        yield page.parent / target


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]),
                         ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    assert [str(target) for target in linked(page) if not target.exists()] == []


def test_the_architecture_is_read_in_one_sitting():
    assert len((ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_a_verb_loads_no_training_library(tmp_path: Path):
    imports = "\n".join(f"import vbotd.cli.{verb}" for verb in present_verbs())
    assert loaded_by(imports, tmp_path) == set()


@pytest.mark.parametrize("words", [["--help"], ["status"], ["tasks"], ["plugins"], ["pause", "nothing"]])
def test_the_command_line_loads_no_training_library(words: list[str], tmp_path: Path):
    code = ("from vbotd.__main__ import main\n"
            f"sys.argv = ['vbotd', *{words!r}]\n"
            "try:\n    main()\nexcept SystemExit:\n    pass")
    assert loaded_by(code, tmp_path) == set()


def test_the_daemon_loads_no_training_library(tmp_path: Path):
    names = [f"vbotd.daemon.{path.stem}" for path in sorted((ROOT / "vbotd" / "daemon").glob("*.py"))
             if not path.stem.startswith("__")]
    assert names
    assert loaded_by("\n".join(f"import {name}" for name in names), tmp_path) == set()


def test_a_daemon_that_has_run_loaded_no_training_library(tmp_path: Path):
    # The real thing: take the lock, start the host, find nothing to do, end.
    code = ("from vbotd.daemon.process import run_daemon\nfrom vbotd.layout import Layout\n"
            "run_daemon(Layout.find(), until_idle=True, quiet=True)")
    assert loaded_by(code, tmp_path) == set()


def test_the_plugin_host_loads_no_training_library(tmp_path: Path):
    code = ("from pathlib import Path\nfrom vbotd.host.registry import Registry\n"
            f"Registry(Path({str(tmp_path)!r}), allowed=None, blocked=(), announce=lambda plugin, hook: None)")
    # The search plugin may load its own library, which is why it is a plugin; never torch or mujoco.
    assert loaded_by(code, tmp_path) <= {"optuna", "scipy"}


def test_verbs_are_click_commands():
    import click
    for verb in present_verbs():
        assert isinstance(importlib.import_module(f"vbotd.cli.{verb}").command, click.Command), verb
