"""What the search tells people: why it proposes a setting, and its part of the morning report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vbotd.domain.history import History
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Trial
from vbotd.verdicts import best_trial

from .confirm import baseline, reported, winner
from .credit import credit_lines
from .knowledge import Knowledge, knowledge
from .options import Options
from .results import Result, horizon_of, results_of
from .rungs import bracket_of, is_halving, millions
from .space import distance
from .study import importances, method
from .wishes import defaults_of

MIN_SCORED_FOR_IMPORTANCE = 8  # below, the ranking of settings is mostly the noise of a few runs
NAMES = {"tpe": "TPE", "gp": "the Gaussian process", "cmaes": "CMA-ES", "auto": "a sampler"}


def best_result(history: History) -> tuple[Trial, Result] | None:
    """Return the trial that the report calls the best, and its score's result; None before the first score."""
    best = best_trial(history)
    known = results_of(history, best) if best is not None else ()
    if best is None or not known:
        return None
    return best, next((result for result in reversed(known) if result.score == best.score), known[-1])


def why(history: History, options: Options, known: Knowledge, params: Mapping[str, ParamValue],
        notes: Sequence[str] = ()) -> str:
    """Return what the search knows, what it tries and which trial that is near."""
    parts = [_method(history, options, known), _counts(history)]
    nearest = min(history.trials, key=lambda trial: distance(history.campaign.space, params, trial.params),
                  default=None)
    if nearest is not None:
        far = _differences(history, params, nearest)
        parts.append(f"nearest is {_name(nearest)} ({_result(history, nearest)}), {far}")
    return "; ".join([*parts, *notes])


def _method(history: History, options: Options, known: Knowledge) -> str:
    scored = len(known.scored)
    others = sum(not one.here for one in known.scored)
    learnt = f", with {others} trials of earlier campaigns" if others else ""
    match how := method(history, options, known):
        case "startup":
            wanted = options.startup(history.campaign.budget.trials)
            return f"an evenly spread point to learn from ({scored} of {wanted} scored before " \
                   f"{NAMES[options.sampler]} decides)"
        case "grid":
            return "the next point of the grid"
        case "random":
            return "a random point"
        case _:
            return f"{NAMES[how]} expects an improvement here{learnt}"


def _counts(history: History) -> str:
    scored = sum(trial.judged and trial.score is not None for trial in history.trials)
    failed = sum(trial.judged and trial.score is None for trial in history.trials)
    running = sum(not trial.judged for trial in history.trials)
    at_work = "unfinished" if history.record.status == "closed" else "running"
    counts = [f"{scored} scored"] + [f"{number} {word}" for number, word in ((failed, "failed"), (running, at_work))
                                     if number]
    best = best_result(history)
    top = f", best {_name(best[0])} with {_worth(history, best[1].score.value)}" if best else ""
    return f"known: {', '.join(counts)}{top}"


def _name(trial: Trial) -> str:
    return trial.id.rpartition("/")[2]


def _result(history: History, trial: Trial) -> str:
    if trial.score is not None:
        return _worth(history, trial.score.value)
    return "failed" if trial.judged else "running"


def _worth(history: History, value: float) -> str:
    """Return a value of the task's metric as people read it: a rate in percent."""
    is_rate = history.task is not None and history.task.metric.tag.endswith("_rate")
    return f"{value:.1%}" if is_rate else f"{value:.3g}"


def _differences(history: History, params: Mapping[str, ParamValue], other: Trial) -> str:
    """Return the two largest changes against another trial."""
    space = history.campaign.space
    changed = sorted(
        (key for key in _keys(history) if params.get(key) != other.params.get(key)),
        key=lambda key: -distance(space, {**other.params, key: params[key]}, other.params))
    shown = [f"{key} {_value(other.params.get(key))} → {_value(params[key])}" for key in changed[:2]]
    more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
    return "from there " + ", ".join(shown) + more if shown else "the same in all it varies"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def report_lines(nights: Sequence[tuple[History, Options]], skill: str, limit: int = 15) -> tuple[str, ...]:
    """Return the lines of the report section, whole campaigns only, as many as fit."""
    lines: list[str] = []
    for number, (history, options) in enumerate(nights):
        part = list(_campaign_lines(history, options, skill))
        left = len(nights) - number
        if len(lines) + len(part) + (left > 1) > limit:
            return (*lines, f"- and {left} more campaigns")
        lines += part
    return tuple(lines)


