"""For plugins: which trial is the best, by the daemon's own rule, and how many further seeds would settle a verdict?"""

from __future__ import annotations

from dataclasses import dataclass

from vbotd.core.ranking import contenders, in_order, qualities
from vbotd.core.verdict.claims import claim_of, claims_of
from vbotd.core.verdict.ruling import HOPE, best_look
from vbotd.domain.history import History
from vbotd.domain.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherPairs:
    """So many more pairs of runs, of the trial and of its reference with the same seeds, and what they would bring.

    `total` counts those that are there, too. `chance` is the probability that the trial is then proved to be better.
    """

    pairs: int
    total: int
    chance: float


def further_pairs(history: History, trial: Trial, most: int) -> FurtherPairs | None:
    """Return the further pairs, at most so many, that would best settle a trial's verdict.

    None where it is decided, where there are no two pairs to judge by, where the trial failed on a seed on which its
    reference did not, or where no number within reach gives it a chance that is worth the training.
    """
    if history.task is None:
        return None
    claim = claim_of(trial.id, claims_of(history.trials, history.runs, history.task.metric))
    if claim is None or claim.ruling is None or claim.failed:
        return None
    had = len(claim.seeds)
    look, chance = best_look({look: chance for look, chance in claim.ruling.chances.items() if look - had <= most})
    return FurtherPairs(pairs=look - had, total=look, chance=chance) if chance >= HOPE else None


def best_trial(history: History) -> Trial | None:
    """Return the best trial as the report has it: the champion of a campaign that is over, else who would be it now."""
    task, record = history.task, history.record
    champion = next((trial for trial in history.trials if trial.id == record.champion), None)
    if champion is not None or task is None:
        return champion
    trials = contenders(history.trials, history.campaign.stage_names)
    ranked = in_order(trials, task.metric, task.quality, qualities(trials, history.runs, task.quality))
    return ranked[0] if ranked else None
