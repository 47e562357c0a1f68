"""How does a run go, in a few sentences? The same numbers as the tables, for somebody who reads only that."""

from __future__ import annotations

from collections.abc import Sequence

from vbotd.core.diagnose import Diagnosis
from vbotd.core.health.watched import KL, RETURN, STD, SUCCESS
from vbotd.core.trend import KeyMetric

MOVES = {"up": "rising", "down": "falling", "flat": "flat", "unknown": "too short to say where it goes"}
MAX_TERMS = 2


def shares(terms: Sequence[KeyMetric]) -> list[tuple[KeyMetric, float]]:
    """Return the reward terms with their share 0-1 of all that is paid and charged lately, the largest first.

    Shares are of magnitudes: a cost counts as much as a reward of its size.
    """
    sizes = [(term, abs(term.latest or 0.0)) for term in terms]
    total = sum(size for _, size in sizes)
    return sorted(((term, size / total if total else 0.0) for term, size in sizes),
                  key=lambda row: (-row[1], row[0].tag))


def in_words(diagnosis: Diagnosis, kl_target: float) -> tuple[str, ...]:
    """Return sentences about progress, reward and update; none about what has no number yet."""
    by_tag = {metric.tag: metric for metric in diagnosis.metrics}
    sentences = [_success(by_tag.get(SUCCESS), by_tag.get(RETURN)), _reward(diagnosis.reward_terms),
                 _update(by_tag.get(KL), by_tag.get(STD), kl_target)]
    said = tuple(sentence for sentence in sentences if sentence)
    if said and not diagnosis.findings:
        said += ("No rule has anything against it.",)
    return said


def _success(success: KeyMetric | None, returns: KeyMetric | None) -> str:
    if success is None or success.latest is None:
        return ""
    text = f"Success in training is {success.latest:.0%} and {MOVES[success.trend]}"
    if returns is not None and returns.latest is not None:
        text += f"; the return is {returns.latest:.3g} and {MOVES[returns.trend]}"
    return text + "."


def _reward(terms: Sequence[KeyMetric]) -> str:
    paying = [row for row in shares(terms) if (row[0].latest or 0.0) > 0.0][:MAX_TERMS]
    costing = [row for row in shares(terms) if (row[0].latest or 0.0) < 0.0][:MAX_TERMS]
    parts = [f"{verb} by {' and '.join(f'{_name(term)} ({share:.0%})' for term, share in rows)}"
             for verb, rows in (("mostly paid", paying), ("mostly charged", costing)) if rows]
    return f"The robot is {', and '.join(parts)}." if parts else ""


def _update(kl: KeyMetric | None, std: KeyMetric | None, kl_target: float) -> str:
    if kl is None or kl.latest is None:
        return ""
    ratio = kl.latest / kl_target
    size = "smaller than" if ratio < 0.5 else "about as large as" if ratio <= 2.0 else "larger than"
    text = f"Updates are {size} aimed for (KL {kl.latest:.3g}, target {kl_target:.3g})"
    if std is not None and std.first is not None and std.latest is not None:
        text += f"; the action noise went from {std.first:.2g} to {std.latest:.2g}"
    return text + "."


def _name(term: KeyMetric) -> str:
    return term.tag.removeprefix("reward/")
