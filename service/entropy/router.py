"""``GET /entropy``, ``POST /entropy/{tool}``, one route per tool of the registry, and ``POST /entropy/{tool}/report``."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from epf.core.complaints import NO_JSON_OBJECT, explain
from epf.core.errors import InvalidRequest, NotFound
from epf.entropy.outcome import Outcome
from epf.entropy.registry import TOOLS
from epf.entropy.report import EntropyReport, ReportRequest
from epf.entropy.tooling.tool import AnyTool
from epf.service.http.body import is_json
from epf.service.http.disconnect import cancel_on_disconnect
from epf.service.http.errors import error_response
from epf.service.http.large import LargeResponse
from epf.service.http.openapi import ANY_ERROR, json_body
from epf.service.operations.workers import Workers
from epf.service.state import EntropyWorkers

logger = logging.getLogger(__name__)

router = APIRouter(tags=["entropy"], responses=ANY_ERROR)


class ToolOut(BaseModel):
    """An entropy tool."""

    name: str
    question: str = Field(description="The question that the tool answers.")
    paper: str
    endpoint: str
    input_schema: dict[str, Any] = Field(description="JSON Schema of the request body.")


class ToolList(BaseModel):
    """The tools that score reasoning traces."""

    tools: list[ToolOut]


@router.get("/entropy")
async def list_tools() -> ToolList:
    """List the tools that answer questions about reasoning traces, and how to call them."""
    return LISTED


def _listed(tool: AnyTool) -> ToolOut:
    return ToolOut(
        name=tool.name,
        question=tool.question,
        paper=tool.paper,
        endpoint=tool.endpoint,
        input_schema=tool.input.model_json_schema(),
    )


def _response(outcome: Outcome | memoryview, path: str, fields: Iterable[str]) -> Response:
    if isinstance(outcome, memoryview):
        return LargeResponse(outcome, media_type="application/json")
    if outcome.refusal is not None:
        raise outcome.refusal
    if outcome.bug is not None:
        logger.error("%s failed: %s", path, outcome.bug)
        raise RuntimeError("a tool failed")
    complaint = outcome.complaint
    if complaint["type"] == "json_invalid":
        return error_response(400, f"{complaint['msg']}.", type=InvalidRequest.type, param=None, code="invalid_json")
    located = {**complaint, "loc": ("body", *complaint["loc"])}
    message, param, code = explain(located, fields)
    return error_response(400, message, type=InvalidRequest.type, param=param, code=code)


async def _run(name: str, request: Request, workers: Workers, fields: Iterable[str]) -> Response:
    # The framework does not parse the body: a large one is parsed in the worker process, not on the event loop.
    if not is_json(request.headers.get("content-type", "")):
        return error_response(400, NO_JSON_OBJECT, type=InvalidRequest.type, param=None, code="invalid_json")
    body = await request.body()
    outcome = await cancel_on_disconnect(request.receive, workers.run(name, body))
    return _response(outcome, f"/entropy/{name}", fields)


def _endpoint(tool: AnyTool) -> Callable[[Request, EntropyWorkers], Awaitable[Response]]:
    async def run(request: Request, workers: EntropyWorkers) -> Response:
        return await _run(tool.name, request, workers, tool.input.model_fields)

    return run


LISTED = ToolList(tools=[_listed(tool) for tool in TOOLS.values()])

for _tool in TOOLS.values():
    router.post(
        _tool.endpoint,
        name=_tool.name,
        summary=_tool.question,
        description=f"Based on {_tool.paper}.",
        response_model=_tool.output,
        openapi_extra=json_body(_tool.input),
    )(_endpoint(_tool))


@router.post("/entropy/{tool}/report", response_model=EntropyReport, openapi_extra=json_body(ReportRequest))
async def report(tool: str, request: Request, workers: EntropyWorkers) -> Response:
    """Answer a tool's question about the content of a file: what to conclude, tables and a picture."""
    if tool not in TOOLS:
        raise NotFound(f"There is no entropy tool of this name: choose one of {', '.join(TOOLS)}.", param="tool")
    return await _run(f"{tool}/report", request, workers, ReportRequest.model_fields)
