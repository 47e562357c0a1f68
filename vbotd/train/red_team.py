"""Can the reward be earned without the task? A search that tries to, before anything is trained on it.

The cross-entropy method looks among simple behaviours (`cheats`) for the one that is paid most while the task's own
metric stays low. A learner has a thousand times the freedom: what this finds, training finds too.

Reads: spec.json. Writes: red_team.json (all numbers, the best cheats), result.json (the findings) and, where a cheat is
paid too well, red_team.mp4 of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vbotd.core.probe_sums import HONEST, Measured, ProbeSums, costs, num, payers, ratio
from vbotd.domain.finding import Finding
from vbotd.domain.task import TaskCard
from vbotd.train import cheat_film
from vbotd.train.audit import MAX_CONTROL_STEPS, conduct, measured_of, probe_json
from vbotd.train.cheats import FAMILIES, Family
from vbotd.train.probes import Probe, Rolled, probes_for, roll
from vbotd.train.runio import RunFolder, RunSpec
from vbotd.train.tasks import registry
from vbotd.train.tasks.settings import Settings, resolve
from vbotd.train.worker import build

FILM = "red_team.mp4"
RULE = "reward-budget/red-team"  # 'allow: [reward-budget]' overrules it with the audit's
POPULATION = 64
ELITES = 8  # of each family's half
EPISODES = 4  # of a candidate in the search, fewer where the machine is slow
FEWEST_GENERATIONS = 4  # that the episodes of a candidate should leave time for
PROOF_EPISODES = 16  # of the best, on instances that did not choose them
PROVED = 4  # that are measured again
SEARCH_S = 80.0  # a generation that is not done by then is dropped; the proof takes the rest of 120 s
MOST_GENERATIONS = 12
PAYS = 0.7  # of what doing the task is paid
SPREAD, LEAST_SPREAD, INERTIA = 0.3, 0.05, 0.3  # of the sampling, in shares of a gene's range
PROOF_SEED = 7_919  # added to the run's seed

Tell = Callable[[str, float], None]  # what is being done, and the share 0-1 of the whole that is done
Fitness = Callable[[list[tuple[Family, np.ndarray]]], np.ndarray]  # [C], more is better


class TimeIsUp(Exception):
    """The search has had its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheat:
    """A behaviour that does not do the task, what it was paid, and what share of the reference's pay that is."""

    family: str
    genes: Mapping[str, float]
    sums: ProbeSums
    summary: str
    pay: float


@dataclass(slots=True)
class Cem:
    """The cross-entropy method on one family: a Gaussian in the unit cube that moves to where the best samples are.

    Source: Rubinstein and Kroese 2004; with a floor under the spread, so that it goes on looking.
    """

    family: Family
    rng: np.random.Generator
    mean: np.ndarray = field(init=False)  # [G]
    spread: np.ndarray = field(init=False)  # [G]
    best: np.ndarray | None = None  # [G]
    best_fitness: float = -np.inf

    def __post_init__(self) -> None:
        self.mean = np.array([gene.start for gene in self.family.genes])
        self.spread = np.full(len(self.mean), SPREAD)

    def ask(self, count: int) -> np.ndarray:
        """Return rows [count, G] in 0-1; the best so far is among them, since luck must repeat itself to last."""
        rows = np.clip(self.mean + self.spread * self.rng.standard_normal((count, len(self.mean))), 0.0, 1.0)
        if self.best is not None:
            rows[0] = self.best
        return rows

    def tell(self, rows: np.ndarray, fitness: np.ndarray) -> None:
        """Move to the elite of the rows [count, G] with their fitness [count]."""
        order = np.argsort(-fitness, kind="stable")
        elite = rows[order[:ELITES]]
        self.mean = INERTIA * self.mean + (1.0 - INERTIA) * elite.mean(axis=0)
        self.spread = np.maximum(INERTIA * self.spread + (1.0 - INERTIA) * elite.std(axis=0), LEAST_SPREAD)
        self.best, self.best_fitness = rows[order[0]].copy(), float(fitness[order[0]])


def red_team(folder: RunFolder) -> None:
    """Attack the reward as `spec.json` sets it: a run like any other, whose result holds findings."""
    conduct(folder, "red team", lambda spec, tell: attack(spec, tell, film=folder.path / FILM))


