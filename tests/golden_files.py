"""Golden files: what is compared with them, and how they are rewritten (`VBOTD_REWRITE_GOLDEN=1 pytest tests/core`)."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
REWRITE = "VBOTD_REWRITE_GOLDEN"


def assert_golden(name: str, text: str) -> None:
    """Compare a text with a golden file, or write that file when the environment asks for it."""
    path = GOLDEN / name
    if os.environ.get(REWRITE) == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing — run the tests once with {REWRITE}=1 and read the difference"
    same = text == path.read_text(encoding="utf-8")
    assert same, f"{path} differs — {REWRITE}=1 rewrites it, then read the difference"
