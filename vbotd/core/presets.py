"""What is in a preset? A named set of settings of one task, to start from or to learn from, as a small YAML file.

`reward:` is the whole set: a term that it does not name has weight 0, whatever the task's default is. `env:` and
`ppo:` name what differs from the task's defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vbotd.core.yaml_guard import read_tree
from vbotd.domain.task import ParamValue, TaskCard
from vbotd.errors import VbotdError


class PresetError(VbotdError):
    """A preset cannot be used; every problem is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A set of settings. `about` says what it does, `source` where its numbers are from."""

    name: str
    about: str
    source: str
    task: str
    env: Mapping[str, ParamValue]
    ppo: Mapping[str, ParamValue]
    reward: Mapping[str, float]

    def settings(self, card: TaskCard) -> dict[str, ParamValue]:
        """Return the settings as a run takes them, with the weight 0 of every term that is not named.

        Raises: PresetError naming every key that the task has not.
        """
        named: dict[str, ParamValue] = {f"env.{key}": value for key, value in self.env.items()}
        named |= {f"ppo.{key}": value for key, value in self.ppo.items()}
        named |= {f"reward.{key}": value for key, value in self.reward.items()}
        known = [param.key for param in card.params]
        unknown = [_unknown(key, known) for key in named if key not in known]
        if unknown:
            raise PresetError(f"preset '{self.name}': {card.name} has no setting {', '.join(unknown)}")
        silent: dict[str, ParamValue] = {key: 0.0 for key in known if key.startswith("reward.") and key not in named}
        return named | silent


class _File(BaseModel):
    """The grammar of a preset's file."""

    model_config = ConfigDict(extra="forbid")

    about: str = Field(min_length=1)
    source: str = Field(min_length=1)
    task: str = Field(min_length=1)
    env: dict[str, Any] = {}
    ppo: dict[str, Any] = {}
    reward: dict[str, float] = Field(min_length=1)


def parse_preset(data: bytes, name: str) -> Preset:
    """Return the preset in a file's bytes.

    Raises: PresetError with every problem of the file.
    """
    tree = read_tree(data)
    if tree.problems:
        raise PresetError("; ".join(problem.render(f"{name}.yaml") for problem in tree.problems))
    try:
        file = _File.model_validate(tree.value)
    except ValidationError as err:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in err.errors())
        raise PresetError(f"preset '{name}': {told}") from err
    return Preset(name=name, about=file.about, source=file.source, task=file.task, env=_frozen(file.env),
                  ppo=_frozen(file.ppo), reward=file.reward)  # fmt: skip


def _frozen(block: Mapping[str, Any]) -> dict[str, ParamValue]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in block.items()}


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"'{key}'" + (f" (did you mean '{near[0]}'?)" if near else "")
