"""JSON bodies of requests: bounded before they are parsed, parsed once, and refused with one complaint.

The framework would collect a complaint for each value that is not as it should be, and a body of the allowed size has room for
a hundred thousand of them: seconds during which the event loop would serve nobody else. So there is a limit on the number of
values, the lists of a request have maxima that are checked before their items, and validation ends with the first complaint.
"""

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ValidationError, ValidationInfo

from epf.core.errors import InvalidRequest
from epf.core.turns import in_turn
from epf.service.settings import Settings
from epf.service.state import ServerState

MAX_VALUES: Final = 4096
"""Maximum number of fields and items in a body, on all levels together. The largest honest requests have some hundreds."""

MAX_DIGITS: Final = 1000
"""Maximum number of digits of a number; reading them takes the square of their number."""

_SETTINGS = "settings"


class BoundedRoute(APIRoute):
    """A route that parses and validates its JSON body itself, within bounds. The framework gets the validated object."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the framework, preceded by the parsing."""
        handle = super().get_route_handler()
        model: type[BaseModel] | None = None if self.body_field is None else self.body_field.field_info.annotation  # type: ignore[assignment]

        async def bounded(request: Request) -> Response:
            if model is not None and is_json(request.headers.get("content-type", "")):
                body = await request.body()
                if body:  # the framework complains about an empty one
                    settings = ServerState.of(request.app).settings
                    request._json = await in_turn(partial(parsed, body, model, settings))
            return await handle(request)

        return bounded


def is_json(content_type: str) -> bool:
    """Whether it is a type that the framework parses as JSON. Browsers send other types without asking."""
    kind, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def parsed(body: bytes, model: type[BaseModel], settings: Settings) -> BaseModel:
    """The object in a body.

    Raises:
        InvalidRequest: it has too many values, or a list beyond its maximum.
        RequestValidationError: it is not JSON, or is not what the route expects; with one complaint.
        HTTPException: it is JSON that cannot be read.
    """
    try:
        check_text(body)
        value = json.loads(body.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        complaint = {"type": "json_invalid", "loc": ("body", error.pos), "msg": error.msg, "ctx": {"error": error.msg}}
        raise RequestValidationError([complaint]) from None
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    check_values(value)
    try:
        return model.model_validate(known_first(value, model), from_attributes=True, context={_SETTINGS: settings})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RequestValidationError([{**first, "loc": ("body", *first["loc"])}]) from None


def at_most(setting: str) -> BeforeValidator:
    """Refuses a list that has more items than a setting allows, before any of them is read."""

    def check(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, list) and info.context is not None:
            limit = getattr(info.context[_SETTINGS], setting)
            if len(value) > limit:
                field = info.field_name
                message = f"`{field}` may have at most {limit} items on this server (EPF_{setting.upper()}), got {len(value)}"
                raise InvalidRequest(f"{message}: send fewer", param=field)
        return value

    return BeforeValidator(check)


def known_first(value: Any, model: type[BaseModel]) -> Any:
    """``value`` with only the first of the fields that ``model`` refuses because it does not have them."""
    if not isinstance(value, dict) or model.model_config.get("extra") != "forbid":
        return value
    unknown = [name for name in value if name not in model.model_fields]
    if len(unknown) < 2:
        return value
    kept: Mapping[str, Any] = {name: field for name, field in value.items() if name in model.model_fields}
    return {**kept, unknown[0]: value[unknown[0]]}


def check_text(body: bytes) -> None:
    """Raise ``InvalidRequest`` for a text with more values than a body may have, without parsing it.

    Values are separated by commas and stand in braces and brackets, which count outside of quotes only.

    Raises:
        ValueError: a number has too many digits.
    """
    n_quotes = body.count(b'"') - body.count(rb"\"")
    if n_quotes > 4 * MAX_VALUES:  # two for each text, and two texts for each value
        raise _too_many()
    outside = b"".join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])
    if outside.count(b",") > MAX_VALUES or outside.count(b"[") + outside.count(b"{") > MAX_VALUES + 1:
        raise _too_many()
    if re.search(rb"(?<![0-9])[0-9]{%d}" % (MAX_DIGITS + 1), outside):
        raise ValueError("a number has too many digits")


def check_values(body: object) -> None:
    """Raise ``InvalidRequest`` if a parsed body has too many values."""
    n_values = 0
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            n_values += len(value)
            if n_values > MAX_VALUES:
                raise _too_many()
            waiting.extend(value.values() if isinstance(value, dict) else value)


def _too_many() -> InvalidRequest:
    return InvalidRequest(f"The body has more than {MAX_VALUES} fields and items: send fewer messages, problems or steps.")
