"""From a question to the plugins that are asked it and the frozen values that they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vbotd.domain.history import History
from vbotd.domain.skill import SkillCard
from vbotd.errors import StoreError
from vbotd.host.catalogue import Catalogue, same_name
from vbotd.host.registry import Answered, Registry
from vbotd.host.view import HostView, Library, Presets, RunSeries
from vbotd.host.wire import SkillProblem, adapter, decode_arguments, encode_answer, frozen
from vbotd.layout import Layout

EVERYBODY = ("wake_up", "on_event")
SKILLS_ONLY = ("propose", "estimate", "amend")


class BadQuestion(Exception):
    """A question that cannot be put to anyone; nobody's fault but the asker's (or the store's)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question as it comes through the pipe. `plugins` None: those whom it concerns; `skip`: asked already."""

    id: int
    hook: str
    campaign: str = ""
    trial: str = ""
    run: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    plugins: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()


def whom(ask: Ask, registry: Registry, history: History | None) -> list[str]:
    """Return the plugins to ask, in order: those of the campaign's skills as declared, then those without skills."""
    if ask.plugins is not None:
        order = list(ask.plugins)
    elif ask.hook in EVERYBODY:
        order = [card.name for card in registry.catalogue.plugins]
    else:
        uses = history.campaign.skills if history else ()
        order = [owner for use in uses if (owner := registry.owner_of(use.name))]
        order += [] if ask.hook in SKILLS_ONLY else registry.skillless()
    return [name for name in dict.fromkeys(order) if registry.answers(name, ask.hook) and name not in ask.skip]


def signed(answered: Answered, plugin: str, catalogue: Catalogue) -> Answered:
    """Return proposals under the name of one of their plugin's own skills: nobody speaks in another's name."""
    if not isinstance(answered.value, list):
        return answered
    own = next((card.skills for card in catalogue.plugins if card.name == plugin), ()) or (plugin,)
    value = [item if any(same_name(item["proposer"], name) for name in own) else {**item, "proposer": own[0]}
             for item in answered.value]
    return Answered(value=value)


class Desk:
    """Gathers what a question needs: from its own arguments, else from the store of the workspace."""

    def __init__(self, home: Path, registry: Registry) -> None:
        self._home, self._registry, self._library = home, registry, Library(home)

    def arguments(self, ask: Ask) -> tuple[dict[str, Any], History | None]:
        """Return the frozen arguments of a hook call, and the history that they are about.

        Raises: BadQuestion when the campaign, trial or run is not there.
        """
        try:
            given = decode_arguments(ask.args)
        except (KeyError, ValidationError) as error:
            raise BadQuestion(f"the arguments of '{ask.hook}' do not fit: {error}") from error
        if ask.hook == "on_event":
            return {"event": frozen(given["event"])}, None
        if ask.hook == "wake_up":
            histories = given["histories"] if "histories" in given else self._histories(given.get("campaigns"))
            return {"histories": tuple(frozen(history) for history in histories)}, None
        history = frozen(given["history"] if "history" in given else self._history(ask.campaign))
        return self._about(ask, given, history), history

    def _about(self, ask: Ask, given: Mapping[str, Any], history: History) -> dict[str, Any]:
        match ask.hook:
            case "propose":
                return {"history": history, "count": given.get("count", 1),
                        "view": HostView(self._library, history.record.id, self._of_task, self._presets)}
            case "estimate":
                return {"history": history}
            case "amend":
                return {"history": history, "proposal": frozen(given["proposal"])}
            case "judge":
                return {"history": history, "trial": _named(history.trials, ask.trial, "trial")}
            case "watch":
                run = _named(history.runs, ask.run, "run")
                return {"history": history, "run": run, "series": RunSeries(self._library, run.id)}
            case "follow_up":
                return {"history": history, "run": _named(history.runs, ask.run, "run")}
        raise BadQuestion(f"no plugin can be asked '{ask.hook}'")

    def _of_task(self, task: str) -> tuple[History, ...]:
        """Return all campaigns of a task; none where there is no store yet."""
        from vbotd.store.read import Reader

        try:
            with Reader(Layout(self._home).store) as reader:
                names = [record.id for record in reader.records() if record.content.task == task]
        except StoreError:
            return ()
        return tuple(frozen(history) for history in self._histories(names))

    def _presets(self, task: str) -> Presets:
        from vbotd.store.presets import load_presets

        card = self._registry.catalogue.task(task)
        return {preset.name: preset.settings(card) for preset in load_presets() if preset.task == task} if card else {}

    def _history(self, campaign: str) -> History:
        from vbotd.store.read import Reader

        with Reader(Layout(self._home).store) as reader:
            history = reader.history(campaign)
        if history is None:
            raise BadQuestion(f"no campaign '{campaign}' in the store")
        return _with_task(history, self._registry.catalogue)

    def _histories(self, campaigns: Sequence[str] | None) -> list[History]:
        from vbotd.store.read import Reader

        with Reader(Layout(self._home).store) as reader:
            wanted = [record.id for record in reader.records()] if campaigns is None else campaigns
            found = [reader.history(campaign) for campaign in wanted]
        return [_with_task(history, self._registry.catalogue) for history in found if history]


def _with_task(history: History, catalogue: Catalogue) -> History:
    task = catalogue.task(history.campaign.task)
    return History(record=history.record, task=task, trials=history.trials, runs=history.runs)


def _named(items: Sequence[Any], name: str, what: str) -> Any:
    item = next((item for item in items if item.id == name), None)
    if item is None:
        raise BadQuestion(f"no {what} '{name}' in this campaign")
    return item


def check_block(registry: Registry, skill: SkillCard, options: Mapping[str, Any]) -> list[Any]:
    """Return what is wrong with one skill's block, as plain JSON values; nothing when it fits its model."""
    model = registry.model_of(skill)
    if model is None:
        found = [SkillProblem(skill=skill.name, loc=(key,), message=f"skill '{skill.name}' takes no options",
                              fix="remove it") for key in options]
    else:
        found = _problems(model, skill.name, options)
    plain: list[Any] = encode_answer("check", found)
    return plain


def _problems(model: Any, skill: str, options: Mapping[str, Any]) -> list[SkillProblem]:
    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        return [_problem(model, skill, found) for found in error.errors(include_url=False)]
    return []


def _problem(model: Any, skill: str, found: Any) -> SkillProblem:
    message, fix = found["msg"], ""
    if found["type"] == "extra_forbidden":
        known = list(model.model_fields)
        near = get_close_matches(str(found["loc"][-1]), known, 1)
        message = f"skill '{skill}' has no option '{found['loc'][-1]}'"
        fix = f"did you mean '{near[0]}'?" if near else f"allowed: {', '.join(known)}"
    elif found["type"] != "missing":
        message = f"{message[0].lower()}{message[1:]} (it is {found['input']!r})"
    return SkillProblem(skill=skill, loc=tuple(found["loc"]), message=message, fix=fix)


def unknown_skill(registry: Registry, name: str) -> list[Any]:
    """Return the problem of a skill that nobody offers, as plain JSON values."""
    known = [skill.name for skill in registry.catalogue.skills]
    near = get_close_matches(name.replace("_", "-"), known, 1)
    fix = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
    problem = SkillProblem(skill=name, loc=(), message=registry.explain_unknown(name), fix=fix)
    plain: list[Any] = adapter(list[SkillProblem]).dump_python([problem], mode="json")
    return plain
