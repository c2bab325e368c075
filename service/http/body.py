"""A limit on the number of values in a request body, checked before anything reads them.

Each value that is not as it should be costs its own complaint, and a body of the allowed size has room for a hundred thousand
of them: seconds during which the event loop would serve nobody else.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from epf.core.errors import InvalidRequest

MAX_VALUES: Final = 4096
"""Maximum number of fields and items in a body, on all levels together. The largest honest requests have some hundreds."""


class BoundedRoute(APIRoute):
    """A route that refuses a JSON body with more than ``MAX_VALUES`` values."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the framework, preceded by the check."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            if "json" in request.headers.get("content-type", ""):
                with suppress(ValueError, RecursionError):  # the framework reports a body that is no JSON
                    check_values(await request.json())  # is parsed once: the framework gets the same object
            return await handle(request)

        return bounded


def check_values(body: object) -> None:
    """Raise ``InvalidRequest`` if a parsed body has too many values."""
    n_values = 0
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            n_values += len(value)
            if n_values > MAX_VALUES:
                message = f"The body has more than {MAX_VALUES} fields and items: send fewer messages, problems or steps."
                raise InvalidRequest(message)
            waiting.extend(value.values() if isinstance(value, dict) else value)
