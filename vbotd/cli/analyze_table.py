"""How does the analysis of a campaign read as plain text?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vbotd.cli.columns import columns
from vbotd.cli.show import measured
from vbotd.core.importance import Group, Importance
from vbotd.core.report_facts import Best
from vbotd.core.wording import counted, number
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import MetricCard


def tables(record: CampaignRecord, metric: MetricCard, counts: Mapping[str, int], found: Sequence[Importance],
           best: Sequence[Best], notes: Sequence[str]) -> str:
    """Return the whole analysis: the settings by importance, the score by thirds of each, the best configurations."""
    less = ", less is better" if metric.direction == "min" else ""
    head = (f"{record.id}, {record.content.task}: {counted(counts['scored'], 'scored trial')}, {counts['failed']} "
            f"without a score, {counts['open']} open; {metric.tag}{less}")
    parts = [head, _importances(found), _thirds(found, metric), _best(best),
             "\n".join(f"note: {note}" for note in notes)]
    return "\n\n".join(part for part in parts if part)


def _importances(found: Sequence[Importance]) -> str:
    told = [each for each in found if each.share is not None and each.p is not None]
    rows = [(each.key, f"{each.share:.0%}", f"{each.p:.2g}",
             "-" if each.rank_correlation is None else f"{each.rank_correlation:+.2f}",
             "matters" if each.matters else "may be chance") for each in told]
    return columns(("setting", "explains", "p", "rank correlation", ""), rows) if rows else ""


def _thirds(found: Sequence[Importance], metric: MetricCard) -> str:
    if not found:
        return "no setting varies over the judged trials"
    rows = [(each.key if place == 0 else "", group.values, str(group.scored), str(group.failed or "-"),
             _score(group, metric.tag)) for each in found for place, group in enumerate(each.groups)]
    return columns(("setting", "values", "scored", "failed", "mean score [95 %]"), rows)


def _score(group: Group, tag: str) -> str:
    score = group.score
    if score is None:
        return "-"
    if score["n"] == 1:
        return number(score["value"], tag)
    return f"{number(score['value'], tag)} [{number(score['low'], tag)} to {number(score['high'], tag)}]"


def _best(best: Sequence[Best]) -> str:
    if not best:
        return "no trial has a score"
    rows = [(each.trial.rpartition("/")[2] + (" (champion)" if each.champion else ""), measured(each.score, each.tag),
             measured(each.confirmed, each.tag), str(each.seeds), ", ".join(each.changes)) for each in best]
    return columns(("best", "chosen by", "confirmed on fresh episodes", "seeds", "settings"), rows)
