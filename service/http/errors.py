"""Every failure as ``{"error": {"message", "type", "param", "code"}}``: ours, pydantic's, the framework's and our bugs."""

import logging
import math
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epf.core.errors import InvalidRequest, SearchServiceError, Unauthorized
from epf.service.solve.schemas import ErrorBody, ErrorDetail

logger = logging.getLogger(__name__)

_HTTP_CODES = {400: "invalid_json", 404: "not_found", 405: "method_not_allowed"}
_HTTP_MESSAGES = {
    400: "The body cannot be read as JSON: it is nested too deeply, not UTF-8, or has a number of too many digits.",
    404: "There is no such route: see /docs for those that there are.",
    405: "This route does not answer this method: see /docs.",
}


def error_response(
    status: int, message: str, *, type: str, param: str | None, code: str | None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The one shape of an error."""
    body = ErrorBody(error=ErrorDetail(message=message, type=type, param=param, code=code))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Register the handlers; :class:`UnhandledErrors` is added by the application, outermost."""
    app.add_exception_handler(SearchServiceError, _search_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def detail_of(error: Exception) -> ErrorDetail:
    """What a caller is told of a failure, ours or a bug; the log gets what says where it comes from."""
    if not isinstance(error, SearchServiceError):
        logger.error("unhandled %s in %s", type(error).__name__, where(error))
        message = "The service failed on this request. Its log says where."
        return ErrorDetail(message=message, type=SearchServiceError.type, param=None, code=SearchServiceError.code)
    message = error.message
    if error.status >= 500 and error.__cause__ is not None:
        # Such a message quotes an engine's own exception, which may tell of our insides or of another caller's problem.
        logger.error("%s caused by %s", type(error).__name__, type(error.__cause__).__name__)
        message = f"{type(error).code.replace('_', ' ').capitalize()}. The service's log says more."
    return ErrorDetail(message=message, type=error.type, param=error.param, code=error.code)


def response_to(error: Exception) -> JSONResponse:
    """The answer to a failure, ours or a bug."""
    status = error.status if isinstance(error, SearchServiceError) else SearchServiceError.status
    return JSONResponse(ErrorBody(error=detail_of(error)).model_dump(), status_code=status, headers=headers_of(error))


def headers_of(error: Exception) -> dict[str, str]:
    """What a failure is answered with beside the body: whether and when the same request may succeed.

    Clients repeat every 5xx by themselves unless they are told not to, and a search that would fail again is expensive.
    """
    ours = error if isinstance(error, SearchServiceError) else SearchServiceError("")
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
    if ours.retryable or ours.status >= 500:
        headers["x-should-retry"] = "true" if ours.retryable else "false"
    if ours.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(ours.retry_after_s))
        headers["retry-after-ms"] = str(math.ceil(1000 * ours.retry_after_s))
    return headers


def where(error: BaseException) -> str:
    """Where an exception was raised, innermost frame first; not its message, which may quote the problem."""
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


async def _search_error(_request: Request, error: Exception) -> JSONResponse:
    return response_to(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    message, param, code = explain(error.errors()[0], _fields_of_body(request))
    return error_response(InvalidRequest.status, message, type=InvalidRequest.type, param=param, code=code)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = InvalidRequest.type if error.status_code < 500 else SearchServiceError.type
    message = _HTTP_MESSAGES.get(error.status_code, error.detail)
    code = _HTTP_CODES.get(error.status_code)
    return error_response(error.status_code, message, type=kind, param=None, code=code, headers=error.headers)


def _fields_of_body(request: Request) -> Iterable[str]:
    body = getattr(request.scope.get("route"), "body_field", None)
    return () if body is None else body.field_info.annotation.model_fields


def explain(error: Mapping[str, Any], fields: Iterable[str]) -> tuple[str, str | None, str]:
    """Message, param and code of one pydantic error: the message names the field, its limit and the fix, never the input.

    ``fields`` are those of the body, to be told where one is not known.
    """
    location: Sequence[str | int] = error["loc"][1:]
    kind, context = error["type"], error.get("ctx", {})
    if kind == "json_invalid":
        return f"The body is not valid JSON ({context['error']} at character {location[0]}).", None, "invalid_json"
    if not location:
        return "The body must be a JSON object, sent with content-type application/json.", None, "invalid_json"
    field = ".".join(map(str, location))
    match kind:
        case "missing":
            return f"`{field}` is required: add it to the body.", field, "missing_field"
        case "extra_forbidden":
            known = f"The fields are {', '.join(fields)}" if len(location) == 1 else "/docs has the fields that there are"
            return f"`{field}` is not a field of this request: remove it. {known}.", field, "unknown_field"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            name, bound = next(iter(context.items()))
            words = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}[name]
            return f"`{field}` must be {words} {bound}: change it.", field, InvalidRequest.code
        case "string_too_long":
            return f"`{field}` may have at most {context['max_length']} characters: shorten it.", field, InvalidRequest.code
        case "string_too_short" | "string_pattern_mismatch":
            return f"`{field}` must not be empty: fill it in or leave it out.", field, InvalidRequest.code
        case "literal_error":
            return f"`{field}` must be one of {context['expected']}: choose one.", field, InvalidRequest.code
        case "int_type" | "int_from_float":
            return f"`{field}` must be a whole number, without quotes.", field, "invalid_type"
        case "float_type" | "finite_number":
            return f"`{field}` must be a finite number, without quotes.", field, "invalid_type"
        case "bool_type":
            return f"`{field}` must be true or false, without quotes.", field, "invalid_type"
        case "string_type":
            return f"`{field}` must be a string.", field, "invalid_type"
    return f"`{field}`: {error['msg']}.", field, InvalidRequest.code


class UnhandledErrors:
    """ASGI middleware: answers what no handler did, which is a refusal by a middleware inside, or a bug.

    A bug is a 500 that says nothing of our insides. The log gets the exception's class and where it was raised, not its
    message, which may quote the problem.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer unless the response has begun; then only the connection can be ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            response = response_to(error)
            if begun:
                raise RuntimeError("the response had begun when the request failed") from None
            await response(scope, receive, send)
