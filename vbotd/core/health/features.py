"""Do the networks lose the ability to learn? An early warning of a collapse, from the last hidden layer.

Source: Moalla et al. 2024, arXiv:2405.00662: the norm before the activation grows, the rank of the features falls,
then the trust region stops to protect, and the policy collapses.
"""

from __future__ import annotations

from statistics import median

from vbotd.core.health.watched import Watched
from vbotd.domain.finding import Finding

RANK, NORM, DEAD = "ppo/feature_rank", "ppo/feature_norm", "ppo/dead_units"
FEWEST = 5  # looks; the trainer takes one every 20 iterations


def features(watched: Watched) -> list[Finding]:
    """See the rank of the features fall while their norm grows, or units die."""
    limits = watched.limits
    ranks, norms, dead = (watched.values(tag) for tag in (RANK, NORM, DEAD))
    found = []
    if min(len(ranks), len(norms)) >= FEWEST:
        rank, norm = median(ranks[-3:]), median(norms[-3:])
        if rank < (1.0 - limits.rank_loss) * max(ranks) and norm > limits.norm_growth * median(norms[:3]):
            found.append(Finding(
                rule="features-shrink", level="warning", tag=RANK, value=rank, env_steps=watched.env_steps,
                message=f"the features' rank fell from {max(ranks):.0%} to {rank:.0%} of the layer while their norm "
                        f"grew {norm / max(median(norms[:3]), 1e-9):.2g}-fold: a collapse may follow",
                fix="lower ppo.learning_rate or ppo.epochs"))
    if len(dead) >= FEWEST and min(dead[-limits.persistence:]) > limits.dead_share:
        found.append(Finding(rule="units-die", level="warning", tag=DEAD, value=dead[-1], env_steps=watched.env_steps,
                             message=f"{dead[-1]:.0%} of the last hidden layer's units do nothing any more",
                             fix="lower ppo.learning_rate, and start again from an earlier checkpoint"))
    return found
