"""The plugins of one host process: what they offer together, and asking one of them one thing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from vbotd.domain.skill import SkillCard
from vbotd.host.blame import describe
from vbotd.host.catalogue import Catalogue, PluginFailure, same_name
from vbotd.host.discovery import Candidate, find
from vbotd.host.loading import PREFIX, Loaded, load_all
from vbotd.host.wire import NOUNS, NotAnAnswer, decode_answer, encode_answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of asking one plugin: plain JSON values, or how it failed (`raised`, `nonsense`) and where."""

    value: Any = None
    how: str = ""
    detail: str = ""


class Registry:
    """The registered plugins. Loading announces every plugin first, so that a death has a culprit."""

    def __init__(self, home: Path | None, *, allowed: Sequence[str] | None = None, blocked: Sequence[str] = (),
                 announce: Callable[[str, str], None] = lambda plugin, hook: None) -> None:
        candidates, clashes = find(home, allowed)
        self._files = {candidate.name: candidate.path for candidate in candidates}
        self._manager, loaded, failures = load_all(candidates, lambda name, _: announce(name, "import"), blocked)
        self.catalogue = self._collect(loaded, [*clashes, *failures], announce)

    @classmethod
    def of_modules(cls, modules: Mapping[str, Any]) -> Registry:
        """Return a registry of modules that are imported already, for the conformance kit."""
        registry = cls.__new__(cls)
        registry._files = {name: Path(module.__file__).resolve() for name, module in modules.items()
                           if getattr(module, "__file__", None)}
        candidates = [Candidate(name=name, module=module.__name__, source="module", path=registry._files.get(name))
                      for name, module in modules.items()]
        registry._manager, loaded, failures = load_all(
            candidates, lambda *_: None, loader=lambda candidate: modules[candidate.name])
        registry.catalogue = registry._collect(loaded, failures, lambda *_: None)
        return registry

    def answers(self, plugin: str, hook: str) -> bool:
        """Say whether a plugin implements a hook."""
        return any(card.name == plugin and hook in card.hooks for card in self.catalogue.plugins)

    def raw(self, plugin: str, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Return what a plugin says, as it says it; whatever it raises comes through."""
        others = [module for name, module in self._manager.list_name_plugin() if name != plugin]
        said = self._manager.subset_hook_caller(PREFIX + hook, others)(**arguments)
        return said[0] if said else None

    def ask(self, plugin: str, hook: str, arguments: Mapping[str, Any]) -> Answered:
        """Ask one plugin, and check and encode its answer; nothing it does raises here."""
        return self.guard(plugin, lambda: encode_answer(hook, self.raw(plugin, hook, arguments)))

    def guard(self, plugin: str, work: Callable[[], Any]) -> Answered:
        """Run plugin code; whatever it raises, SystemExit included, becomes a failure with its place."""
        try:
            return Answered(value=work())
        except NotAnAnswer as error:
            return Answered(how="nonsense", detail=str(error))
        except BaseException as error:
            return Answered(how="raised", detail=describe(error, self._files.get(plugin)))

    def model_of(self, skill: SkillCard) -> Any:
        """Return the pydantic model behind a skill's block; None where the block takes no options."""
        if not skill.check:
            return None
        module, _, name = skill.check.partition(":")
        model = getattr(importlib.import_module(module), name)
        if not hasattr(model, "model_validate"):
            raise TypeError(f"skill '{skill.name}': '{skill.check}' is no pydantic model")
        return model

    def _collect(self, loaded: Sequence[Loaded], failures: list[PluginFailure],
                 announce: Callable[[str, str], None]) -> Catalogue:
        """Ask for the nouns. A name that is taken, or a card that is none, is left out and said."""
        nouns: dict[str, list[Any]] = {noun: [] for noun in NOUNS}
        owner: dict[tuple[str, str], str] = {}
        cards = []
        for plugin in loaded:
            card = plugin.card
            for noun, item in self._offers(plugin, failures, announce):
                key = (noun, item.name.replace("-", "_"))
                if key in owner:
                    failures.append(PluginFailure(
                        name=card.name, source=card.source,
                        error=f"{noun.removesuffix('s').replace('_', ' ')} '{item.name}' is offered by both "
                              f"'{owner[key]}' and '{card.name}' — names are unique, the first is used — rename one"))
                    continue
                owner[key] = card.name
                nouns[noun].append(item)
                if noun == "skills":
                    card = replace(card, skills=(*card.skills, item.name))
            cards.append(card)
        return Catalogue(plugins=tuple(cards), failures=tuple(failures),
                         **{noun: tuple(items) for noun, items in nouns.items()})

    def _offers(self, plugin: Loaded, failures: list[PluginFailure],
                announce: Callable[[str, str], None]) -> Iterator[tuple[str, Any]]:
        card = plugin.card
        for noun in NOUNS:
            if noun not in card.hooks:
                continue
            announce(card.name, noun)
            answered = self.guard(card.name, partial(self._cards, card.name, noun))
            if answered.how:
                failures.append(PluginFailure(name=card.name, source=card.source, error=answered.detail))
                continue
            yield from ((noun, item) for item in answered.value)

    def _cards(self, plugin: str, noun: str) -> list[Any]:
        plain = encode_answer(noun, self.raw(plugin, noun, {}))
        cards: list[Any] = decode_answer(noun, plain)
        return [self._with_schema(card) for card in cards] if noun == "skills" else cards

    def _with_schema(self, skill: SkillCard) -> SkillCard:
        """Fill in the JSON Schema of a skill's block from its model, where the plugin left it out."""
        model = self.model_of(skill)
        return skill if model is None or skill.schema else replace(skill, schema=model.model_json_schema())

    def owner_of(self, skill: str) -> str | None:
        """Return the plugin that declares a skill, or None."""
        return self.catalogue.owner(skill)

    def skillless(self) -> list[str]:
        """Return the plugins that declare no skill: they follow, for all campaigns."""
        return [card.name for card in self.catalogue.plugins if not card.skills]

    def explain_unknown(self, skill: str) -> str:
        """Return why a skill is not there: its plugin failed, or nobody offers it."""
        for failure in self.catalogue.failures:
            if same_name(failure.name, skill):
                return f"plugin '{failure.name}' failed to load: {failure.error}"
        return f"skill '{skill}' is not offered by any plugin"
