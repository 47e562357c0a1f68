"""What is asked of the plugin host and what it reports; frozen values that may cross threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vbotd.host.catalogue import Catalogue

How = Literal["raised", "timeout", "died", "nonsense", "import"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One hook, asked of all the plugins that it concerns (or of `plugins`, in that order).

    `args` are domain values: `proposal` for amend, `count` for propose, `event` for on_event, `campaigns` (ids)
    for wake_up, `skills` (`{name, options}`) for check. `history` (or `histories`) replaces what the host would
    read from the store, for callers that have none.
    """

    hook: str
    campaign: str = ""
    trial: str = ""
    run: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    plugins: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueArrived:
    """The host has loaded its plugins; comes again after each restart, mostly with the same hash."""

    catalogue: Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerArrived:
    """One plugin's answer, of the type that `vbotd.hookspecs` gives the hook (`plugin` "" for a check: the host)."""

    question_id: int
    plugin: str
    hook: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFault:
    """A plugin lost an answer, or was left out (`import`). `question_id` is None outside of a question."""

    plugin: str
    hook: str
    how: How
    detail: str
    question_id: int | None = None
    campaign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersDone:
    """Nothing more comes for a question. `complete`: every plugin that was asked has answered."""

    question_id: int
    complete: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGone:
    """The host ended and no plugin is to blame; it is started again after `restart_in_s`."""

    detail: str
    restart_in_s: float


Message = CatalogueArrived | AnswerArrived | PluginFault | AnswersDone | HostGone
