"""Which settings mattered in a campaign? How much of the order of the scores a setting's thirds explain, and whether
chance would do as much.

The rule this protects: with few trials nothing is said, rather than something that the next night contradicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vbotd.core.holm import holm
from vbotd.core.interval import Measured, of_mean
from vbotd.core.signed_rank import mean_ranks
from vbotd.core.wording import setting
from vbotd.domain.task import ParamValue

FEWEST_TRIALS = 9  # three a third; fewer cannot even in the best case be told from chance
ALPHA = 0.05
_PERMUTATIONS = 2000
_THIRDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The settings of one trial and what came out; `score` is None where it has none, because it failed."""

    trial: str
    params: Mapping[str, ParamValue]
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Trials with near values of one setting: the values in words, and the mean score (None: not one has a score)."""

    values: str
    scored: int
    failed: int
    score: Measured | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """One searched setting. `share`, 0-1, of the order of the scores is explained by its groups.

    `p` is the chance of as much without any effect, Holm-corrected over all settings; None with too few trials.
    `rank_correlation` is Spearman's, from -1 to 1; None where the values have no order.
    """

    key: str
    share: float | None
    p: float | None
    rank_correlation: float | None
    groups: tuple[Group, ...]

    @property
    def matters(self) -> bool:
        """Say whether chance alone would hardly do as much."""
        return self.p is not None and self.p < ALPHA


def importances(trials: Sequence[Tried]) -> tuple[Importance, ...]:
    """Return the settings that vary over the trials, the most important first.

    Numbers with more than three values are cut into thirds, equal values staying together; others are grouped by value.
    Statistics: Kruskal and Wallis's H, as the share epsilon squared, and its chance by 2,000 permutations of the
    scores. The trials of a search are no random draw: what it left early is hardly tested, so an unimportant setting is
    not proved to be one.
    Source: Kruskal and Wallis 1952, JASA 47; Kelley 1935, PNAS 21 (epsilon squared).
    """
    scored = [trial for trial in trials if trial.score is not None]
    keys = [key for key in dict.fromkeys(key for trial in trials for key in trial.params)
            if len({setting(trial.params[key]) for trial in trials if key in trial.params}) > 1]
    enough = len(scored) >= FEWEST_TRIALS
    effects = [_effect(scored, _labels(trials, key), key) if enough else (None, None) for key in keys]
    corrected = holm([p for _, p in effects if p is not None])
    found, place = [], 0
    for key, (share, p) in zip(keys, effects, strict=True):
        if p is not None:
            p, place = corrected[place], place + 1
        found.append(Importance(key=key, share=share, p=p, rank_correlation=_spearman(scored, key) if enough else None,
                                groups=_groups(trials, key)))
    return tuple(sorted(found, key=lambda each: -(each.share or 0.0)))


def _labels(trials: Sequence[Tried], key: str) -> dict[str, int]:
    """Return the group of each trial that has the setting, by its id."""
    having = [trial for trial in trials if key in trial.params]
    values = [trial.params[key] for trial in having]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    distinct = sorted({setting(value) for value in values})
    if not numeric or len(distinct) <= _THIRDS:
        order = sorted(set(values), key=lambda v: (float(v) if numeric else 0.0, setting(v)))  # type: ignore[arg-type]
        return {trial.trial: order.index(trial.params[key]) for trial in having}
    ranks = mean_ranks([float(value) for value in values])  # type: ignore[arg-type]  # all are numbers
    return {trial.trial: min(_THIRDS - 1, int(_THIRDS * (rank - 0.5) / len(having)))
            for trial, rank in zip(having, ranks, strict=True)}


def _groups(trials: Sequence[Tried], key: str) -> tuple[Group, ...]:
    labels = _labels(trials, key)
    found = []
    for label in sorted(set(labels.values())):
        members = [trial for trial in trials if labels.get(trial.trial) == label]
        scores = [trial.score for trial in members if trial.score is not None]
        found.append(Group(values=_range_in_words([trial.params[key] for trial in members]), scored=len(scores),
                           failed=len(members) - len(scores), score=of_mean(scores) if scores else None))
    return tuple(found)


def _range_in_words(values: Sequence[ParamValue]) -> str:
    texts = list(dict.fromkeys(setting(value) for value in values))
    if len(texts) == 1:
        return texts[0]
    return f"{setting(min(values))} to {setting(max(values))}"  # several values: numbers


def _effect(scored: Sequence[Tried], labels: Mapping[str, int], key: str) -> tuple[float | None, float | None]:
    """Return (epsilon squared, p); None where fewer than two groups have a score."""
    having = [trial for trial in scored if trial.trial in labels]
    groups = np.array([labels[trial.trial] for trial in having])
    ranks = np.array(mean_ranks([trial.score for trial in having if trial.score is not None]))
    masks = np.array([groups == label for label in sorted(set(groups.tolist()))])
    n = len(having)
    if len(masks) < 2 or n < FEWEST_TRIALS or ranks.std() == 0.0:
        return None, None
    sizes = masks.sum(axis=1)
    centred = ranks - ranks.mean()

    def explained(rows: np.ndarray) -> np.ndarray:  # [P, n] -> [P], the share of the ranks' variance between groups
        return ((rows @ masks.T) ** 2 / sizes).sum(axis=1) / float((centred**2).sum())

    seen = float(explained(centred[None])[0])
    rng = np.random.default_rng(sum(key.encode()))
    shuffled = explained(rng.permuted(np.tile(centred, (_PERMUTATIONS, 1)), axis=1))
    p = (1 + int((shuffled >= seen - 1e-12).sum())) / (1 + _PERMUTATIONS)
    # H is (n - 1) times what is explained; epsilon squared takes off what so many groups explain by chance.
    share = ((n - 1) * seen - len(masks) + 1) / (n - len(masks))
    return min(max(share, 0.0), 1.0), p


def _spearman(scored: Sequence[Tried], key: str) -> float | None:
    pairs = [(float(value), trial.score) for trial in scored
             if isinstance(value := trial.params.get(key), int | float) and not isinstance(value, bool)
             and trial.score is not None]
    if len(pairs) < FEWEST_TRIALS:
        return None
    x, y = (np.array(mean_ranks(column)) for column in zip(*pairs, strict=True))
    if x.std() == 0.0 or y.std() == 0.0:
        return None
    correlation = float(np.corrcoef(x, y)[0, 1])
    return correlation if math.isfinite(correlation) else None
