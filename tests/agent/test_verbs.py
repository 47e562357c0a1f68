"""`vbotd tools`, `vbotd call`, `vbotd approve`: the tools from the command line, and what their start loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.daemon.workspace import ROOT
from tests.stories import tell
from vbotd.agent.ledger import Ledger
from vbotd.agent.tools import OWN
from vbotd.cli import cli
from vbotd.core.spending import Caps, Cost
from vbotd.layout import Layout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tell(tmp_path_factory.mktemp("night"), "crash").home


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VBOTD_HOME", str(home))
    monkeypatch.setenv("VBOTD_PLUGINS", "core")

    def run(*words: str, text: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(words), input=text)
    return run


def test_tools_come_in_every_shape(call):
    names = [tool.name for tool in OWN]
    page = call("tools").output
    assert [name for name in names if f"**{name}**" not in page] == []
    chat = json.loads(call("tools", "--format", "openai-chat").output)
    assert [tool["function"]["name"] for tool in chat] == names
    assert {tool["type"] for tool in chat} == {"function"}
    responses = json.loads(call("tools", "--format", "openai-responses").output)
    assert [tool["name"] for tool in responses] == names
    mcp = json.loads(call("tools", "--format", "mcp").output)
    assert mcp == json.loads(call("tools", "--json").output)
    assert all(tool["outputSchema"]["type"] == "object" for tool in mcp)
    assert all(tool["inputSchema"]["additionalProperties"] is False for tool in mcp)


def test_call_prints_one_json_object_and_says_what_was_wrong(call):
    said = call("call", "status")
    assert (said.exit_code, json.loads(said.output)["event"]) == (0, 33)
    piped = call("call", "inspect", "-", text='{"id": "slope"}')
    assert json.loads(piped.output)["status"] == "paused"
    wrong = call("call", "inspect", '{"id": "nothing-here"}')
    assert wrong.exit_code == 1
    assert "no campaign, trial, run or event 'nothing-here'" in wrong.output
    assert "are no JSON object" in call("call", "inspect", "{id: 3").output
    assert "--block is for the tool wait" in call("call", "status", "--block").output


def test_call_waits_for_a_sleep_and_writes_pictures(call, home: Path, tmp_path: Path):
    assert call("call", "sleep_until", '{"key": "z1", "until": "time", "hours": 0.0000001}').exit_code == 0
    blocked = call("call", "wait", '{"handle": "z1"}', "--block")
    assert json.loads(blocked.output)["why"] == "<<the time is up>>"
    job = home / "state" / "jobs" / "j1"
    (job / "pictures").mkdir(parents=True)
    from PIL import Image
    Image.new("RGB", (40, 10)).save(job / "pictures" / "sheet.png")
    (job / "request.json").write_text('{"tool": "capture", "given": {}, "words": [], "at": 1.0}')
    (job / "out.json").write_text('{"files": [{"file": "sheet.png", "kind": "contact sheet", "shows": "it"}]}')
    (job / "exit.json").write_text('{"code": 0, "at": 2.0}')
    assert call("call", "job", '{"handle": "j1"}', "--pictures", str(tmp_path / "out")).exit_code == 0
    with Image.open(tmp_path / "out" / "job-1.jpg") as image:
        assert image.size == (40, 10)


def test_who_calls_is_an_agent_whatever_it_is_called(call, home: Path):
    assert call("call", "--as", "cli:ada", "note", '{"key": "v1", "id": "slope", "text": "x"}').exit_code == 0
    sent = json.loads((home / "state" / "commands" / "v1.json").read_text())
    assert sent["principal"] == "agent:cliada"


def test_approve_lists_and_knows_no_other_key(call):
    assert call("approve").output.strip() == "no agent asks for anything"
    assert json.loads(call("approve", "--json").output) == {"requests": []}
    unknown = call("approve", "k1")  # a command of the story, and no request
    assert unknown.exit_code == 5
    assert "there is no request 'k1'" in unknown.output


def test_what_a_day_has_cost_is_told_in_the_right_number(call, home: Path):
    assert call("agent", "--spent").output.strip() == "today (UTC): 0 calls, 0 of 2,000,000 tokens"
    ledger = Ledger(layout=Layout(home), caps=Caps(tokens_a_day=10**6, tokens_a_session=10**6))
    ledger.reserve("c1", "s1", Cost(tokens=50))
    assert call("agent", "--spent").output.strip() == "today (UTC): 1 call, 50 of 2,000,000 tokens"


def test_the_verbs_start_without_the_libraries_of_their_work():
    code = ("import sys\nfrom vbotd.cli import cli\n"
            "for verb in ('tools', 'call', 'mcp'):\n    cli.get_command(None, verb)\n"
            "print(sorted({'mcp', 'openai', 'pydantic', 'torch', 'mujoco', 'matplotlib', 'uvicorn', 'PIL'}"
            " & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == "[]"


def test_calling_a_tool_loads_neither_torch_nor_a_model_s_client(home: Path):
    code = ("import sys\nfrom vbotd.agent.mcp_server import make_server\nfrom vbotd.agent.tools import OWN\n"
            "from vbotd.agent.context import context_of\nfrom vbotd.agent.registry import call\n"
            "from vbotd.layout import Layout\nlayout = Layout.find()\n"
            "for name in ('status', 'wake_up'):\n    assert call(OWN, context_of(layout, 'agent:t'), name, {}).value\n"
            "make_server(layout, 'agent:t')\n"
            "print(sorted({'openai', 'torch', 'mujoco', 'matplotlib', 'optuna'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "VBOTD_HOME": str(home), "VBOTD_PLUGINS": "core"})
    assert done.stdout.strip() == "[]"
