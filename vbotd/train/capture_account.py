"""What does a capture say in numbers? An episode's account, and the kinematic gate's word as metrics and a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from vbotd.core.gait import gait
from vbotd.core.interval import Measured, of_mean, of_rate
from vbotd.core.kinematic_gate import CLASSES, GateWord, summary
from vbotd.core.moments import Moment

if TYPE_CHECKING:
    from vbotd.train.rollout import Step

RULE = "kinematic-gate"
MEANS = {
    "gait/speed_mps": "speed_mps", "gait/height_share": "height", "gait/largest_tilt_deg": "largest_tilt_deg",
    "gait/other_contact_share": "other_contact_share", "gait/slowest_foot": "slowest_foot",
    "gait/idlest_leg": "idlest_leg", "gait/slid_share": "slid_share", "gait/shaking": "shaking",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One captured episode, the gate's word on it, and the moments of it that are worth a picture."""

    number: int
    instance: int
    steps: tuple[Step, ...]
    moments: tuple[Moment, ...]
    word: GateWord

    @property
    def ending(self) -> str:
        """How it ended; "cut off" where it would have gone on."""
        return self.steps[-1].ending or "cut off"

    @property
    def title(self) -> str:
        """The episode in a line."""
        last = self.steps[-1]
        away = "" if last.distance_m is None else f", {last.distance_m:.2f} m from the goal"
        return (f"episode {self.number} (instance {self.instance}): {self.word.kind}; {self.ending} after "
                f"{last.time_s:.2f} s{away}, reward {last.total_reward:+.2f}")  # fmt: skip


def account(episode: Episode, dt_s: float) -> dict[str, Any]:
    """Return an episode in numbers, for the index."""
    steps, last, word = episode.steps, episode.steps[-1], episode.word
    asked = [step.asked_velocity[0] for step in steps if step.asked_velocity is not None]
    motion = asdict(word.motion)
    return {
        "episode": episode.number, "instance": episode.instance, "ending": episode.ending,
        "length_s": round(last.time_s, 3),
        "total_reward": round(last.total_reward, 4), "mean_forward_mps": round(fmean(s.velocity[0] for s in steps), 4),
        "mean_asked_forward_mps": round(fmean(asked), 4) if asked else None,
        "largest_tilt_deg": round(max(step.tilt_deg for step in steps), 2),
        "distance_m": None if last.distance_m is None else round(last.distance_m, 3),
        "kinematics": {"class": word.kind, "why": word.why, "asked_to_move": word.asked,
                       **{name: _rounded(value) for name, value in motion.items()}},
        "gait": asdict(gait([step.foot_contact for step in steps], dt_s)),
        "moments": [{"time_s": round(moment.time_s, 3), "reasons": list(moment.reasons)} for moment in episode.moments],
    }  # fmt: skip


def metrics_of(words: Sequence[GateWord], stills: int) -> dict[str, Measured]:
    """Return `gait/*`: the share of the episodes of each class, whether they pass, and the numbers behind it."""
    n = len(words)
    found = {f"gait/{kind}": of_rate(sum(word.kind == kind for word in words), n) for kind in CLASSES}
    found["gait/passes"] = of_rate(sum(word.passes for word in words), n)
    found["gait/asked_to_move"] = of_rate(sum(word.asked for word in words), n)
    found |= {tag: of_mean([float(getattr(word.motion, name)) for word in words]) for tag, name in MEANS.items()}
    return found | {"capture/stills": Measured(value=float(stills), low=float(stills), high=float(stills), n=n)}


def findings_of(words: Sequence[GateWord]) -> list[dict[str, Any]]:
    """Return what the gate found, for `result.json`: an error where no episode passes, a warning where one does not.

    What is unclear in every episode (too short to tell) is no proof of anything, and a warning.
    """
    share = sum(word.passes for word in words) / len(words)
    is_unclear = all(word.kind == "unclear" for word in words)
    return [{
        "rule": RULE, "value": share,
        "level": "info" if share == 1.0 else "warning" if share or is_unclear else "error",
        "message": f"the kinematic gate: {summary(words)}",
        "fix": "" if share == 1.0 else "look at the run's capture/contact_sheet.png, and at what the reward pays",
    }]  # fmt: skip


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    if isinstance(value, float):
        return round(value, 4) if abs(value) < 1e9 else None  # a descent that never began has no length
    return value
