"""The tools over HTTP: one address a tool, JSON in and out, an OpenAPI description."""

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from medr_jax.pages.render import render
from medr_jax.serving.desk import Desk
from medr_jax.serving.guard import HEALTH
from medr_jax.types import Status, ToolResult

TITLE = "medr_jax tools"
NOTICE = "Research software, not medical advice. Send no patient data."
DESCRIPTION = (
    "Tools of a medical research agent. Every call answers with a typed result: its status, hits "
    f"and a text. {NOTICE}"
)

_STATUSES = {
    Status.OK: HTTPStatus.OK,
    Status.TOOL_ERROR: HTTPStatus.UNPROCESSABLE_ENTITY,
    Status.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
}
_STYLE = ".arguments th, .arguments td { text-align: left; }"
_RESULT = "#/components/schemas/{name}"


def application(desk: Desk, facts: dict[str, Any], *, version: str) -> FastAPI:
    """The application; ``facts`` about the index stand in ``GET /tools``.

    A result's HTTP status follows its own: 200 ``ok``, 422 ``tool_error`` (404 for a tool that
    does not exist), 504 ``timeout``, 500 ``infra_error``; the body is the result in each case.
    """
    app = FastAPI(
        title=TITLE, description=DESCRIPTION, version=version, docs_url=None, redoc_url=None
    )
    schemas = desk.schemas()

    @app.get(HEALTH, summary="Whether the server answers; needs no token")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/tools", summary="The tools with the JSON schemas of their arguments")
    async def tools() -> dict[str, Any]:
        return {"tools": schemas, **facts}

    @app.get("/calls", summary="How many calls each tool had and how long they took; no text")
    async def calls() -> dict[str, Any]:
        return desk.summary()

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(
            render("tools.html.j2", extra_style=_STYLE, title=TITLE, notice=NOTICE, tools=schemas)
        )

    for schema in schemas:
        _add_tool(app, desk, schema)

    @app.post("/tools/{name}", include_in_schema=False)
    async def unknown(name: str) -> Response:
        return _response(await desk.call(name, {}), HTTPStatus.NOT_FOUND)

    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _add_tool(app: FastAPI, desk: Desk, schema: dict[str, Any]) -> None:
    async def call(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON: Content-Type: application/json"
            )
        try:
            arguments = msgspec.json.decode(await request.body(), type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _problem(HTTPStatus.BAD_REQUEST, f"send the arguments as JSON object: {error}")
        result = await desk.call(schema["name"], arguments)
        return _response(result, _STATUSES.get(result.status, HTTPStatus.INTERNAL_SERVER_ERROR))

    result = {"application/json": {"schema": {"$ref": _RESULT.format(name=ToolResult.__name__)}}}
    app.add_api_route(
        f"/tools/{schema['name']}",
        call,
        methods=["POST"],
        operation_id=schema["name"],
        summary=schema["description"],
        response_model=None,
        responses={
            int(status): {"description": str(meaning), "content": result}
            for meaning, status in _STATUSES.items()
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema["parameters"]}},
            }
        },
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, components = msgspec.json.schema_components([ToolResult], ref_template=_RESULT)
    made.setdefault("components", {}).setdefault("schemas", {}).update(components)
    return made


def _response(result: ToolResult, status: HTTPStatus) -> Response:
    return Response(msgspec.json.encode(result), status, media_type="application/json")


def _problem(status: HTTPStatus, message: str) -> Response:
    return Response(msgspec.json.encode({"error": message}), status, media_type="application/json")
