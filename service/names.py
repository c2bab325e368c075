"""Origins and host names in settings, which the environment writes with commas."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from epf.core.errors import InvalidRequest


def _split(value: Any) -> Any:
    """The parts of a text that are separated by commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Origins as browsers send them.

    Raises:
        InvalidRequest: one of them is not an origin.
    """
    origins = tuple(value.lower().removesuffix("/") for value in values)
    for position, origin in enumerate(origins, 1):
        if not re.fullmatch(r"\*|null|[a-z][a-z0-9+.-]*://[^/?#@\s]+", origin):
            message = (
                f"allowed_origins: item {position} is not an origin: write scheme, host and port without a path, such as "
                "https://chat.example.org, or * for every origin; separate several by commas."
            )
            raise InvalidRequest(message, param="allowed_origins")
    return origins


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Host names in lower case.

    Raises:
        InvalidRequest: one of them is not a host name.
    """
    hosts = tuple(value.lower() for value in values)
    for position, host in enumerate(hosts, 1):
        if not re.fullmatch(r"[a-z0-9_.-]+", host):
            message = (
                f"allowed_hosts: item {position} is not a host name: write names without scheme and port, such as "
                "solver.example.org; separate several by commas. Addresses are always allowed."
            )
            raise InvalidRequest(message, param="allowed_hosts")
    return hosts


_Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]

Origins = Annotated[_Listed, AfterValidator(_origins)]
"""Origins of web pages, each with scheme, host and port; ``*`` stands for all."""
Hosts = Annotated[_Listed, AfterValidator(_hosts)]
"""Host names without ports."""
