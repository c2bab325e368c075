"""``GET /entropy`` and ``POST /entropy/{tool}``: one route for each tool of the registry."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from epf.entropy.outcome import Outcome
from epf.entropy.registry import TOOLS
from epf.entropy.tooling.tool import AnyTool
from epf.service.http.dependencies import HeavyWork
from epf.service.http.disconnect import ClientGone, until_client_leaves
from epf.service.http.errors import error_response, explain
from epf.service.http.openapi import json_body
from epf.service.solve.schemas import ErrorBody

logger = logging.getLogger(__name__)

router = APIRouter(tags=["entropy"], responses={"default": {"model": ErrorBody, "description": "Any error"}})


class ToolOut(BaseModel):
    """One tool."""

    name: str
    question: str = Field(description="What it answers.")
    paper: str
    endpoint: str
    input_schema: dict[str, Any] = Field(description="JSON Schema of the request's body.")


class ToolList(BaseModel):
    """The tools that score reasoning traces."""

    tools: list[ToolOut]


@router.get("/entropy")
async def list_tools() -> ToolList:
    """What can be asked about reasoning traces, and how."""
    return LISTED


def _listed(tool: AnyTool) -> ToolOut:
    return ToolOut(
        name=tool.name,
        question=tool.question,
        paper=tool.paper,
        endpoint=tool.endpoint,
        input_schema=tool.input.model_json_schema(),
    )


def _response(outcome: Outcome, tool: AnyTool) -> Response:
    if outcome.refusal is not None:
        raise outcome.refusal
    if outcome.bug is not None:
        logger.error("%s failed: %s", tool.endpoint, outcome.bug)
        raise RuntimeError("a tool failed")
    if outcome.complaints is not None:
        complaint = outcome.complaints[0]
        if complaint["type"] == "json_invalid":
            return error_response(400, f"{complaint['msg']}.", type="invalid_request_error", param=None, code="invalid_json")
        located = {**complaint, "loc": ("body", *complaint["loc"])}
        message, param, code = explain(located, tool.input.model_fields)
        return error_response(400, message, type="invalid_request_error", param=param, code=code)
    return Response(outcome.answer, media_type="application/json")


def _answering(tool: AnyTool) -> Callable[[Request, HeavyWork], Awaitable[Response]]:
    async def answer(request: Request, workers: HeavyWork) -> Response:
        # Unread by the framework: a large body is parsed where it is computed on, not on the event loop.
        body = await request.body()
        try:
            return _response(await until_client_leaves(request.receive, workers.run(tool.name, body)), tool)
        except ClientGone:
            return Response(status_code=499)

    return answer


LISTED = ToolList(tools=[_listed(tool) for tool in TOOLS.values()])

for _tool in TOOLS.values():
    router.post(
        _tool.endpoint,
        name=_tool.name,
        summary=_tool.question,
        description=f"After: {_tool.paper}.",
        response_model=_tool.output,
        openapi_extra=json_body(_tool.input),
    )(_answering(_tool))
