"""A week that takes a minute: the rules under a fake clock, with ten thousand trials and every fault we know.

The world is a value too: a seeded dice decides which run ends when and how, when the daemon is killed and begins again
from what the store would hold, when the disk fills up, when a plugin dies. The same seed is the same week. What values
do not have, files, descriptors, a report, is looked at in a week of the daemon itself (`daemon_day.py`).
"""

from __future__ import annotations

import pickle
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.core.given import circumstances, content, seen_file
from tests.gauntlet import daemon_day
from tests.gauntlet.flat import STALE_S, told
from tests.gauntlet.lanes import side_by_side
from tests.gauntlet.row import Row, Trial
from vbotd.core import sighting as s
from vbotd.core.decide import decide
from vbotd.core.plan import Done, Spawn, plan
from vbotd.core.sighting import ExitSeen, RunSeen
from vbotd.core.state import State, fold, without_closed
from vbotd.domain import event as e
from vbotd.domain.event import Stored
from vbotd.domain.trial import Run

TRIALS = 10_000
A_CAMPAIGN = 20
TICK_S = 120.0
CORES = 16
MEMORY_GROWTH = 1.5  # the second half of the week against the first


@dataclass(slots=True)
class Week:
    """The world and the daemon's picture of it."""

    dice: random.Random
    now: float = 1_000_000.0
    seq: int = 0
    state: State = field(default_factory=State)
    done: Done = field(default_factory=Done)
    ends: dict[str, float] = field(default_factory=dict)  # by token: when a run that was spawned ends
    outcomes: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    closed: int = 0
    held: str = ""

    def tick(self, *sightings: Any) -> None:
        """One turn of the loop: decide, fold, plan, and let the world take up what is spawned."""
        given = circumstances(now=self.now, cores=CORES, hold=self.held, nonce=str(self.seq))
        events = decide(self.state, sightings, given)
        stored = tuple(Stored(seq=self.seq + n, at=self.now, event=event) for n, event in enumerate(events, 1))
        self.seq += len(events)
        self.state = without_closed(fold(self.state, stored))
        for event in events:
            self.judged += isinstance(event, e.TrialJudged)
            self.closed += isinstance(event, e.CampaignClosed)
            if isinstance(event, e.RunEnded):
                self.outcomes[event.outcome] += 1
        if any(isinstance(event, e.CampaignClosed) for event in events):
            self.done.forget_closed(self.state)
        for effect in plan(self.state, self.done, given):
            if isinstance(effect, Spawn):
                self.done.spawned.add(effect.run.token)
                # One in a hundred launches never claims, and is fenced; a second shim of a launch loses the claim.
                if effect.run.token not in self.ends and self.dice.random() > 0.01:
                    self.ends[effect.run.token] = self.now + self.dice.uniform(30.0, 2400.0)

    def looks(self) -> list[RunSeen]:
        """What there is to see of the live runs now."""
        return [self.look(run) for run in self.state.runs.values() if run.is_live]

    def look(self, run: Run) -> RunSeen:
        """A run whose launch never claimed, one at work, or one that ended: well, badly, or without a word."""
        end = self.ends.get(run.token)
        if end is None:
            return RunSeen(run=run.id, claim="none", alive=False, fence="won")
        if self.now < end:
            return RunSeen(run=run.id, claim="shim", alive=True, pid=7, claimed_at=self.now)
        dice = self.dice.random()
        if dice < 0.02:
            return RunSeen(run=run.id, claim="shim", alive=False, swept=True)
        code = 0 if dice < 0.95 else 1
        steps = 1000
        result = {"outcome": "finished", "env_steps": steps, "simulated_s": 1.0, "checkpoint": {
            "path": "checkpoints/ckpt_000000001000.pt", "sha256": "ab", "env_steps": steps},
            "metrics": {"eval/success_rate": {"value": dice, "low": dice - 0.05, "high": dice + 0.05, "n": 256}}}
        return RunSeen(run=run.id, claim="shim", alive=False, pid=7, claimed_at=self.now,
                       exit=ExitSeen(exit_code=code, signal=None, ended_at=self.now, duration_s=5.0),
                       result=result if code == 0 else None)

    def fault(self) -> None:
        """Something goes wrong, or is over."""
        what = self.dice.random()
        if what < 0.5:
            self.done = Done()  # the daemon was killed: what it has set going it does not know any more
        elif what < 0.8:
            self.held = "" if self.held else "the disk has 12 MiB left"

    def resumed(self) -> list[s.CommandSeen]:
        """A person lets paused campaigns go on in the morning."""
        paused = [campaign.id for campaign in self.state.campaigns.values() if campaign.status == "paused"]
        return [s.CommandSeen(key=f"resume-{name}-{self.seq}", verb="resume", args={"id": name}, principal="ada")
                for name in paused]


