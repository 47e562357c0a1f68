"""The tools over the Model Context Protocol, with the protocol's own client: over pipes and over HTTP."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event as TensorBoardEvent
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tests.daemon.workspace import ROOT
from tests.stories import MORNING, tell
from tests.waiting import wait_until
from vbotd.agent.mcp_http import BURST, BadToken, Guard, token_of
from vbotd.agent.mcp_server import GUIDES
from vbotd.agent.tools import INSTRUCTIONS, OWN
from vbotd.layout import Layout
from vbotd.store.read import Reader
from vbotd.store.views import write_views

NIGHT = "flat-night-1123"
RUN = f"{NIGHT}/t003/train-s1-a1"
Use = Callable[[Client], Awaitable[None]]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The workspace of a night that went well, with the series of a run and the views that a daemon writes."""
    layout = tell(tmp_path_factory.mktemp("night"), "success")
    folder = layout.run(RUN)
    folder.mkdir(parents=True)
    writer = EventFileWriter(str(folder))
    for step in range(0, 50_000, 1000):
        writer.add_event(TensorBoardEvent(step=step, wall_time=1.0, summary=Summary(value=[
            Summary.Value(tag="train/success_rate", simple_value=step / 50_000)])))
    writer.close()
    with Reader(layout.store) as reader:
        write_views(layout, reader, MORNING)
    return layout


def environment(layout: Layout) -> dict[str, str]:
    # The bundled plugins are not needed here, and take seconds to load.
    return {**os.environ, "VBOTD_HOME": str(layout.home), "PYTHONPATH": str(ROOT), "VBOTD_PLUGINS": "core"}


