"""Twelve secrets around the agent loop: none is in a prompt, a record, a log, the process list or the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.models import reply, session_over, told
from tests.agent.test_secrets import BY_VALUE, CANARIES, full  # noqa: F401  # a fixture: the same twelve, planted
from tests.daemon.workspace import ROOT, Workspace, make_workspace
from tests.stories import MORNING
from vbotd.core.commands import decide_command
from vbotd.core.sighting import Circumstances, CommandSeen
from vbotd.store.events import EventStore

READING: list[tuple[str, Any]] = [
    ("wake_up", {"budget_tokens": 6000, "since": 1}), *((tool, {"id": id_}) for tool in (
        "inspect", "findings", "explain") for id_ in ("open-1123", "open-1123/t001", "open-1123/t001/train-s1-a1")),
    ("explain", {"id": "open-1123/t001/train-s1-a1", "log": True}), ("reward_library", {}), ("job", {"handle": "j1"}),
]


def test_no_secret_is_in_a_prompt_or_in_the_record(full, chat):  # noqa: F811
    left = list(READING)

    def reader(asked: dict[str, Any]) -> Any:
        calls, left[:] = left[:6], left[6:]
        # It repeats secrets that it cannot know, as an endpoint that is against us would: they get no further.
        told_back = {"key": f"n{len(left)}", "id": "open-1123", "text": f"key {BY_VALUE['EYES']}, {CANARIES['why']}"}
        return reply(asked, [*calls, ("note", told_back)] if calls else f"I saw {BY_VALUE['EYES']}.")

    chat.script = reader
    lines: list[str] = []
    session = session_over(full.layout, chat, secrets=tuple(BY_VALUE.values()), now=lambda: MORNING,
                           key=BY_VALUE["EYES"])
    session.tell = lines.append
    ending = session.run("look")
    assert ending.ending == "done"
    prompts = json.dumps(chat.asked)
    assert "[redacted]" in prompts and "401 with" in prompts and len(told(chat.asked[-1])) > len(READING)
    commands = [path.read_text() for path in full.layout.commands.glob("*.json")]
    assert len(commands) > 5
    store = EventStore(full.layout.store)
    before = store.last_event("CampaignPaused")
    for text in commands:
        said = json.loads(text)
        seen = CommandSeen(key=said["key"], verb=said["verb"], args=said["args"], principal=said["principal"])
        store.commit(decide_command(store.state, seen, Circumstances(now=MORNING, cores=1, nonce="n")), MORNING)
    new = [repr(stored.event) for stored in store.events() if before and stored.seq > before.seq]
    store.close()
    ledger = "".join(path.read_text() for path in (full.layout.state / "agent").iterdir())
    places = {"prompts": prompts, "commands": "".join(commands), "events": "".join(new), "ledger": ledger,
              "lines": "\n".join(lines), "ending": repr(ending), "caller": repr(session.caller.context)}
    assert [(place, canary) for place, text in places.items() for canary in CANARIES.values() if canary in text] == []
    assert any("AgentTurn" in event for event in new) and any("NoteAdded" in event for event in new)


@pytest.fixture
def workspace(tmp_path: Path):
    made = make_workspace(tmp_path)
    yield made
    made.close()


def test_the_key_of_the_model_goes_to_the_endpoint_and_nowhere_else(workspace: Workspace, chat):
    key = "canary-in-the-key-itself"
    (workspace.home / "vbotd.yaml").write_text(f"model: {{endpoint: '{chat.url}', name: m, key_env: MIND_KEY}}\n")
    seen: list[bytes] = []

    def hostile(asked: dict[str, Any]) -> Any:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(process.read_bytes())
            except OSError:
                continue
        if len(chat.asked) == 1:
            return 500, json.dumps({"error": {"message": f"bad key {key}"}}).encode(), {}
        wish = [("note", {"key": "n1", "id": "x", "text": key})]
        return reply(asked, wish if len(chat.asked) == 2 else f"It is {key}")

    chat.script = hostile
    done = subprocess.run(
        [sys.executable, "-m", "vbotd", "agent", "--once"], capture_output=True, text=True, check=False, timeout=200,
        cwd=workspace.home, env={**os.environ, "VBOTD_HOME": str(workspace.home), "MIND_KEY": key,
                                 "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert chat.keys == [f"Bearer {key}"] * 3
    assert key not in json.dumps(chat.asked)
    assert key not in done.stdout + done.stderr
    files = {str(path): path.read_bytes() for path in workspace.home.rglob("*") if path.is_file()}
    assert [name for name, data in files.items() if key.encode() in data] == []
    assert any(b"agent\0--once" in line for line in seen) and not any(key.encode() in line for line in seen)
    assert any("commands/turn-" in name for name in files)
