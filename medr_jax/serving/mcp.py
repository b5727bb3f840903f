"""The tools over the Model Context Protocol, by its official SDK."""

from typing import Any

import msgspec
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from medr_jax.serving.desk import Desk
from medr_jax.serving.guard import HEALTH
from medr_jax.types import Hit, Status, ToolResult

NAME = "medr-jax"
PATH = "/mcp"
INSTRUCTIONS = (
    "Search and read a private index of medical documents, look up facts with their sources, weigh "
    "findings, calculate. Cite documents by their ids. Research software, not medical advice."
)


def server(desk: Desk, *, version: str) -> Server:
    """An MCP server with the tools, schemas as they are.

    A result is given as text, one line a hit, and as structured content (status, hits, text); a
    failed call is marked ``isError`` and says what happened.
    """
    tools = [
        types.Tool(
            name=schema["name"],
            description=schema["description"],
            input_schema=schema["parameters"],
            annotations=types.ToolAnnotations(read_only_hint=True),
        )
        for schema in desk.schemas()
    ]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        result = await desk.call(params.name, params.arguments or {})
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=shown(result))],
            structured_content=msgspec.to_builtins(result),
            is_error=result.status is not Status.OK,
        )

    made: Server = Server(
        NAME,
        version=version,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    made.middleware.clear()  # the SDK's tracing, which a collector could take queries from
    return made


def http_application(desk: Desk, *, version: str, max_request_bytes: int) -> Any:
    """An ASGI application of the streamable HTTP transport, without sessions.

    Each request stands alone, so nothing of a client is kept between two. Hosts and origins are
    the guard's matter.
    """

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    made = server(desk, version=version).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=max_request_bytes,
        host="",
        custom_starlette_routes=[Route(HEALTH, health)],
    )

    async def posts_only(scope: Any, receive: Any, send: Any) -> None:
        """Without sessions there is no stream to open by GET, which would wait for ever."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] != "POST":
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
        else:
            await made(scope, receive, send)

    return posts_only


async def run_stdio(desk: Desk, *, version: str) -> None:
    """Serves the process that started this one until it closes standard input."""
    made = server(desk, version=version)
    async with stdio_server() as (incoming, outgoing):
        await made.run(incoming, outgoing, made.create_initialization_options())


def shown(result: ToolResult) -> str:
    """What a model reads of a result: one line a hit, whatever a document holds."""
    lines = [_line(hit) for hit in result.hits]
    return "\n".join([*lines, result.text] if result.text else lines)


def _line(hit: Hit) -> str:
    kind = f" ({hit.kind})" if hit.kind else ""
    return " ".join(f"[{hit.doc_id}] {hit.title}{kind}: {hit.snippet}".split())
