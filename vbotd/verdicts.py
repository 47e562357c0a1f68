"""For plugins that ask for seeds: how many further ones would settle whether a trial is better than its reference?"""

from __future__ import annotations

from dataclasses import dataclass

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