def _campaign_lines(history: History, options: Options, skill: str) -> Iterator[str]:
    scored = [trial for trial in history.trials if trial.score is not None]
    known = _counts(history).removeprefix("known: ")
    yield f"- **{history.record.id}**: {len(history.trials)} trials, {known}"
    best = best_result(history)
    if not scored or best is None:
        return
    yield "  - varied: " + ", ".join(_ranges(history, scored))
    yield _best_line(history, *best)
    if len(scored) >= MIN_SCORED_FOR_IMPORTANCE:
        shares = list(importances(history, knowledge(history)).items())[:4]
        if shares:
            yield (f"  - what mattered (of {len(scored)} trials, one seed each: a hint): "
                   + ", ".join(f"{key} {share:.0%}" for key, share in shares))
    if is_halving(history, options):
        yield from _rung_lines(history, options, skill)
    yield from _confirmed_lines(history)
    yield from credit_lines(history)


def _best_line(history: History, best: Trial, result: Result) -> str:
    value, low, high = (_worth(history, one) for one in (result.score.value, result.score.low, result.score.high))
    tag = history.task.quality.tag if history.task and history.task.quality else ""
    part = f", after {millions(result.env_steps)} env steps" if result.env_steps < horizon_of(history) else ""
    return (f"  - best: {_name(best)} {value} [{low}, {high}] of {result.score.n} episodes{part}"
            + (f", {tag} {result.quality:.3g}" if result.quality is not None else "")
            + ": " + ", ".join(f"{key} {_value(best.params.get(key))}" for key in _keys(history)))


def _rung_lines(history: History, options: Options, skill: str) -> Iterator[str]:
    """Yield how many trials reached each rung, and how well each but the last ranks, where that is known."""
    bracket = bracket_of(history, options, skill)
    told = []
    for place, rung in enumerate(bracket.steps.rungs):
        reached = sum(place in entry.values for entry in bracket.entries)
        measured = bracket.fidelities[place] if place < len(bracket.fidelities) else None
        ranks = "" if measured is None or measured.correlation is None or measured.low is None else (
            f" (ranks like the end: {measured.correlation:.2f} [{measured.low:.2f}, {measured.high:.2f}] "
            f"of {measured.pairs} pairs)")
        told.append(f"{reached} at {millions(rung)} env steps{ranks}")
    passed = ", ".join(millions(rung) for rung in bracket.steps.rungs[:bracket.plan.first])
    over = f"; passed over, since trials do not differ there: {passed}" if passed else ""
    yield "  - rungs: " + ", ".join(told) + over


def _confirmed_lines(history: History) -> Iterator[str]:
    """Yield what the winner and the baseline reach with seeds that chose nothing."""
    best = winner(history)
    if best is None or not (found := reported(history, best)):
        return
    plain = baseline(history, defaults_of(history))
    other = reported(history, plain) if plain is not None and plain is not best else {}
    line = f"  - with fresh seeds: {_name(best)} " + ", ".join(_worth(history, one.value) for one in found.values())
    both = [seed for seed in found if seed in other]
    if both and plain is not None:
        better = sum(found[seed].value > other[seed].value for seed in both)
        line += (f"; the baseline {_name(plain)} " + ", ".join(_worth(history, other[seed].value) for seed in both)
                 + f" (higher in {better} of {len(both)} pairs)")
    yield line


def _keys(history: History) -> list[str]:
    return [dimension.key for dimension in history.campaign.space.dimensions]


def _ranges(history: History, scored: Sequence[Trial]) -> Iterator[str]:
    """Yield each setting with the range, or the choices, that were really tried."""
    for key in _keys(history):
        values = [value for trial in scored if (value := trial.params.get(key)) is not None]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if numbers and len(numbers) == len(values):
            yield f"{key} {_value(min(numbers))} to {_value(max(numbers))}"
        elif values:
            yield f"{key} " + "/".join(sorted({_value(value) for value in values}))
