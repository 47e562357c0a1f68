"""Named places where a test may kill or hinder this very process; in any other workspace they do nothing.

A place is armed by the variable `VBOTD_FAILPOINTS`, and only where the workspace carries the mark that
`vbotd chaos` and the gauntlet leave in theirs: nobody's night ends by a forgotten variable.

    VBOTD_FAILPOINTS="commit.before=kill@3; write.before_rename=ENOSPC@2; launch.after_spawn=sleep:5"

`@N` is the N-th time that the place is passed (without it: the first); `@N+` is that time and all later ones.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("vbotd.failpoint")

VARIABLE = "VBOTD_FAILPOINTS"
MARK = ".vbotd-chaos"  # in the workspace's own folder
NAMES = (
    "commit.before", "commit.after_events", "commit.before_end", "commit.after",
    "write.before_create", "write.before_fsync", "write.before_rename", "write.after_rename",
    "intake.after_read", "intake.before_put_away", "intake.after_put_away", "command.before_forget",
    "launch.before_spec", "launch.before_spawn", "launch.after_spawn",
    "backup.before_rename", "tick.before_decide", "tick.before_perform", "tick.end",
    "agent.after_reserve", "agent.after_answer", "agent.after_record", "agent.after_settle",
)
_RULE = re.compile(r"^\s*([a-z_.]+)\s*=\s*(kill|sleep:[\d.]+|E[A-Z0-9]+)(?:@(\d+)(\+)?)?\s*$")


class BadFailpoint(ValueError):
    """The variable cannot be read; the message says which part."""


@dataclass(slots=True)
class _Rule:
    action: str
    at: int
    onwards: bool
    passed: int = 0


_rules: dict[str, _Rule] = {}


def arm(home: Path, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Arm what the environment asks for, if the workspace is marked; return the armed names. Raises: BadFailpoint."""
    _rules.clear()
    wanted = environ.get(VARIABLE, "")
    if wanted and (home / MARK).exists():
        for part in filter(str.strip, wanted.split(";")):
            name, rule = _parsed(part)
            _rules[name] = rule
    return tuple(_rules)


def hit(name: str) -> None:
    """Pass a place: nothing happens unless it is armed. Raises: OSError where the rule names an error number."""
    if not _rules:
        return
    rule = _rules.get(name)
    if rule is None:
        return
    rule.passed += 1
    if rule.passed == rule.at or (rule.onwards and rule.passed > rule.at):
        _act(name, rule.action)


def _act(name: str, action: str) -> None:
    log.warning("action=failpoint place=%s what=%s", name, action)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    else:
        number = getattr(errno, action)
        raise OSError(number, f"{os.strerror(number)} (failpoint {name})")


def _parsed(part: str) -> tuple[str, _Rule]:
    match = _RULE.match(part)
    if match is None or match[1] not in NAMES:
        raise BadFailpoint(f"{VARIABLE}: '{part.strip()}' is no rule — allowed: PLACE=kill|sleep:S|ENOSPC[@N[+]], "
                           f"PLACE one of {', '.join(NAMES)}")
    if match[2].startswith("E") and not hasattr(errno, match[2]):
        raise BadFailpoint(f"{VARIABLE}: '{match[2]}' is no error number — allowed: ENOSPC, EIO, EROFS and so on")
    return match[1], _Rule(action=match[2], at=int(match[3] or 1), onwards=bool(match[4]))
