"""What the search tells people: why it proposes a setting, and its part of the morning report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vbotd.domain.history import History
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Trial

from .options import Options
from .score import objectives, quality_of
from .space import distance
from .study import importances, method

MIN_SCORED_FOR_IMPORTANCE = 8  # below, the ranking of settings is mostly the noise of a few runs
NAMES = {"tpe": "TPE", "gp": "the Gaussian process", "cmaes": "CMA-ES"}


def best_trial(history: History) -> Trial | None:
    """Return the trial with the best objective, None before the first score; of equals the earlier."""
    values = objectives(history)
    scored = [trial for trial in history.trials if trial.id in values]
    return max(scored, key=lambda trial: (values[trial.id], -trial.number), default=None)


def why(history: History, options: Options, params: Mapping[str, ParamValue], notes: Sequence[str] = ()) -> str:
    """Return what the search knows, what it tries and which trial that is near."""
    scored = sum(trial.score is not None for trial in history.trials)
    parts = [_method(history, options, scored), _knowledge(history, scored)]
    nearest = min(history.trials, key=lambda trial: distance(history.campaign.space, params, trial.params),
                  default=None)
    if nearest is not None:
        parts.append(f"nearest is {_name(nearest)} ({_result(nearest)}), {_differences(history, params, nearest)}")
    return "; ".join([*parts, *notes])


def _method(history: History, options: Options, scored: int) -> str:
    match how := method(history, options):
        case "startup":
            wanted = options.startup(history.campaign.budget.trials)
            return f"a random point to learn from ({scored} of {wanted} scored before {NAMES[options.sampler]} decides)"
        case "grid":
            return "the next point of the grid"
        case "random":
            return "a random point"
        case _:
            return f"{NAMES[how]} expects an improvement here"


def _knowledge(history: History, scored: int) -> str:
    failed = sum(trial.judged and trial.score is None for trial in history.trials)
    running = sum(not trial.judged for trial in history.trials)
    counts = [f"{scored} scored"] + [f"{number} {word}" for number, word in ((failed, "failed"), (running, "running"))
                                     if number]
    best = best_trial(history)
    return f"known: {', '.join(counts)}" + (f", best {_name(best)} with {_result(best)}" if best else "")


def _name(trial: Trial) -> str:
    return trial.id.rpartition("/")[2]


def _result(trial: Trial) -> str:
    if trial.score is not None:
        return f"{trial.score.value:.3g}"
    return "failed" if trial.judged else "running"


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


def report_lines(histories: Sequence[History], limit: int = 15) -> tuple[str, ...]:
    """Return the lines of the report section, whole campaigns only, as many as fit."""
    lines: list[str] = []
    for number, history in enumerate(histories):
        part = list(_campaign_lines(history))
        left = len(histories) - number
        if len(lines) + len(part) + (left > 1) > limit:
            return (*lines, f"- and {left} more campaigns")
        lines += part
    return tuple(lines)


def _campaign_lines(history: History) -> Iterator[str]:
    scored = [trial for trial in history.trials if trial.score is not None]
    known = _knowledge(history, len(scored)).removeprefix("known: ")
    yield f"- **{history.record.id}**: {len(history.trials)} trials, {known}"
    if not scored:
        return
    yield "  - varied: " + ", ".join(_ranges(history, scored))
    best = best_trial(history)
    if best is not None and best.score is not None:
        score, quality = best.score, quality_of(history, best)
        tag = history.task.quality.tag if history.task and history.task.quality else ""
        yield (f"  - best: {_name(best)} {score.value:.3g} [{score.low:.3g}, {score.high:.3g}] of {score.n} episodes"
               + (f", {tag} {quality:.3g}" if quality is not None else "")
               + ": " + ", ".join(f"{key} {_value(best.params.get(key))}" for key in _keys(history)))
    if len(scored) >= MIN_SCORED_FOR_IMPORTANCE:
        shares = list(importances(history).items())[:4]
        if shares:
            yield (f"  - what mattered (of {len(scored)} trials, one seed each: a hint): "
                   + ", ".join(f"{key} {share:.0%}" for key, share in shares))


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