def attack(spec: RunSpec, tell: Tell = lambda doing, share: None, search_s: float = SEARCH_S,
           generations: int | None = None, film: Path | None = None) -> dict[str, Any]:  # fmt: skip
    """Return the report on a run's task and settings, as red_team.json holds it.

    `generations` None: `MOST_GENERATIONS`; `film`: where a cheat that is paid too well is filmed to. Raises: SpecError.
    """
    generations = generations or MOST_GENERATIONS
    began_s = time.perf_counter()
    card = registry.find(spec.task)
    bare = {p.key: p.evaluated_as for p in card.params if p.evaluated_as is not None}
    settings = resolve(card, {**spec.params, **bare})
    tell("measures those who do the task", 0.0)
    range_ = Range(card, settings, spec, lambda: tell("rolls", 0.1))
    honest = measured_of(settings, range_.honest(spec.seed))
    searched = [Cem(family, np.random.default_rng([spec.seed, i])) for i, family in enumerate(FAMILIES)]
    done = 0
    if honest.finisher is not None:
        range_.pulse = _until(began_s + search_s, lambda: tell(
            "looks for cheats", 0.1 + 0.7 * min((time.perf_counter() - began_s) / search_s, 1.0)))
        range_.allot(search_s - (time.perf_counter() - began_s))
        done = search(searched, lambda rows: range_.fitness(rows, honest.finisher), generations)
    range_.pulse = lambda: tell("measures the best cheats again", 0.8)
    proof, cheats, best = range_.prove(searched if done else [], spec.seed + PROOF_SEED)
    findings = judge(proof, cheats)
    shown, not_shown = "", ""
    if film is not None and best is not None and findings[0].level == "error":
        tell("films the best cheat", 0.9)
        shown, not_shown = range_.film(best, spec.seed + PROOF_SEED, film)
        where = f"the film: {_below_home(film, spec.run)}{shown}" if shown else f"no film: {not_shown}"
        findings = (replace(findings[0], fix=f"{findings[0].fix}; {where}"),)
    return {
        "version": 1, "task": spec.task, "params": dict(spec.params), "seed": spec.seed,
        "control_dt_s": proof.control_dt_s, "episode_s": proof.episode_s, "generations": done,
        "candidates": done * POPULATION, "reference": proof.reference.name if proof.reference else None,
        "honest": [probe_json(Probe(name=p.name, summary="", act=_never), Rolled(
            probes=proof.probes, episodes=PROOF_EPISODES, env_steps=0, extended_s=0.0)) for p in proof.probes.values()],
        "cheats": [asdict(cheat) for cheat in cheats], "findings": [asdict(finding) for finding in findings],
        "film": shown, "missing": not_shown,
        "env_steps": range_.env_steps, "wall_s": round(time.perf_counter() - began_s, 1),
    }  # fmt: skip


def search(searched: list[Cem], fitness: Fitness, generations: int) -> int:
    """Let the families improve until the time is up, and return how many generations were finished."""
    half = POPULATION // len(searched)
    for done in range(generations):
        asked = [(cem, cem.ask(half)) for cem in searched]
        try:
            worth = fitness([(cem.family, row) for cem, rows in asked for row in rows])
        except TimeIsUp:
            return done
        for i, (cem, rows) in enumerate(asked):
            cem.tell(rows, worth[i * half : (i + 1) * half])
    return generations


def _until(end_s: float, tell: Callable[[], None]) -> Callable[[], None]:
    """Return what is called while robots move: it tells, and ends the search when its time is up."""

    def pulse() -> None:
        tell()
        if time.perf_counter() > end_s:
            raise TimeIsUp

    return pulse


