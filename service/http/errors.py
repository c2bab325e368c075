"""Every failure as ``{"error": {"message", "type", "param", "code"}}``: our errors, pydantic's, the framework's and bugs."""

import logging
import math
from collections.abc import Iterable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from epf.core.complaints import explain
from epf.core.errors import InvalidRequest, SearchServiceError, Unauthorized, UnsupportedEncoding
from epf.service.http.disconnect import CLIENT_GONE, ClientGone
from epf.service.http.schemas import ErrorBody, ErrorDetail
from epf.service.operations.logs import where

logger = logging.getLogger(__name__)

_HTTP_CODES = {400: "invalid_json", 404: "not_found", 405: "method_not_allowed"}
_HTTP_MESSAGES = {
    400: "The body is not valid JSON: it is nested too deeply, is not UTF-8, or has a number with too many digits.",
    404: "There is no such route. /docs lists the routes of this server; the base address for OpenAI clients ends in /v1.",
    405: "This route does not support this method. /docs lists what it supports.",
}


def install(app: FastAPI) -> None:
    """Register the exception handlers of ``app``."""
    app.add_exception_handler(SearchServiceError, _search_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientGone, _client_gone)


def error_response(
    status: int, message: str, *, type: str, param: str | None, code: str | None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A response with the common error body."""
    body = ErrorBody(error=ErrorDetail(message=message, type=type, param=param, code=code))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


def response_to(error: Exception) -> JSONResponse:
    """The response to a failure, whether it is one of our errors or a bug."""
    status = error.status if isinstance(error, SearchServiceError) else SearchServiceError.status
    return JSONResponse(ErrorBody(error=detail_of(error)).model_dump(), status_code=status, headers=headers_of(error))


def detail_of(error: Exception) -> ErrorDetail:
    """What the caller learns about a failure. Details that the caller must not see go to the log."""
    if not isinstance(error, SearchServiceError):
        logger.error("unhandled %s in %s", type(error).__name__, where(error))
    elif _quotes_an_engine(error):
        logger.error("%s caused by %s", type(error).__name__, type(error.__cause__).__name__)
    return public_detail(error)


def public_detail(error: Exception) -> ErrorDetail:
    """What the caller may know about a failure."""
    if not isinstance(error, SearchServiceError):
        message = "The service failed on this request. See its log for details."
        return ErrorDetail(message=message, type=SearchServiceError.type, param=None, code=SearchServiceError.code)
    message = error.message
    if _quotes_an_engine(error):
        message = f"{type(error).code.replace('_', ' ').capitalize()}. See the service's log for details."
    return ErrorDetail(message=message, type=error.type, param=error.param, code=error.code)


def _quotes_an_engine(error: SearchServiceError) -> bool:
    """Whether the message quotes an engine's own exception, which may reveal internals or another caller's problem."""
    return error.status >= 500 and error.__cause__ is not None


def headers_of(error: Exception) -> dict[str, str]:
    """Headers that tell a client whether and when the same request may succeed.

    Clients retry every 5xx unless they are asked not to, and a search that would fail again is expensive.
    """
    ours = error if isinstance(error, SearchServiceError) else SearchServiceError("")
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
    if isinstance(error, UnsupportedEncoding):
        headers["accept-encoding"] = "gzip"
    if ours.retryable or ours.status >= 500:
        headers["x-should-retry"] = "true" if ours.retryable else "false"
    if ours.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(ours.retry_after_s))
        headers["retry-after-ms"] = str(math.ceil(1000 * ours.retry_after_s))
    return headers


async def _search_error(_request: Request, error: Exception) -> JSONResponse:
    return response_to(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    fields = _fields_of_query(request) if first["loc"][0] == "query" else _fields_of_body(request)
    message, param, code = explain(first, fields)
    return error_response(InvalidRequest.status, message, type=InvalidRequest.type, param=param, code=code)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = InvalidRequest.type if error.status_code < 500 else SearchServiceError.type
    message = _HTTP_MESSAGES.get(error.status_code, error.detail)
    code = _HTTP_CODES.get(error.status_code)
    return error_response(error.status_code, message, type=kind, param=None, code=code, headers=error.headers)


async def _client_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


def _fields_of_body(request: Request) -> Iterable[str]:
    body = getattr(request.scope.get("route"), "body_field", None)
    return () if body is None else body.field_info.annotation.model_fields


def _fields_of_query(request: Request) -> Iterable[str]:
    """Names of the parameters of the query of a route that declares them as a model."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    models = (param.field_info.annotation for param in dependant.query_params) if dependant is not None else ()
    return [name for model in models for name in getattr(model, "model_fields", ())]
