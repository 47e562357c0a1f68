"""Where in a plugin an exception came from, in one line; the whole traceback goes to the host's log."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

LONGEST_MESSAGE = 300


def describe(error: BaseException, file: Path | None) -> str:
    """Return `ExcType: message at plugin/file.py:line` and print the traceback to stderr.

    Args:
        error: what was raised.
        file: the plugin's own file (its `__init__.py` for a package); the innermost frame below it is named.
    """
    traceback.print_exception(error, file=sys.stderr)
    message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    if len(message) > LONGEST_MESSAGE:
        message = message[:LONGEST_MESSAGE] + "…"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{text} at {place}" if (place := _place(error, file)) else text


def _place(error: BaseException, file: Path | None) -> str:
    """Return `name:line` of the frame to look at: the plugin's innermost, else the innermost of all."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(Path(error.filename), file)}:{error.lineno}"
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    root = file.parent if file and file.name == "__init__.py" else file
    own = [(path, line) for path, line in frames if root and path.resolve().is_relative_to(root)]
    if not own:
        return ""  # not in the plugin's code at all: the message has to do
    path, line = own[-1]
    return f"{_short(path, file)}:{line}"


def _short(path: Path, file: Path | None) -> str:
    """Return a path from the plugin's folder on, as in `gallop/__init__.py`."""
    if file and file.name == "__init__.py" and path.resolve().is_relative_to(file.parent):
        return str(path.resolve().relative_to(file.parent.parent))
    return path.name
