"""The winner with fresh seeds, and the baseline with the same ones: what chose must not be what is reported.

The seeds of the search choose; these only report (Eimer et al. 2023). Winner and baseline train with equal seeds, so
that their differences are paired. While the verdict on the winner is open and further seeds can settle it, both train
with more of them: fewer than five pairs never prove anything. At the end, a few of those that were left behind train to
the end, too: what leaving them cost is then measured, and a rung that misleads is found out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vbotd.domain.history import History
from vbotd.domain.metric import Measurement
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Proposal, Trial
from vbotd.hookspecs import View
from vbotd.verdicts import further_pairs

from .halving import Entry, left_behind
from .knowledge import is_comparable
from .options import MOST_SEEDS, Options
from .planning import Ladder
from .results import horizon_of, results_of, target_of, value_of
from .rungs import can_pay, extension, millions
from .space import key_of, to_optuna

FIRST_REPORT_SEED = 10_000  # beyond the campaign's own; the seeds of the search lie far below


def report_seeds(history: History, number: int) -> tuple[int, ...]:
    """Return the seeds that report; no search of the campaign trains with them."""
    begin = history.campaign.train.seed + FIRST_REPORT_SEED
    return tuple(range(begin, begin + number))


def winner(history: History) -> Trial | None:
    """Return the best trial that was trained to the end with the search's seed, None before there is one."""
    horizon = horizon_of(history)
    ranked = [((value_of(history, known[-1]), -trial.number), trial) for trial in history.trials
              if (known := results_of(history, trial)) and known[-1].env_steps >= horizon]
    return max(ranked, key=lambda item: item[0])[1] if ranked else None


def baseline(history: History, defaults: dict[str, ParamValue]) -> Trial | None:
    """Return the trial of the task's defaults, None where it was not tried.

    Where the search went on with what another skill had found, such as healed rewards, that is what to compare with.
    """
    space, best = history.campaign.space, winner(history)
    if space.problems(defaults):
        return None
    plain = [trial for trial in history.trials if to_optuna(space, trial.params) is not None
             and key_of(space, trial.params) == key_of(space, defaults)]
    alike = [trial for trial in plain if best is not None and _beside(history, trial) == _beside(history, best)]
    return next((trial for trial in (*alike, *plain) if trial in alike or is_comparable(history, history, trial)), None)


def _beside(history: History, trial: Trial) -> dict[str, ParamValue]:
    """Return the settings of a trial that are not searched."""
    searched = {dimension.key for dimension in history.campaign.space.dimensions}
    return {key: value for key, value in trial.params.items() if key not in searched}


def confirming(history: History, skill: str, number: int, defaults: dict[str, ParamValue]
               ) -> tuple[list[Proposal], bool]:
    """Return what is still to be proposed for confirming with so many seeds, and whether to wait for any of it."""
    best = winner(history)
    if best is None or number < 1:
        return [], False
    plain = baseline(history, defaults)
    pairs = [("the winner", best)] + ([("the baseline, against the winner", plain)] if plain and plain is not best
                                      else [])
    hope = ""
    if plain is not None and plain is not best:
        number, hope = _seeds_that_tell(history, skill, best, plain, number)
    proposals = [one for name, trial in pairs if trial.judged
                 and (one := _with_seeds(history, trial, name, skill, number, hope)) is not None]
    return proposals, any(not trial.judged for _, trial in pairs)


def _seeds_that_tell(history: History, skill: str, best: Trial, plain: Trial, first: int) -> tuple[int, str]:
    """Return how many fresh seeds the two ought to have by now, and in words what further ones are for.

    The first ones always; once both have them, as many as the verdict says can settle it and the budget pays for.
    """
    has = [sum(seed in trial.seeds for seed in report_seeds(history, MOST_SEEDS)) for trial in (best, plain)]
    asked, use = max(first, *has), history.campaign.skill(skill)
    if use is None or asked > min(has) or not (best.judged and plain.judged):
        return asked, ""
    room = range(Options.model_validate(dict(use.options)).confirm_most - asked, 0, -1)
    most = next((pairs for pairs in room if can_pay(history, 2 * pairs * horizon_of(history))), 0)
    more = further_pairs(history, best, most)
    if more is None:
        return asked, ""
    return asked + more.pairs, f", since {more.total} pairs would confirm it with a chance of {more.chance:.0%}"


def _with_seeds(history: History, trial: Trial, name: str, skill: str, number: int, hope: str) -> Proposal | None:
    horizon = horizon_of(history)
    wanted = report_seeds(history, number)
    new = tuple(seed for seed in wanted if seed not in trial.seeds)
    is_short = target_of(history, trial) < horizon
    extra = len(new) * horizon + (horizon - target_of(history, trial))
    if not (new or is_short) or (not results_of(history, trial) and trial.judged) or not can_pay(history, extra):
        return None
    return extension(trial, skill, env_steps=horizon if is_short else None, seeds=new, why=(
        f"{name}, with {len(new)} fresh {'seed' if len(new) == 1 else 'seeds'} that chose nothing"
        + (", and to the end" if is_short else "") + hope))


def audits(history: History, entries: Sequence[Entry], steps: Ladder, share: float, skill: str, view: View
           ) -> Iterator[Proposal]:
    """Yield extensions to the end of a random share of the trials that were left behind, as the budget allows."""
    trials = {trial.id: trial for trial in history.trials}
    for entry in left_behind(entries, len(steps.rungs) - 1):
        drawn = view.seed(f"{skill}/audit/{entry.trial}") / 2**32
        further = steps.horizon - steps.rungs[entry.rung]
        if drawn < share and can_pay(history, further):
            yield extension(trials[entry.trial], skill, env_steps=steps.horizon, why=(
                f"left behind at {millions(steps.rungs[entry.rung])} env steps, and trained to the end all the same: "
                "to see what leaving costs"))


def reported(history: History, trial: Trial) -> dict[int, Measurement]:
    """Return the scores of a trial's fresh seeds, by seed."""
    tag = history.task.metric.tag if history.task else ""
    return {run.seed: run.metrics[tag] for run in history.runs_of(trial.id)
            if run.kind == "evaluate" and run.purpose == "score" and run.outcome == "finished"
            and run.seed in trial.seeds[1:] and tag in run.metrics}
