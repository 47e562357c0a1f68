"""How often are the verdicts of a night wrong? Simulated nights whose truth is known, judged by the daemon's own code.

    python bench/nights.py [--nights 1000] [--seed 1] [--save]

A night tries 15 settings with one seed each, takes the best to the final with the baseline, and trains both with
further seeds until `core.judge` has decided, wants no more, or the pairs are used up. One standard deviation (sd) is
how far runs of one setting lie apart. Judged are nights of three kinds:
* all settings are equal: at most 5 % of the nights may confirm anything;
* one setting is 2 sd better than all others: of the nights with it in the final, 80 % must confirm it with 6 pairs;
* settings differ by chance: what is reported of the champion may lie 0.1 sd beside the truth in the mean.
`r` is how alike the two runs of a pair are; 0 is the worst case, in which equal seeds and episodes help nothing.
Shown without a bar: settings that scatter unequally, runs that collapse, and claims that come one after the other.
What the rule before this one had is kept in the saved result as `before` (docs/DECISIONS/0012).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from vbotd.core.interval import of_mean, of_rate
from vbotd.core.judge import CONFIRM, default_opinion, reported
from vbotd.core.ranking import best_of
from vbotd.core.verdict.claims import claim_of, claims_of, entrant
from vbotd.core.verdict.lengths import SCORE
from vbotd.core.verdict.looks import LOOKS
from vbotd.core.verdict.noise import spread_over_seeds
from vbotd.core.verdict.shrinkage import shrunken
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.task import TaskCard
from vbotd.domain.trial import Proposal, Run, Trial

RESULTS = Path(__file__).with_name("results-nights.json")
TASK = TaskCard(name="night", summary="", factory="", metric=MetricCard(tag="eval/score"))
SETTINGS = 15
MIDDLE, SD = 0.6, 0.05  # of the score; sd is the unit of everything else here
EPISODES_SD = 0.3  # what a finite number of episodes adds, a part of the sd of a run
FALL = 5.0  # by how much a run that collapses scores lower
MOST_FALSE, LEAST_POWER, MOST_BIAS = 0.05, 0.8, 0.1
PAIRS_FOR_POWER = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true in a night. `finalists` go to the final beside the baseline, one after the other if `in_turn`.

    `gap` is by how much one setting is better, `differ` the sd of what all settings are worth; `unequal` the sd of the
    logarithm of their own spreads; `collapses` the share of runs that end FALL lower.
    """

    name: str
    bar: str = ""
    r: float = 0.0
    finalists: int = 1
    gap: float = 0.0
    differ: float = 0.0
    unequal: float = 0.0
    collapses: float = 0.0
    in_turn: bool = False
    most_pairs: int = LOOKS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """How a night went: what was confirmed, and by how much the numbers about its champion were off, in sd."""

    confirmed_falsely: bool
    in_final: bool
    found: bool
    pairs: int
    off: float
    over_seeds: bool
    off_when_chosen: float
    off_when_shrunken: float
    covered: tuple[bool, ...]


WORLDS = (
    World(name="equal", bar="false", r=0.0), World(name="equal-paired", bar="false", r=0.5),
    World(name="equal-three", bar="false", r=0.0, finalists=3),
    World(name="equal-three-paired", bar="false", r=0.5, finalists=3),
    World(name="better", bar="power", r=0.0, gap=2.0, most_pairs=PAIRS_FOR_POWER),
    World(name="better-paired", bar="power", r=0.5, gap=2.0, most_pairs=PAIRS_FOR_POWER),
    World(name="better-three", bar="power", r=0.0, finalists=3, gap=2.0, most_pairs=PAIRS_FOR_POWER),
    World(name="better-three-paired", bar="power", r=0.5, finalists=3, gap=2.0, most_pairs=PAIRS_FOR_POWER),
    World(name="differ", bar="bias", differ=1.0), World(name="differ-three", bar="bias", differ=1.0, finalists=3),
    World(name="unequal", unequal=0.5), World(name="unequal-three", unequal=0.5, finalists=3),
    World(name="collapses", collapses=0.1), World(name="collapses-three", collapses=0.1, finalists=3),
    World(name="in-turn", finalists=3, in_turn=True),
)


