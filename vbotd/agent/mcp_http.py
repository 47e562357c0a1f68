"""The same server over HTTP, for clients that need it: on this machine alone, and only for who has the token.

A web page in somebody's browser is the enemy here: it can send requests to this machine, with a Host and an Origin of
its own. So every request has to name this very address, come from no foreign origin, and carry the token.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vbotd.agent.context import token_path
from vbotd.agent.mcp_server import make_server
from vbotd.errors import VbotdError
from vbotd.layout import Layout

HOST = "127.0.0.1"
PATH = "/mcp"
PRINCIPAL = "agent:mcp-http"
LARGEST_BODY = 256 << 10
BURST, REQUESTS_A_S = 100.0, 50.0

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class BadToken(VbotdError):
    """The token's file is not one that only its owner can read."""


class Guard:
    """Lets through what is addressed to us, from nowhere else, with the token; everything else gets a bare refusal."""

    def __init__(self, app: Asgi, token: str, port: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._app, self._token, self._now = app, token.encode(), now
        names = (f"{HOST}:{port}", f"localhost:{port}")
        self._hosts = frozenset(name.encode() for name in names)
        self._origins = frozenset(f"http://{name}".encode() for name in names)
        self._tokens_left, self._filled_at = BURST, now()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        status = self._refusal(scope) if scope["type"] == "http" else 403
        if status:
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Mapping[str, Any]) -> int:
        """Return the status of a refusal, 0 for a request that may pass."""
        headers: list[tuple[bytes, bytes]] = [(name.lower(), value) for name, value in scope["headers"]]
        def values(name: bytes) -> list[bytes]:
            return [value for key, value in headers if key == name]
        if len(values(b"host")) != 1 or values(b"host")[0].lower() not in self._hosts:
            return 421
        if any(origin not in self._origins for origin in values(b"origin")):
            return 403
        if not self._has_token(values(b"authorization")):
            return 401
        # A token, or anything else, in a URL ends up in logs and histories.
        if scope["path"] != PATH or scope.get("query_string"):
            return 404
        return 0 if self._in_time() else 429

    def _has_token(self, given: list[bytes]) -> bool:
        kind, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        return hmac.compare_digest(token, self._token) and kind.lower() == b"bearer"

    def _in_time(self) -> bool:
        now = self._now()
        self._tokens_left = min(BURST, self._tokens_left + (now - self._filled_at) * REQUESTS_A_S)
        self._filled_at = now
        if self._tokens_left < 1.0:
            return False
        self._tokens_left -= 1.0
        return True


def token_of(layout: Layout) -> str:
    """Return the token of a workspace, made anew where there is none; only its owner can read its file.

    Raises: BadToken where others could read it, or it is too short.
    """
    path = Path(token_path(layout))
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, secrets.token_urlsafe(32).encode())
        finally:
            os.close(handle)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, encoding="ascii") as file:
            status = os.fstat(file.fileno())
            token = file.read(200).strip()
    except (OSError, ValueError) as error:
        raise BadToken(f"{path}: cannot be read ({type(error).__name__}) — delete it, a new one is made") from error
    if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.getuid():
        raise BadToken(f"{path}: others can read it (mode {stat.S_IMODE(status.st_mode):o}) — delete it, "
                       "a new one is made")
    if len(token) < 32:
        raise BadToken(f"{path}: has {len(token)} characters, 32 at least are wanted — delete it, a new one is made")
    return token


def make_app(layout: Layout, token: str, port: int) -> Guard:
    """Return the guarded application for a port.

    Raises: McpMissing.
    """
    server = make_server(layout, PRINCIPAL)
    from mcp.server.transport_security import TransportSecuritySettings
    names = [f"{HOST}:{port}", f"localhost:{port}"]
    app = server.streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, json_response=True, max_request_body_size=LARGEST_BODY,
        host=HOST, transport_security=TransportSecuritySettings(
            allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]))
    return Guard(app, token, port)


def serve_http(layout: Layout, port: int, announce: Callable[[str], None]) -> None:
    """Serve on the loopback address until interrupted."""
    app = make_app(layout, token_of(layout), port)
    import uvicorn
    announce(f"serving MCP on http://{HOST}:{port}{PATH} — the token is in {token_path(layout)}: send it as "
             "'Authorization: Bearer TOKEN'")
    uvicorn.run(app, host=HOST, port=port, access_log=False, log_level="warning", server_header=False)
