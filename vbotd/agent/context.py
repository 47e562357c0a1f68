"""Who calls, and what must not be told? The context of a call, made from the workspace and the environment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from vbotd.agent.registry import Context
from vbotd.core.config import Config
from vbotd.core.redaction import secrets_of
from vbotd.host.catalogue import Catalogue
from vbotd.host.one_shot import one_shot_catalogue
from vbotd.layout import Layout
from vbotd.store.configuration import read_config


def context_of(layout: Layout, principal: str, environment: Mapping[str, str] | None = None) -> Context:
    """Return the context for calls of a principal, such as `agent:mcp`."""
    environ = os.environ if environment is None else environment
    return Context(layout=layout, principal=principal, now=time.time,
                   secrets=secrets_of(read_config(layout), environ) + _tokens(layout))


def catalogue_of(layout: Layout) -> Catalogue:
    """Return what the plugins offer that the configuration allows.

    Raises: VbotdError where the plugins cannot be asked.
    """
    return one_shot_catalogue(layout.home, plugins_allowed=read_config(layout).plugins)


def without_secrets(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a child that needs none of the secrets."""
    secret = set(secrets_of(config, environ))
    return {name: value for name, value in environ.items() if value.strip() not in secret}


def token_path(layout: Layout) -> str:
    """Return where the token of the HTTP server lies."""
    return str(layout.state / "mcp.token")


def _tokens(layout: Layout) -> tuple[str, ...]:
    try:
        with open(token_path(layout), encoding="utf-8") as file:
            found = file.read(200).strip()
    except OSError:
        return ()
    return (found,) if found else ()
