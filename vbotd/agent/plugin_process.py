"""The process in which a plugin's tool works: it loads the plugins, calls the one tool, prints the answer, ends.

Reads one JSON object from the standard input, writes one to the standard output; what the plugin prints goes to the
standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer the one question on the standard input."""
    question = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # a plugin that prints must not spoil the answer
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        out.write(_answer(question))


def _answer(question: dict[str, Any]) -> str:
    from vbotd.host.registry import Registry
    from vbotd.layout import Layout
    from vbotd.store.configuration import read_config
    home = Path(question["home"])
    registry = Registry(home, allowed=read_config(Layout(home)).plugins)
    card = next((tool for tool in registry.catalogue.tools if tool.name == question["tool"]), None)
    if card is None:
        return json.dumps({"error": "no plugin offers it any more"})
    try:
        module, _, name = card.entry.partition(":")
        answer = getattr(importlib.import_module(module), name)(**question["arguments"])
        return json.dumps({"answer": answer}, allow_nan=False)
    except BaseException as error:  # plugin code may raise anything, SystemExit included
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:500]})


if __name__ == "__main__":
    main()
