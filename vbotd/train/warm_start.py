"""How does a training begin with another one's policy? Piece by piece, as a `WarmStart` says; nothing by accident.

What the predecessor lost to warm starts: the optimiser's moments and the last learning rate of a run that had gone bad
came along unasked, and a normaliser that drifted on the new stage pulled the policy's input away from under it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

import torch

from vbotd.domain.trial import WarmStart
from vbotd.train.checkpoint import arrays, lanes_of
from vbotd.train.loop import Training
from vbotd.train.ppo import MIN_LOG_STD, PpoSettings
from vbotd.train.runio import SpecError
from vbotd.train.transfer import Play, Transfer

CURRICULUM = ("task/curriculum", "task/practice")  # beginnings of the arrays that say how hard the episodes are
# A converged policy explores too little to learn a new task; whoever begins by hand gets half of a fresh one's spread.
MIN_STD_BY_HAND = 0.5


def parse(raw: Mapping[str, Any], settings: PpoSettings) -> WarmStart:
    """Return the warm start that a spec asks for; with a checkpoint alone, as by hand, that of a task begun anew.

    Raises: SpecError naming the key, the value and what is allowed.
    """
    if not isinstance(raw.get("checkpoint"), str) or not raw["checkpoint"]:
        raise SpecError(f"warm_start.checkpoint is {raw.get('checkpoint')!r} — give the path of a ckpt_*.pt file")
    if set(raw) == {"checkpoint"}:
        return WarmStart(trial="", checkpoint=raw["checkpoint"], normaliser="keep", learning_rate=0.0, check=False,
                         min_action_std=MIN_STD_BY_HAND * settings.init_std)  # fmt: skip
    known = {field.name: field for field in fields(WarmStart)}
    for key, value in raw.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" — did you mean '{near[0]}'?" if near else ""
            raise SpecError(f"warm_start has no '{key}' — allowed: {', '.join(known)}{hint}")
        _check_kind(key, value)
    missing = [name for name, field in known.items() if field.default is MISSING and name not in raw]
    warm = WarmStart(**{**dict.fromkeys(missing, ""), **raw})
    _check_together(warm)
    return warm


def apply(training: Training, saved: Mapping[str, Any], warm: WarmStart, play: Play | None = None,
          params: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Give a training that has not begun what `warm` takes from a checkpoint, and its transfer check.

    Args:
        play: plays the check's episodes with the policy as it is then; None: there is no check.
        params: the settings that they are played at, by key.

    Raises: SpecError where the checkpoint does not fit.
    """
    ppo = training.ppo
    fresh = ppo.policy.state_dict()
    weights = {name: fresh[name] if warm.policy == "reset_value" and name.startswith("critic.") else tensor
               for name, tensor in saved["policy"].items()}  # fmt: skip
    try:
        ppo.policy.load_state_dict(weights)
        if warm.normaliser != "reset":
            ppo.normaliser.load_state_dict(saved["normaliser"])
        if warm.optimizer == "keep":
            ppo.optimiser.load_state_dict(saved["optimiser"])
    except (RuntimeError, ValueError, KeyError) as err:
        first = (str(err).strip() or type(err).__name__).split("\n")[0]
        raise SpecError(f"the checkpoint's networks do not fit this task or ppo.hidden ({first})") from err
    _set_std(ppo.policy.log_std, warm)
    rate = warm.learning_rate * float(saved["learning_rate"]) or ppo.settings.learning_rate
    ppo.begin_at(max(rate, ppo.settings.learning_rate_min))
    if warm.curriculum == "keep":
        _keep_curriculum(training, saved)
    training.transfer = Transfer(
        warm=warm, rate=ppo.learning_rate, params=params or {}, play=play if warm.check else None
    )


def go_on(training: Training, saved: Mapping[str, Any], play: Play) -> None:
    """Give a resumed training the rest of its warm start, if there is any in its own checkpoint.

    To be called before the learner is restored: the first learning rate is not the one that it has come to.
    """
    state = saved.get("transfer")
    if state is None:
        return
    warm = WarmStart(**state["warm"])
    training.ppo.begin_at(state["rate"])
    training.transfer = Transfer(
        warm=warm,
        rate=state["rate"],
        params=state["params"],
        play=play if warm.check else None,
        before=state["before"],
        checked=state["checked"],
    )


def _check_kind(key: str, value: Any) -> None:
    words = get_args(_KINDS[key])
    if words and value not in words:
        raise SpecError(f"warm_start.{key} is {value!r} — allowed: {', '.join(words)}")
    if _KINDS[key] is bool and not isinstance(value, bool):
        raise SpecError(f"warm_start.{key} is {value!r} — allowed: true or false")
    if _KINDS[key] is str and not isinstance(value, str):
        raise SpecError(f"warm_start.{key} is {value!r} — it must be a text")
    if key not in _BOUNDS:
        return
    low, high = _BOUNDS[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise SpecError(f"warm_start.{key} is {value!r} — allowed: {low:g} to {high:g}")


def _check_together(warm: WarmStart) -> None:
    """Refuse what cannot be meant: moments that belong to weights, or to inputs, that are not there any more."""
    if warm.optimizer == "keep" and warm.policy == "reset_value":
        raise SpecError("warm_start: optimizer 'keep' has moments of the old value network, policy 'reset_value' makes "
                        "a new one — reset the optimizer too")  # fmt: skip
    if warm.optimizer == "keep" and warm.normaliser == "reset":
        raise SpecError("warm_start: optimizer 'keep' has moments for inputs on the old scale, normaliser 'reset' "
                        "gives them a new one — reset both, or keep both")  # fmt: skip


def _set_std(log_std: torch.nn.Parameter, warm: WarmStart) -> None:
    with torch.no_grad():
        log_std.add_(math.log(warm.action_std))
        log_std.clamp_(min=max(MIN_LOG_STD, math.log(max(warm.min_action_std, 1e-9))))


def _keep_curriculum(training: Training, saved: Mapping[str, Any]) -> None:
    if saved["task"] != training.spec.task:
        raise SpecError(f"warm_start.curriculum is 'keep', but the checkpoint is of {saved['task']} and this run "
                        f"trains {training.spec.task} — use 'reset'")  # fmt: skip
    # What is learnt of a curriculum is alike in all lanes.
    state = arrays(lanes_of(saved)[0]["env"])
    kept = {name: array for name, array in state.items() if name.startswith(CURRICULUM)}
    if not kept:
        raise SpecError(f"warm_start.curriculum is 'keep', but {saved['task']} has no curriculum — use 'reset'")
    for lane in training.lanes.local:
        mine = {f"task/{name}": array for name, array in lane.env.task.state().items()}
        for name, array in kept.items():
            if name not in mine or mine[name].shape != array.shape:
                raise SpecError(f"warm_start.curriculum is 'keep', but '{name}' of the checkpoint does not fit this "
                                "run's settings — use 'reset'")  # fmt: skip
            mine[name][...] = array


_KINDS: Mapping[str, Any] = get_type_hints(WarmStart)
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "freeze_rate": (0.0, 1.0), "learning_rate": (0.0, 1.0),
    "action_std": (0.01, 1.0),  # never above the old spread: `min_action_std` is how to explore more
    "min_action_std": (0.0, 2.0),
}  # fmt: skip