def a_simulated_week(trial: Trial) -> Row:
    """Live a week of ten thousand trials as values, a short one twice from the same seed, and beside it a week of the
    daemon itself with its files."""
    trials = trial.times(TRIALS, 15 * A_CAMPAIGN)
    lived, lives = side_by_side([
        partial(daemon_day.live, trial.folder / "week", daemon_day.WEEK_S * trial.share, trial.seed),
        partial(_lives, trials, trial.seed)], trial.folder, 2)
    (one, peaks), (two, _), (other, _) = lives
    growth = max(peaks[len(peaks) // 2:]) / max(peaks[:len(peaks) // 2])
    wrong = []
    if one.judged != trials or one.closed != trials // A_CAMPAIGN:
        wrong.append(f"{one.judged} of {trials} trials judged, {one.closed} of {trials // A_CAMPAIGN} campaigns closed")
    if (two.seq, two.now, two.outcomes) != (other.seq, other.now, other.outcomes):
        wrong.append("the same seed gave another week")
    if growth > MEMORY_GROWTH:
        wrong.append(f"memory grew {growth:.2f}-fold in the second half")
    wrong += lived.wrong
    days = (one.now - 1_000_000.0) / 86400.0
    outcomes = ", ".join(f"{count:,} {name}" for name, count in one.outcomes.most_common())
    return Row(
        name="a simulated week", ok=not wrong, failures=tuple(wrong),
        figure=f"{trials:,} trials in {days:.1f} days, {one.seq:,} events, {outcomes}; memory x {growth:.2f}. "
        f"{told(lived)}",
        bar="all judged, the same again from the same seed; memory flat, descriptors constant, disk under its cap, no "
        f"champion deleted, the report never older than {STALE_S:.0f} s")


def _lives(trials: int, seed: int) -> list[tuple[Week, list[int]]]:
    return [live(trials, seed), *(live(A_CAMPAIGN * 3, seed) for _ in range(2))]


def live(trials: int, seed: int) -> tuple[Week, list[int]]:
    """Let campaigns arrive through the week until all are closed; return it, and the state's size as it went."""
    week = Week(dice=random.Random(seed))
    campaigns, arrived, peaks, ticks = trials // A_CAMPAIGN, 0, [], 0
    while week.closed < campaigns:
        sightings: list[Any] = week.looks()
        if arrived < campaigns and len(week.state.campaigns) < 6:
            arrived += 1
            sightings.append(seen_file(content(f"night-{arrived:04d}", trials=A_CAMPAIGN)))
        if week.dice.random() < 0.01:
            week.fault()
        if ticks % 60 == 59:
            week.held = ""
            sightings += week.resumed()
        week.tick(*sightings)
        week.now += TICK_S
        ticks += 1
        if ticks % 50 == 0:
            week.ends = {token: end for token, end in week.ends.items() if end > week.now - 86400.0}
            peaks.append(len(pickle.dumps((week.state, week.done))))
        if ticks > 400 * trials:
            break
    return week, peaks if len(peaks) > 1 else [1, 1]