class Runs:
    """The runs of a night: draws what a setting has with a seed, once, and hands it out as the daemon's runs."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world, self.dice = world, dice
        self.worth = [dice.gauss(0.0, world.differ) for _ in range(SETTINGS)]
        if world.gap:
            self.worth[dice.randrange(1, SETTINGS)] += world.gap
        self.own_sd = [math.exp(dice.gauss(0.0, world.unequal)) for _ in range(SETTINGS)]
        self._shared: dict[int, float] = {}
        self._drawn: dict[tuple[int, int], float] = {}
        self.made: list[Run] = []

    def score(self, setting: int, seed: int) -> float:
        """Return what the run of a setting is worth, in sd: the setting, what its pair shares, its own luck."""
        if (setting, seed) not in self._drawn:
            shared = self._shared.setdefault(seed, self.dice.gauss(0.0, 1.0)) * math.sqrt(self.world.r)
            luck = self.dice.gauss(0.0, math.sqrt(1 - self.world.r)) * self.own_sd[setting]
            fallen = FALL if self.dice.random() < self.world.collapses else 0.0
            self._drawn[setting, seed] = self.worth[setting] + shared + luck - fallen
        return self._drawn[setting, seed]

    def evaluate(self, setting: int, seed: int, purpose: str = SCORE) -> Measurement:
        """Add the evaluation of a run and return what it measured."""
        value, half = MIDDLE + SD * self.score(setting, seed), 1.96 * EPISODES_SD * SD
        measured = Measurement(value=value, low=value - half, high=value + half, n=256)
        trial = name_of(setting)
        self.made.append(Run(id=f"{trial}/{purpose}-s{seed}", campaign="n", trial=trial, kind="evaluate", seed=seed,
                             attempt=1, status="ended", queued_at=0.0, purpose=purpose, outcome="finished",
                             metrics={TASK.metric.tag: measured}))
        return measured


def main() -> None:
    """Simulate, print a table to stderr and one JSON line to stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    asked = parser.parse_args()
    begun = time.monotonic()
    rows = {}
    for world in WORLDS:
        rows[world.name] = row_of(world, nights_of(world, asked.nights, asked.seed))
        print(f"{world.name:<22}" + "  ".join(f"{key} {value}" for key, value in rows[world.name].items()),
              file=sys.stderr, flush=True)
    result = {"bench": "nights", "nights": asked.nights, "seed": asked.seed, "rows": rows,
              "wall_s": round(time.monotonic() - begun, 1),
              "passed": all(row.get("passed", True) for row in rows.values())}
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    line = json.dumps(result | ({"before": kept["before"]} if "before" in kept else {}))
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")


def nights_of(world: World, count: int, seed: int) -> list[Night]:
    """Return so many nights of a world; the same seed gives the same ones."""
    dice = random.Random(f"{seed}/{world.name}")
    return [night(world, dice) for _ in range(count)]


def night(world: World, dice: random.Random) -> Night:
    """Live through one night: the search, the final, the report."""
    runs = Runs(world, dice)
    trials = [Trial(id=name_of(s), campaign="n", number=s + 1, proposal=Proposal(params={}, proposer="sim"),
                    params={}, admitted_at=0.0, seeds=(1,), judged=True, verdict="keep", score=runs.evaluate(s, 1))
              for s in range(SETTINGS)]
    by_score = sorted(range(SETTINGS), key=lambda s: -runs.score(s, 1))
    finalists = [s for s in by_score if s][:world.finalists]
    for entering in ([[s] for s in finalists] if world.in_turn else [finalists]):
        final(world, runs, trials, entering)
    for setting in finalists:  # as the daemon does when a claim beside it has come to something
        trials[setting] = judged(trials, setting, runs)
    promoted = [s for s in finalists if trials[s].verdict == "promote"]
    best_setting = max(range(SETTINGS), key=lambda s: runs.worth[s])
    champion = best_of(trials, TASK)
    assert champion is not None and champion.score is not None
    setting = trials.index(champion)
    for seed in champion.seeds:
        runs.evaluate(setting, seed, CONFIRM)
    told = reported(champion, runs.made)
    value = told.metrics[TASK.metric.tag].value if told else champion.score.value  # its own checkpoint's, no better
    spread = spread_over_seeds([scores for t in trials if (scores := report_scores(t, runs))])
    assert spread is not None
    expected = shrunken(champion.score.value, [t.score.value for t in trials if t.score], spread)
    claims = claims_of(trials, runs.made, TASK.metric)
    truth = runs.worth[setting] - FALL * world.collapses
    return Night(
        confirmed_falsely=any(runs.worth[s] <= runs.worth[0] for s in promoted), in_final=best_setting in finalists,
        found=best_setting in promoted, pairs=max(len(claim.seeds) for claim in claims),
        off=in_sd(value) - truth, over_seeds=told is not None, off_when_chosen=in_sd(champion.score.value) - truth,
        off_when_shrunken=in_sd(expected) - truth,
        covered=tuple(claim.contest.low <= SD * (runs.worth[setting_of(claim.trial)] - runs.worth[0])
                      <= claim.contest.high for claim in claims if claim.contest is not None))


