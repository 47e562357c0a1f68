"""The workspace's configuration, read from its file.

Reads: `vbotd.yaml`.
"""

from __future__ import annotations

from vbotd.core.config import Config, parse_config
from vbotd.layout import Layout


def read_config(layout: Layout) -> Config:
    """Return the workspace's configuration, the defaults where there is no `vbotd.yaml`.

    Raises: ConfigError with file:line:column of every problem.
    """
    try:
        data = layout.config.read_bytes()
    except FileNotFoundError:
        return Config()
    return parse_config(data, str(layout.config))
