"""Failpoints do nothing outside of a marked workspace, and what they are asked to inside."""

from __future__ import annotations

import errno
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vbotd import failpoint

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def disarmed(tmp_path: Path) -> Iterator[None]:
    yield
    failpoint.arm(tmp_path, {})


def marked(path: Path) -> Path:
    (path / failpoint.MARK).touch()
    return path


def test_without_the_mark_nothing_is_armed(tmp_path: Path):
    assert failpoint.arm(tmp_path, {failpoint.VARIABLE: "commit.before=kill"}) == ()
    failpoint.hit("commit.before")


def test_an_error_comes_at_the_asked_time_only(tmp_path: Path):
    failpoint.arm(marked(tmp_path), {failpoint.VARIABLE: "commit.before=ENOSPC@2; tick.end=EIO@1+"})
    failpoint.hit("commit.before")
    with pytest.raises(OSError, match=r"failpoint commit\.before") as caught:
        failpoint.hit("commit.before")
    assert caught.value.errno == errno.ENOSPC
    failpoint.hit("commit.before")
    for _ in range(3):
        with pytest.raises(OSError, match="failpoint"):
            failpoint.hit("tick.end")


@pytest.mark.parametrize("rule", ["commit=kill", "commit.before=explode", "commit.before=ENOSUCH", "commit.before"])
def test_a_rule_that_is_none_is_an_error_that_says_what_is_allowed(tmp_path: Path, rule: str):
    with pytest.raises(failpoint.BadFailpoint, match=re.escape(rule.split("=")[-1])):
        failpoint.arm(marked(tmp_path), {failpoint.VARIABLE: rule})


def test_kill_is_a_real_one(tmp_path: Path):
    code = ("from pathlib import Path; from vbotd import failpoint; "
            f"failpoint.arm(Path({str(marked(tmp_path))!r}), {{'VBOTD_FAILPOINTS': 'tick.end=kill'}}); "
            "failpoint.hit('tick.end'); print('alive')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL and b"alive" not in done.stdout


def test_every_place_is_in_the_code_once_and_every_place_in_the_code_has_a_name():
    placed = [match for path in (ROOT / "vbotd").rglob("*.py") for match in
              re.findall(r"failpoint\.hit\(\"([a-z_.]+)\"\)", path.read_text())]
    assert sorted(placed) == sorted(failpoint.NAMES)