def final(world: World, runs: Runs, trials: list[Trial], entering: Sequence[int]) -> None:
    """Train the finalists and the baseline with further seeds until each is decided; changes `trials`."""
    open_now = list(entering)
    for pairs in (look for look in LOOKS if look <= world.most_pairs):
        for setting in {0, *open_now}:
            for seed in range(len(trials[setting].seeds) + 100, pairs + 101):
                runs.evaluate(setting, seed)
                trials[setting] = replace(trials[setting], seeds=(*trials[setting].seeds, seed))
        for setting in tuple(open_now):
            trials[setting] = judged(trials, setting, runs)
            claim = claim_of(name_of(setting), claims_of(trials, runs.made, TASK.metric))
            if claim is None or claim.ruling is None or claim.ruling.further is None:  # decided, or not worth more
                open_now.remove(setting)
        if not open_now:
            return


def judged(trials: Sequence[Trial], setting: int, runs: Runs) -> Trial:
    """Return a trial with the verdict that the core gives it now."""
    trial = trials[setting]
    opinion, _ = default_opinion(trial, runs.made, [t for t in trials if t.id != trial.id], TASK)
    return replace(trial, verdict=opinion.verdict, why=opinion.why)


def row_of(world: World, nights: Sequence[Night]) -> dict[str, Any]:
    """Return what the nights of a world come to, with 95 % intervals, and whether its bar holds."""
    wrong = of_rate(sum(n.confirmed_falsely for n in nights), len(nights))
    finals = [n for n in nights if n.in_final]
    bias = of_mean([n.off for n in nights])
    covered = [inside for n in nights for inside in n.covered]
    row: dict[str, Any] = {
        "false": round(wrong["value"], 4), "false_interval": [round(wrong["low"], 4), round(wrong["high"], 4)],
        "pairs": round(fmean(n.pairs for n in nights), 2), "bias": round(bias["value"], 3),
        "bias_interval": [round(bias["low"], 3), round(bias["high"], 3)],
        "over_seeds": round(fmean(n.over_seeds for n in nights), 3),
        "bias_when_chosen": round(fmean(n.off_when_chosen for n in nights), 3),
        "bias_shrunken": round(fmean(n.off_when_shrunken for n in nights), 3),
        "covered": round(fmean(covered), 3)}
    if world.gap:
        power = of_rate(sum(n.found for n in finals), len(finals))
        row |= {"in_final": len(finals), "power": round(power["value"], 3),
                "power_interval": [round(power["low"], 3), round(power["high"], 3)]}
    if world.bar:
        row["passed"] = {"false": wrong["value"] <= MOST_FALSE and abs(bias["value"]) <= MOST_BIAS,
                         "power": row.get("power", 0.0) >= LEAST_POWER and abs(bias["value"]) <= MOST_BIAS,
                         "bias": abs(bias["value"]) <= MOST_BIAS}[world.bar]
    return row


def report_scores(trial: Trial, runs: Runs) -> dict[int, float]:
    """Return the scores of a trial's report seeds, by seed."""
    return {seed: m.value for seed, m in entrant(trial, runs.made, TASK.metric.tag).scores.items()}


def name_of(setting: int) -> str:
    return f"n/t{setting + 1:03d}"


def setting_of(trial: str) -> int:
    return int(trial[-3:]) - 1


def in_sd(value: float) -> float:
    return (value - MIDDLE) / SD


if __name__ == "__main__":
    main()