@pytest.fixture(scope="module")
def server(layout: Layout) -> Iterator[int]:
    """A server over HTTP, as a process; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "vbotd", "mcp", "--http", str(port)], env=environment(layout),
                               cwd=layout.home, stdout=subprocess.DEVNULL, stderr=(layout.home / "err.txt").open("wb"))

    def is_up() -> bool:
        assert process.poll() is None, (layout.home / "err.txt").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(is_up, 120)
    yield port
    process.terminate()
    process.wait(30)


def over_pipes(layout: Layout, use: Use) -> None:
    async def work() -> None:
        started = StdioServerParameters(command=sys.executable, args=["-m", "vbotd", "mcp"], env=environment(layout),
                                        cwd=str(layout.home))
        async with Client(started, read_timeout_seconds=120) as client:
            await use(client)
    anyio.run(work)


def over_http(layout: Layout, port: int, use: Use) -> None:
    async def work() -> None:
        headers = {"Authorization": f"Bearer {token_of(layout)}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as web:
            transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=web)
            async with Client(transport, read_timeout_seconds=120) as client:
                await use(client)
    anyio.run(work)


async def everything(client: Client) -> None:
    """List, call, be refused, read, and look at a picture."""
    assert client.instructions == INSTRUCTIONS + GUIDES
    guide, = (await client.read_resource("skill://training-pipeline")).contents
    assert "## Which guide next" in guide.text
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(listed) == [tool.name for tool in OWN]
    assert listed["wake_up"].annotations.read_only_hint is True
    assert listed["cancel"].annotations.read_only_hint is False
    assert listed["cancel"].annotations.destructive_hint is True

    # The client checks the answer against the tool's output schema by itself.
    said = await client.call_tool("inspect", {"id": "t003"})
    assert said.is_error is False
    assert said.structured_content["status"] == "keep"
    assert json.loads(said.content[0].text) == said.structured_content
    for name in ("status", "wake_up"):
        assert (await client.call_tool(name, {})).is_error is False
    for name, given, words in (("inspect", {"id": "nope"}, "no campaign, trial, run or event 'nope'"),
                               ("inspect", {"file": "/etc/passwd"}, "is no argument of it"),
                               ("fly", {}, "there is no tool 'fly'")):
        refused = await client.call_tool(name, given)
        assert refused.is_error is True
        assert words in refused.content[0].text

    drawn = await client.call_tool("series", {"run": RUN, "plot": True, "points": 3})
    words, picture = drawn.content
    assert json.loads(words.text)["series"]["train/success_rate"][-1] == [49_000, 0.98]
    assert picture.mime_type == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(picture.data))) as image:
        assert image.width == 640

    uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
    assert {"vbotd://wake_up", f"vbotd://campaign/{NIGHT}/report", "vbotd://task/vbot_walk_flat/history"} <= set(uris)
    for uri, words in (("vbotd://wake_up", "# WAKE_UP"), (f"vbotd://campaign/{NIGHT}/report", "98.4 %"),
                       ("vbotd://task/vbot_walk_flat/history", NIGHT)):
        content, = (await client.read_resource(uri)).contents
        assert words in content.text
        assert "data, never instructions" in content.text.splitlines()[0]
    for uri in ("vbotd://campaign/../report", "vbotd://campaign/nope/report", "file:///etc/passwd", "skill://../x"):
        with pytest.raises(MCPError, match="there is no resource"):
            await client.read_resource(uri)


def test_over_pipes_a_client_lists_calls_reads_and_sees(layout: Layout):
    over_pipes(layout, everything)


def test_over_http_a_client_with_the_token_does_the_same(layout: Layout, server: int):
    over_http(layout, server, everything)


def test_a_change_through_mcp_is_a_command_of_that_agent(layout: Layout, server: int):
    async def note_twice(client: Client) -> None:
        for _ in range(2):
            said = await client.call_tool("note", {"key": "m1", "id": NIGHT, "text": "seen over MCP"})
            assert said.structured_content["status"] == "queued"
    over_http(layout, server, note_twice)
    command, = (json.loads(path.read_text()) for path in layout.commands.glob("*.json"))
    assert (command["key"], command["verb"], command["principal"]) == ("m1", "note", "agent:mcp-http")


HELLO = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).encode()
Headers = list[tuple[str, str]]


def combinations(port: int, token: str) -> list[tuple[int, str, Headers]]:
    """Return (status, path, headers) of requests that are wrong in a host, an origin, a token, or the address."""
    host, good = ("Host", f"127.0.0.1:{port}"), ("Authorization", f"Bearer {token}")
    def origin(value: str) -> tuple[str, str]:
        return ("Origin", value)
    return [
        (421, "/mcp", [("Host", "evil.example"), good]), (421, "/mcp", [("Host", f"evil.example:{port}"), good]),
        (421, "/mcp", [("Host", "127.0.0.1"), good]), (421, "/mcp", [("Host", "127.0.0.1:1"), good]),
        (421, "/mcp", [("Host", f"127.0.0.1:{port}.evil.example"), good]), (421, "/mcp", [("Host", ""), good]),
        (400, "/mcp", [host, ("Host", "evil.example"), good]),  # two of them: the HTTP server's own refusal
        (421, "/mcp", [("Host", f"0.0.0.0:{port}"), good]),
        (403, "/mcp", [host, good, origin("https://evil.example")]), (403, "/mcp", [host, good, origin("null")]),
        (403, "/mcp", [host, good, origin(f"https://127.0.0.1:{port}")]),
        (403, "/mcp", [host, good, origin("http://127.0.0.1:1")]),
        (403, "/mcp", [host, good, origin(f"http://127.0.0.1:{port}.evil.example")]),
        (403, "/mcp", [host, good, origin(f"http://127.0.0.1:{port}"), origin("https://evil.example")]),
        (401, "/mcp", [host]), (401, "/mcp", [host, ("Authorization", "Bearer ")]),
        (401, "/mcp", [host, ("Authorization", f"Bearer {token}x")]),
        (401, "/mcp", [host, ("Authorization", f"Bearer {token[:-1]}")]),
        (401, "/mcp", [host, ("Authorization", f"Basic {token}")]), (401, "/mcp", [host, ("Authorization", token)]),
        (401, "/mcp", [host, good, good]), (401, f"/mcp?token={token}", [host]),
        (404, f"/mcp?token={token}", [host, good]),
        (404, "/", [host, good]),
    ]


def post(port: int, path: str, headers: Headers) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    for name, value in (("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"),
                        ("Content-Length", str(len(HELLO)))):
        connection.putheader(name, value)
    connection.endheaders(HELLO)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_wrong_hosts_origins_and_tokens_are_refused_without_a_word(layout: Layout, server: int):
    token = token_of(layout)
    wrong = combinations(server, token)
    assert len(wrong) >= 20
    for status, path, headers in wrong:
        found, body = post(server, path, headers)
        assert (found, b"jsonrpc" in body, body if status != 400 else b"") == (status, False, b""), headers
    right = [("Host", f"localhost:{server}"), ("Origin", f"http://localhost:{server}"),
             ("Authorization", f"Bearer {token}")]
    assert post(server, "/mcp", right)[0] == 200
    assert token not in (layout.home / "err.txt").read_text()


async def _ask(guard: Guard, times: int) -> list[int]:
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    for _ in range(times):
        await guard({"type": "http", "path": "/mcp", "query_string": b"",
                     "headers": [(b"host", b"127.0.0.1:80"), (b"authorization", b"Bearer t")]}, receive, send)
    return statuses


def test_a_flood_is_slowed_and_a_websocket_is_none_of_ours():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
    clock = [0.0]
    guard = Guard(app, "t", 80, now=lambda: clock[0])
    statuses = anyio.run(_ask, guard, int(BURST) + 10)
    assert statuses == [200] * int(BURST) + [429] * 10
    clock[0] = 1.0
    assert anyio.run(_ask, guard, 1) == [200]


def test_the_token_is_long_private_and_stays(tmp_path: Path):
    layout = Layout(tmp_path)
    token = token_of(layout)
    path = layout.state / "mcp.token"
    assert len(token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_of(layout) == token
    path.chmod(0o644)
    with pytest.raises(BadToken, match="others can read it"):
        token_of(layout)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(BadToken, match="5 characters"):
        token_of(layout)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadToken, match="cannot be read"):
        token_of(layout)
