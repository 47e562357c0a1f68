"""The group of verbs: one module each, light to start, and one that is missing costs nobody else anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.stories import tell
from vbotd import cli as package
from vbotd.cli import VERBS, cli, is_there

HEAVY = {"torch", "mujoco", "openai", "optuna", "scipy", "tensorboard", "matplotlib"}
ALL = [verb for verbs in VERBS.values() for verb in verbs]


@pytest.mark.parametrize("verb", [verb for verb in ALL if is_there(verb)])
def test_every_verb_has_a_command_of_its_name_with_help(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None and command.name == verb
    assert CliRunner().invoke(cli, [verb, "--help"]).exit_code == 0


def test_a_verb_whose_module_is_missing_says_so_and_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "VERBS", {"Some": {"status": "what stands where", "levitate": "not yet"}})
    result = CliRunner().invoke(cli, ["levitate"])
    assert result.exit_code == 1 and "'levitate' is not part of this installation" in result.output
    listed = CliRunner().invoke(cli, ["--help"])
    assert "status" in listed.output and "levitate" not in listed.output


def test_an_unknown_verb_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(cli, ["statsu"])
    assert result.exit_code == 2 and "did you mean 'status'" in result.output


def test_home_names_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path / "elsewhere"))
    tell(tmp_path / "w", "success")
    result = CliRunner().invoke(cli, ["--home", str(tmp_path / "w"), "status"])
    assert "flat-night-1123" in result.output


@pytest.mark.parametrize("args", [("status",), ("report",), ("log",), ("explain", "flat"), ("watch", "--json"),
                                  ("review",), ("--help",)])
def test_reading_verbs_load_nothing_heavy(tmp_path: Path, args: tuple[str, ...]) -> None:
    tell(tmp_path, "success")
    done = vbotd_process(tmp_path, *args, before="import atexit, json, sys\natexit.register(lambda: print('MODULES', "
                         "json.dumps(sorted({m.partition('.')[0] for m in sys.modules})), file=sys.stderr))\n")
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.rpartition("MODULES ")[2]))
    assert not loaded & HEAVY
    if args[0] == "status":
        assert not loaded & {"pydantic", "rich", "yaml"}, "they cost a quarter of a second"


def test_an_expected_error_is_a_message_and_an_exit_code(tmp_path: Path) -> None:
    tell(tmp_path, "success")
    done = vbotd_process(tmp_path, "explain", "nobody")
    assert done.returncode == 5
    assert done.stderr.startswith("vbotd: no campaign, trial, run or event 'nobody'")
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_130(tmp_path: Path) -> None:
    before = ("import click\nfrom vbotd.cli import status\n"
              "@click.command('status')\ndef stopped():\n    raise KeyboardInterrupt\nstatus.command = stopped\n")
    assert vbotd_process(tmp_path, "status", before=before).returncode == 130


def vbotd_process(home: Path, *args: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user would, after a few lines of Python."""
    code = f"import sys\nsys.argv = ['vbotd', *{list(args)!r}]\n{before}\nfrom vbotd.__main__ import main\nmain()\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "VBOTD_HOME": str(home)}, check=False)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    tell(tmp_path, "success")
    done = subprocess.run(f"{sys.executable} -m vbotd log -n 1000 | head -1", shell=True, capture_output=True,
                          text=True, timeout=60, env={**os.environ, "VBOTD_HOME": str(tmp_path)}, check=False)
    assert done.stdout.count("\n") == 1 and "Traceback" not in done.stderr


