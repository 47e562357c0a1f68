"""No file that others read is written past `vbotd.store.files`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Where a file is written in another way, and why that is right there. One line each; a stale one fails.
ALLOWED: dict[str, str] = {
    "vbotd/store/files.py": "the one place: it makes the temporary file and renames it",
}
# Allowed where it exists: files of other layers that cannot, or need not, go through `write_atomic`.
ALLOWED_IF_THERE: dict[str, str] = {
    "vbotd/daemon/shim.py": "runs by itself on the standard library, without vbotd on its path",
    "vbotd/daemon/launch.py": "a log is opened for appending and handed to the shim; nobody reads it by halves",
    "vbotd/daemon/forking.py": "the fork server's log, opened for appending and handed to it",
    "vbotd/host/server.py": "wraps the pipe to the daemon, no file",
    "vbotd/chaos/forked.py": "wraps its own standard output and error, no file",
    "vbotd/chaos/scratch.py": "a log is opened for appending and handed to the daemon; nobody reads it by halves",
    "vbotd/agent/plugin_process.py": "wraps the pipe to its parent, no file",
    "vbotd/daemon/housekeeping.py": "cuts the middle out of a log under the eyes of the process that appends to it",
    "vbotd/store/inbox.py": "fills a temporary file that must take its name by link, so as never to replace one",
    "vbotd/train/checkpoint.py": "torch saves into a file object; temporary, fsync and rename are done around it",
    "vbotd/agent/job_process.py": "a verb writes its output there as it goes; exit.json, which appears whole, ends it",
    "vbotd/agent/jobs.py": "a folder that is made aside, with the request in it, and takes its name in one step",
    "vbotd/train/film.py": "an encoder writes the video as it goes, which may be large",
    "plugins/reward_engineering/library.py": "a plugin may not import vbotd.store; temporary, fsync, rename",
    "vbotd/core/campaign_docs.py": "run by a developer to renew docs/ and schemas/, never by vbotd",
}


def written(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each call in a module that writes or moves a file by itself."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if last in {"write_text", "write_bytes"} or name in {"os.rename", "os.replace", "shutil.move"}:
            yield node.lineno, name
        if last in {"open", "fdopen"} and name not in {"os.open", "webbrowser.open"}:
            # The mode is the second argument of open(path, mode), the first of path.open(mode).
            modes = [key.value for key in node.keywords if key.arg == "mode"]
            modes += node.args[:1] if name not in {"open", "io.open", "os.fdopen"} and len(node.args) == 1 else []
            modes += node.args[1:2]
            for mode in modes:
                if isinstance(mode, ast.Constant) and isinstance(mode.value, str) and len(mode.value) <= 4 \
                        and set(mode.value) & set("wax+"):
                    yield node.lineno, f"{name}(…, {mode.value!r})"


def modules() -> list[Path]:
    return sorted(path for folder in ("vbotd", "plugins") for path in (ROOT / folder).rglob("*.py"))


def test_files_are_written_in_one_place_only():
    allowed = ALLOWED | ALLOWED_IF_THERE
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in modules() if str(path.relative_to(ROOT)) not in allowed
        for line, what in written(path.read_text())
    ]
    assert not found, "write with vbotd.store.files.write_atomic, or add a reason here:\n" + "\n".join(found)


def test_no_exception_is_stale():
    for name in ALLOWED:
        assert list(written((ROOT / name).read_text())), f"{name} needs no exception any more"


@pytest.mark.parametrize("line", [
    "open('x', 'w')", "open('x', mode='ab')", "path.open('x')", "open('x', 'r+')", "os.fdopen(3, 'wb')",
    "path.write_text('x')", "(a / b).write_bytes(b'')", "os.rename('a', 'b')", "shutil.move('a', 'b')",
    "gzip.open('x', 'wb')",
])
def test_the_rule_sees(line):
    assert list(written(line))


@pytest.mark.parametrize("line", ["open('x')", "open('x', 'rb')", "path.open()", "os.open('w', 1)", "a.open('rb')",
                                  "os.fdopen(3, 'rb')", "Image.open('wax.png')"])
def test_the_rule_lets_pass(line):
    assert not list(written(line))
