"""Loading plugins one by one, inside the host process, so that a broken one costs only itself."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any

import pluggy

from vbotd import hookspecs
from vbotd.host.blame import describe
from vbotd.host.catalogue import PluginCard, PluginFailure, same_name
from vbotd.host.discovery import GROUP, WORKSPACE_PACKAGE, Candidate, mount_workspace

PREFIX = "vbotd_"


class BadPlugin(ValueError):
    """A module that imports, and yet does not keep to the contract; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A plugin that is registered."""

    card: PluginCard
    module: ModuleType


def load(candidate: Candidate) -> ModuleType:
    """Import a plugin's module; whatever its import raises comes through."""
    if not candidate.module.startswith(f"{WORKSPACE_PACKAGE}.") or candidate.path is None:
        return importlib.import_module(candidate.module)
    is_package = candidate.path.name == "__init__.py"
    mount_workspace(candidate.path.parents[1 if is_package else 0])
    spec = importlib.util.spec_from_file_location(
        candidate.module, candidate.path,
        submodule_search_locations=[str(candidate.path.parent)] if is_package else None)
    if spec is None or spec.loader is None:
        raise ImportError(f"no loader for {candidate.source}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[candidate.module] = module  # before it runs: relative imports and dataclasses look it up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(candidate.module, None)
        raise
    return module


def make_manager() -> pluggy.PluginManager:
    """Return a plugin manager that knows the contract and no plugin."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    return manager


def register(manager: pluggy.PluginManager, name: str, module: Any) -> tuple[str, ...]:
    """Register a plugin and return the hooks that it answers, without their prefix.

    Raises: BadPlugin for a hook that does not exist, a hook without `@hookimpl`, or a wrong signature.
    """
    known = [spec for spec in dir(hookspecs) if spec.startswith(PREFIX)]
    for attribute in sorted(vars(module)):
        marked = getattr(getattr(module, attribute), "vbotd_impl", None) is not None
        if marked and attribute not in known:
            near = get_close_matches(attribute, known, 1, 0.4)
            hint = f" — did you mean '{near[0]}'?" if near else f" — known: {', '.join(known)}"
            raise BadPlugin(f"plugin '{name}': unknown hook '{attribute}'{hint}")
        if attribute in known and not marked:
            raise BadPlugin(f"plugin '{name}': '{attribute}' is not marked — write @hookimpl above it")
    try:
        manager.register(module, name=name)
    except pluggy.PluginValidationError as error:
        raise BadPlugin(" ".join(str(error).split())) from error
    callers = manager.get_hookcallers(module) or []
    return tuple(sorted(caller.name.removeprefix(PREFIX) for caller in callers))


def load_all(candidates: Iterable[Candidate], announce: Callable[[str, str], None],
             blocked: Sequence[str] = (), loader: Callable[[Candidate], Any] = load,
             ) -> tuple[pluggy.PluginManager, list[Loaded], list[PluginFailure]]:
    """Load and register plugins one by one; `announce(plugin, source)` is called before each."""
    manager, loaded, failures = make_manager(), [], []
    for candidate in candidates:
        if any(same_name(candidate.name, name) for name in blocked):
            continue
        announce(candidate.name, candidate.source)
        try:
            module = loader(candidate)
            hooks = register(manager, candidate.name, module)
        except BadPlugin as error:
            failures.append(PluginFailure(name=candidate.name, source=candidate.source, error=str(error)))
            continue
        except BaseException as error:
            failures.append(PluginFailure(name=candidate.name, source=candidate.source,
                                          error=describe(error, candidate.path)))
            continue
        version = candidate.version or str(getattr(module, "__version__", ""))
        loaded.append(Loaded(module=module, card=PluginCard(
            name=candidate.name, source=candidate.source, version=version, hooks=hooks)))
    return manager, loaded, failures
