"""What is known of each attempt at a rung: read anew from the campaign's history, and kept nowhere.

An attempt is a trial that this skill proposed. Its evaluations are told apart by their purpose, such as
`curriculum:gate-1-t003-r0` or `curriculum:memory-0-1-t003-r0`: what for, which time, of which trial and extension.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vbotd.domain.history import History
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import Run, Trial

SKILL = "curriculum"
POISONED = "poisoned-warm-start"  # the finding of the trainer's transfer check
Outcome = Literal["open", "failed", "poisoned", "trained"]
Metrics = Mapping[str, Measurement]

_PURPOSE = re.compile(r"^curriculum:(gate-\d|memory-\d+-\d)-t\d+-r\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A trial of the ladder: how its training ended, and what its newest checkpoint was measured to do.

    Of its first seed alone: further ones are somebody else's, to confirm. `asked` are the evaluations of that
    checkpoint that were asked for, by `gate-1`, `memory-0-1` and so on; `measured` those that have an answer.
    """

    trial: Trial
    outcome: Outcome
    why: str = ""
    env_steps: int = 0
    checkpoint: str = ""
    asked: frozenset[str] = frozenset()
    measured: Mapping[str, Metrics] = field(default_factory=dict)
    scored: Metrics = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The trial's short name."""
        return self.trial.id.rpartition("/")[2]

    def gates(self) -> tuple[Metrics, ...]:
        """Return what the gate's evaluations measured, in their order."""
        return tuple(self.measured[key] for key in ("gate-1", "gate-2") if key in self.measured)

    def memories(self, stage: int, tag: str) -> tuple[Measurement, ...]:
        """Return what an earlier stage, by its place in the file, was measured to be worth now."""
        found = (self.measured.get(memory_key(stage, time), {}).get(tag) for time in (1, 2))
        return tuple(one for one in found if one is not None)


def memory_key(stage: int, time: int) -> str:
    """Return the name of an evaluation at an earlier stage, by its place in the file."""
    return f"memory-{stage}-{time}"


def purpose(trial: Trial, key: str) -> str:
    """Return the purpose of an evaluation: unique, so that its instances are fresh."""
    return f"{key}-t{trial.number:03d}-r{trial.rung}"


def is_mine(trial: Trial) -> bool:
    """Say whether this skill proposed a trial."""
    return trial.proposal.proposer.replace("_", "-") == SKILL and bool(trial.stage)


def attempts_of(history: History) -> tuple[Attempt, ...]:
    """Return the attempts of a campaign, in the order of their trials."""
    return tuple(_attempt(trial, history.runs_of(trial.id)) for trial in history.trials if is_mine(trial))


def evaluated(run: Run) -> str:
    """Return the path of the checkpoint that an evaluation is of, "" for another kind of run."""
    return str((run.spec.get("evaluate") or {}).get("checkpoint", "")) if run.kind == "evaluate" else ""


def _attempt(trial: Trial, runs: tuple[Run, ...]) -> Attempt:
    trains = [run for run in runs if run.kind == "train" and run.seed == (trial.seeds or (run.seed,))[0]]
    last = trains[-1] if trains else None
    outcome, why = _outcome(trial, last)
    checkpoint = last.checkpoint.path if last and last.checkpoint else ""
    of_it = [run for run in runs if checkpoint and evaluated(run) == checkpoint]
    mine = [(match[1], run) for run in of_it if (match := _PURPOSE.search(run.purpose))]
    scores = [run for run in of_it if run.purpose == "score" and run.outcome == "finished"]
    return Attempt(
        trial=trial, outcome=outcome, why=why, env_steps=last.env_steps if last else 0, checkpoint=checkpoint,
        asked=frozenset(key for key, _ in mine),
        measured={key: run.metrics for key, run in mine if run.outcome == "finished" and run.metrics},
        scored=scores[-1].metrics if scores else {})


def _outcome(trial: Trial, train: Run | None) -> tuple[Outcome, str]:
    if train is None or train.status != "ended":
        return ("failed", trial.why) if trial.judged else ("open", "")
    if train.reason.startswith(POISONED) or any(finding.rule == POISONED for finding in train.findings):
        return "poisoned", train.reason
    if train.outcome in ("finished", "stopped") and train.checkpoint is not None:
        return "trained", ""
    return ("failed", train.reason or trial.why) if trial.judged else ("open", "")

