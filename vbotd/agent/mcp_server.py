"""The tools over the Model Context Protocol. The framing is the `mcp` package's; what is said is the registry's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vbotd import __version__
from vbotd.agent.context import context_of
from vbotd.agent.faces import hints
from vbotd.agent.registry import Reply, Tool, ToolError, call
from vbotd.agent.resources import list_resources, read_resource
from vbotd.agent.tools import INSTRUCTIONS, all_tools
from vbotd.errors import VbotdError
from vbotd.layout import Layout

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server import Server

STDIO_PRINCIPAL = "agent:mcp"
GUIDES = " Guides are the resources skill://NAME: skill://training-pipeline tells which one is for what."


class McpMissing(VbotdError):
    """The protocol's package is not installed."""


def make_server(layout: Layout, principal: str) -> Server[Any]:
    """Return a server over one workspace; its tools are those of the moment at which it is made.

    Raises: McpMissing, naming what to install.
    """
    try:
        import anyio.to_thread
        import mcp_types as types
        from mcp.server import Server
        from mcp.shared.exceptions import MCPError
    except ImportError as error:
        raise McpMissing('MCP needs the package mcp, which is not installed — pip install "vbotd[mcp]"') from error

    tools = all_tools(layout)
    listed = [as_mcp(tool) for tool in tools]

    async def on_list_tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def on_call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        work = partial(_call, layout, principal, tools, params.name, params.arguments or {})
        return as_result(await anyio.to_thread.run_sync(work))

    async def on_list_resources(_: Any, __: Any) -> types.ListResourcesResult:
        found = await anyio.to_thread.run_sync(partial(list_resources, layout))
        return types.ListResourcesResult(resources=[
            types.Resource(uri=card.uri, name=card.name, description=card.summary, mime_type="text/markdown")
            for card in found])

    async def on_list_templates(_: Any, __: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[
            types.ResourceTemplate(name=name, uri_template=uri, mime_type="text/markdown")
            for name, uri in (("campaign report", "vbotd://campaign/{id}/report"),
                              ("task history", "vbotd://task/{name}/history"), ("guide", "skill://{name}"))])

    async def on_read_resource(_: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        try:
            text = await anyio.to_thread.run_sync(partial(_read, layout, principal, str(params.uri)))
        except VbotdError as error:
            raise MCPError(code=types.INVALID_PARAMS, message=str(error)) from None
        return types.ReadResourceResult(contents=[
            types.TextResourceContents(uri=str(params.uri), mime_type="text/markdown", text=text)])

    return Server("vbotd", version=__version__, instructions=INSTRUCTIONS + GUIDES, on_list_tools=on_list_tools,
                  on_call_tool=on_call_tool, on_list_resources=on_list_resources,
                  on_list_resource_templates=on_list_templates, on_read_resource=on_read_resource)


def as_mcp(tool: Tool) -> types.Tool:
    """Return a tool as the protocol describes it."""
    import mcp_types as types
    hint = hints(tool)
    return types.Tool(
        name=tool.name, description=tool.summary, input_schema=tool.input_schema(), output_schema=tool.output_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=hint["readOnlyHint"], destructive_hint=hint["destructiveHint"],
            idempotent_hint=hint["idempotentHint"], open_world_hint=hint["openWorldHint"]))


def as_result(reply: Reply) -> types.CallToolResult:
    """Return a reply as the protocol has it: the words, the values, the pictures."""
    import mcp_types as types
    content: list[Any] = [types.TextContent(type="text", text=reply.text), *(
        types.ImageContent(type="image", data=picture.base64, mime_type=picture.mime) for picture in reply.pictures)]
    return types.CallToolResult(content=content, structured_content=reply.value, is_error=reply.value is None)


def serve_stdio(layout: Layout) -> None:
    """Serve over the standard input and output until the client goes."""
    server = make_server(layout, STDIO_PRINCIPAL)
    import anyio
    from mcp.server.stdio import stdio_server

    async def serve() -> None:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    anyio.run(serve)


def _call(layout: Layout, principal: str, tools: tuple[Tool, ...], name: str, arguments: dict[str, Any]) -> Reply:
    try:
        context = context_of(layout, principal)
    except VbotdError as error:  # a configuration that cannot be read: nothing is answered without its redaction
        return Reply(error=str(error))
    return call(tools, context, name, arguments)


def _read(layout: Layout, principal: str, uri: str) -> str:
    try:
        return read_resource(context_of(layout, principal), uri)
    except OSError as error:
        raise ToolError(f"it cannot be read ({error.strerror})") from error
