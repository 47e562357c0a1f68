"""What does the climb begin with? The settings and weights of the best that was found on the first stage before it."""

from __future__ import annotations

import math

from vbotd.domain.campaign import Campaign
from vbotd.domain.ground import ground_of
from vbotd.domain.history import History
from vbotd.domain.metric import MetricCard
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Trial

from .evidence import attempts_of
from .rungs import DIFFICULTY

_STANDING = {"promote": 1.0, "discard": -1.0}


def found_before(history: History) -> Trial | None:
    """Return the best trial that skills, agents or people made of the first stage, None where none has a score.

    Once the climb has begun it is the best of those before it, whoever tries what since.
    """
    first = next((attempt.trial.number for attempt in attempts_of(history)), math.inf)
    tried = [trial for trial in ground_of(history).trials if trial.number < first and trial.score is not None]
    return max(tried, key=lambda trial: _worth(history, trial), default=None)


def settings_of(found: Trial | None, campaign: Campaign) -> dict[str, ParamValue]:
    """Return what every stage takes over: how a trial was trained and rewarded, where no stage says otherwise."""
    own = {key for stage in campaign.stages for key in stage.params}
    return {key: value for key, value in (found.proposal.params if found else {}).items()
            if not key.startswith(DIFFICULTY) and key not in own}


def _worth(history: History, trial: Trial) -> tuple[float, ...]:
    """Return what trials are ranked by: what was proved of them, success, then quality; of equals the earlier."""
    metric, quality = (history.task.metric, history.task.quality) if history.task else (None, None)
    scored = next((run.metrics for run in history.runs_of(trial.id)
                   if run.purpose == "score" and run.outcome == "finished"), {})
    return (_STANDING.get(trial.verdict or "", 0.0), _sign(metric) * (trial.score.value if trial.score else 0.0),
            _sign(quality) * scored[quality.tag].value if quality and quality.tag in scored else -math.inf,
            -trial.number)


def _sign(card: MetricCard | None) -> float:
    return -1.0 if card is not None and card.direction == "min" else 1.0