class Range:
    """Where behaviours are tried: one task under one reward. Counts the env steps that the finished ones took."""

    def __init__(self, card: TaskCard, settings: Settings, spec: RunSpec, pulse: Callable[[], None]) -> None:
        self.pulse = pulse  # called in every control step
        self._card, self._settings, self._spec = card, settings, spec
        self.env_steps = 0
        self._seconds = 0.0
        self._generation = 0
        self._episodes = EPISODES
        env = build(card, settings, 1, spec.seed, 1)
        self._honest = [probe for probe in probes_for(env) if probe.name in HONEST]
        self._has_goal = env.task.asked().place_w_m is not None
        self.episode_s = env.options.episode_steps * env.options.control_dt_s

    def honest(self, seed: int) -> Rolled:
        """Return what the probes are paid that do the task."""
        return self._roll(self._honest, PROOF_EPISODES, seed)

    def allot(self, seconds: float) -> None:
        """Choose how many episodes a candidate gets in a search of so many seconds, by the rate measured so far."""
        affordable = self.env_steps / max(self._seconds, 1e-9) * seconds / FEWEST_GENERATIONS
        steps = self.episode_s / float(self._settings.env["control_dt_s"])
        self._episodes = int(np.clip(affordable / (POPULATION * min(steps, MAX_CONTROL_STEPS)), 1, EPISODES))

    def fitness(self, candidates: list[tuple[Family, np.ndarray]], reference: ProbeSums | None) -> np.ndarray:
        """Return [C]: the share of the reference's pay, less what is due to success; all on the same fresh episodes."""
        assert reference is not None, "who does not know what the task pays cannot compare"
        self._generation += 1
        named = [self._probe(f"c{i}", family, row) for i, (family, row) in enumerate(candidates)]
        sums = self._roll(named, self._episodes, self._spec.seed + 1 + self._generation).probes
        return np.array([worth(sums[probe.name], reference) for probe in named])

    def prove(self, searched: list[Cem], seed: int) -> tuple[Measured, tuple[Cheat, ...], Probe | None]:
        """Measure the families' best and those who do the task again, on episodes that chose nobody.

        Returns: what was measured of the latter, the cheats with the best paid one first, and that one to be filmed.
        """
        chosen: dict[str, tuple[Cem, np.ndarray]] = {}
        for cem in searched:
            rows = [cem.best, cem.mean] if cem.best is not None else []
            chosen |= {f"{cem.family.name}{i}": (cem, row) for i, row in enumerate(rows[: PROVED // len(searched)])}
        named = [self._probe(name, cem.family, row) for name, (cem, row) in chosen.items()]
        rolled = self._roll([*self._honest, *named], PROOF_EPISODES, seed)
        measured = measured_of(self._settings, Rolled(
            probes={name: sums for name, sums in rolled.probes.items() if name not in chosen},
            episodes=rolled.episodes, env_steps=rolled.env_steps, extended_s=rolled.extended_s))  # fmt: skip
        ref = measured.finisher
        cheats = [Cheat(family=cem.family.name, genes=cem.family.values(row), sums=rolled.probes[probe.name],
                        summary=probe.summary, pay=worth(rolled.probes[probe.name], ref) if ref else 0.0)
                  for probe, (cem, row) in zip(named, chosen.values(), strict=True)]  # fmt: skip
        order = sorted(range(len(cheats)), key=lambda i: -cheats[i].pay)
        return measured, tuple(cheats[i] for i in order), named[order[0]] if order else None

    def film(self, probe: Probe, seed: int, out: Path) -> tuple[str, str]:
        """Film one episode of a behaviour; return the file's name, and why there is none."""
        return cheat_film.film(build(self._card, self._settings, 1, self._spec.seed, 1), probe, seed, out)

    def _probe(self, name: str, family: Family, row: np.ndarray) -> Probe:
        return family.probe(name, row, self.episode_s, has_goal=self._has_goal)

    def _roll(self, named: list[Probe], episodes: int, seed: int) -> Rolled:
        began_s = time.perf_counter()
        env = build(self._card, self._settings, episodes * len(named), self._spec.seed, self._spec.threads)
        rolled = roll(env, named, self._settings.ppo["gamma"], MAX_CONTROL_STEPS, seed, lambda _: self.pulse())
        self.env_steps += rolled.env_steps
        self._seconds += time.perf_counter() - began_s
        return rolled


def worth(cheat: ProbeSums, reference: ProbeSums) -> float:
    """Return what share of the reference's pay a behaviour gets that does not do the task; succeeding is no cheating.

    Who falls is compared by the second, since the next episode begins at once. Who lasts is paid longer than one who
    finishes, so both the second and the episode count for it: the lesser.
    """
    by_rate, by_sum = ratio(cheat.rate, reference.rate), ratio(cheat.total, reference.total)
    share = by_rate if cheat.fall_rate > 0.5 else min(by_rate, by_sum)
    return float(np.clip(share, -10.0, 10.0)) * (1.0 - cheat.success_rate / max(reference.success_rate, 1e-9))


def judge(measured: Measured, cheats: tuple[Cheat, ...]) -> tuple[Finding, ...]:
    """Return what the search has to say: an error where a cheat is paid 70 % of what doing the task is paid."""
    ref = measured.finisher
    if ref is None:
        return (Finding(
            rule=f"{RULE}/unjudged", level="info", message="no behaviour is known that does this task, so none could "
            "be called a cheat", fix="once a policy can do the task, look at the shares of its terms"),)  # fmt: skip
    if not cheats:
        return (Finding(rule=f"{RULE}/unjudged", level="info", fix="try again on a machine with less to do",
                        message="no generation of cheats could be tried in the time there was"),)
    best = cheats[0]
    facts = (f"it {best.summary}, does the task in {best.sums.success_rate:.0%} of its episodes and earns "
             f"{num(best.sums.total)} in {best.sums.length_s:.1f} s ({payers(best.sums)}; {costs(best.sums, 1)}), "
             f"{num(best.sums.rate)} per second; '{ref.name}', which does it, {num(ref.total)} and {num(ref.rate)} "
             f"({payers(ref)})")  # fmt: skip
    if best.pay >= PAYS and measured.is_reliable:
        return (Finding(
            rule=RULE, level="error", value=round(best.pay, 4),
            message=f"a robot that does not do the task is paid {best.pay:.0%} of what one is that does it, "
                    f"most of it by {payers(best.sums, 1)}: {facts}",
            fix=f"lower what pays for it: {payers(best.sums, 1)}; or raise what only success is paid"),)  # fmt: skip
    return (Finding(rule=f"{RULE}/none", level="info", value=round(best.pay, 4),
                    message=f"the best cheat that was found is paid {best.pay:.0%} of what the task pays: {facts}"),)


def _below_home(film: Path, run: str) -> str:
    """Return where in the workspace a run's film is, for people who look for it; "" outside of one."""
    return f"runs/{run}/" if film.parent.as_posix().endswith(f"/runs/{run}") else ""


def _never(scene: Any) -> Any:
    raise AssertionError("a probe that was rolled already")
