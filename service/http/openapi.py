"""Additions to the OpenAPI document that FastAPI derives from the routes: events of streams, and bodies read unparsed."""

from collections.abc import Iterable
from threading import Lock
from typing import Any, Final, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from epf.service.http.schemas import ErrorBody

ANY_ERROR: Final[dict[int | str, dict[str, Any]]] = {"default": {"model": ErrorBody, "description": "Any error"}}
"""``responses`` of a route whose errors have the common body."""

_REF = "#/components/schemas/{model}"


def event_stream(description: str, *events: type[BaseModel], named: bool = True, last: str | None = None) -> dict[str, Any]:
    """Media type object of a stream of server-sent events, as an ``itemSchema`` of OpenAPI 3.2.

    The data of each event is one of ``events`` as JSON, or the word ``last``. Events that are ``named`` also have a name.
    """
    schemas = [{"$ref": _REF.format(model=event.__name__)} for event in events]
    content = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    data: dict[str, Any] = {"type": "string", "contentMediaType": "application/json", "contentSchema": content}
    if last is not None:
        data = {"anyOf": [data, {"const": last}]}
    parts = {"event": {"type": "string"}, "data": data} if named else {"data": data}
    item = {"type": "object", "description": description, "required": list(parts), "properties": parts}
    return {"text/event-stream": {"itemSchema": item}}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of a route that parses its body itself, as ``model``."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def install(app: FastAPI, *events: type[BaseModel], bodies: Iterable[type[BaseModel]] = ()) -> None:
    """Add the schemas of ``events``, and of ``bodies`` that routes parse themselves, to the document of ``app``."""
    without_events = app.openapi
    sent: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [(event, "serialization") for event in events]
    read: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [(body, "validation") for body in bodies]

    building = Lock()  # the server builds it in a thread, and may be asked for it meanwhile

    def openapi() -> dict[str, Any]:
        with building:
            known = app.openapi_schema is not None
            document = without_events()
            if not known:
                _, definitions = models_json_schema([*sent, *read], ref_template=_REF)
                schemas: dict[str, Any] = document["components"]["schemas"]
                for name, schema in definitions["$defs"].items():
                    schemas.setdefault(name, schema)
            return document

    app.openapi = openapi  # type: ignore[method-assign]
