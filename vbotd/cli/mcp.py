"""`vbotd mcp`: serve the tools over the Model Context Protocol."""

from __future__ import annotations

import click

from vbotd.layout import Layout


@click.command("mcp")
@click.option("--http", "port", type=click.IntRange(1, 65535), metavar="PORT",
              help="Over HTTP on 127.0.0.1 instead, for who has the token in state/mcp.token.")
def command(port: int | None) -> None:
    """Serve the tools for agents over MCP, by default on the standard input and output.

    \b
    A client's configuration: {"command": "vbotd", "args": ["--home", "WORKSPACE", "mcp"]}

    Resources: the report, campaigns' reports, tasks' histories, the guides. With --http every request has to carry
    'Authorization: Bearer TOKEN'; other hosts, other origins and other addresses are refused.
    """
    layout = Layout.find()
    if port is None:
        from vbotd.agent.mcp_server import serve_stdio
        serve_stdio(layout)
    else:
        from vbotd.agent.mcp_http import serve_http
        serve_http(layout, port, lambda line: click.echo(line, err=True))
