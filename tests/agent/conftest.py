"""A server on this machine that speaks the chat-completions protocol, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Reply = tuple[int, bytes]


class ChatServer:
    """Answers every request with `reply`; keeps what it was asked. `hold` makes it trickle for ever instead."""

    def __init__(self) -> None:
        self.reply: Reply = answer("It trots.")
        self.script: Callable[[dict[str, Any]], tuple[int, bytes, dict[str, str]]] | None = None  # instead of `reply`
        self.hold = False
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                server.asked.append(json.loads(self.rfile.read(length)) | {"path": self.path})
                server.keys.append(self.headers["Authorization"])
                status, body, headers = server.script(server.asked[-1]) if server.script else (*server.reply, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body) if not server.hold else 10**6))
                self.end_headers()
                while server.hold and not server.closing.wait(0.02):
                    try:
                        self.wfile.write(b" ")
                        self.wfile.flush()
                    except OSError:
                        return
                if not server.hold:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def answer(text: object, status: int = 200) -> Reply:
    """Return a chat completion with this content."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return status, json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m",
                               "choices": [choice]}).encode()


@pytest.fixture
def reply_with() -> Callable[..., Reply]:
    return answer


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ChatServer()
    yield server
    server.close()
