"""The OpenAPI document: what FastAPI finds in the routes, and the events of streams, which it does not look for."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REF = "#/components/schemas/{model}"


def event_stream(description: str, *events: type[BaseModel], named: bool = True, last: str | None = None) -> dict[str, Any]:
    """Media type object of a stream of server-sent events, in OpenAPI 3.2's ``itemSchema``.

    The data of each is one of ``events`` as JSON, or the word ``last``; ``named`` events have a name beside it.
    """
    schemas = [{"$ref": _REF.format(model=event.__name__)} for event in events]
    content = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    data: dict[str, Any] = {"type": "string", "contentMediaType": "application/json", "contentSchema": content}
    if last is not None:
        data = {"anyOf": [data, {"const": last}]}
    parts = {"event": {"type": "string"}, "data": data} if named else {"data": data}
    item = {"type": "object", "description": description, "required": list(parts), "properties": parts}
    return {"text/event-stream": {"itemSchema": item}}


def install(app: FastAPI, *events: type[BaseModel]) -> None:
    """Add the schemas of ``events`` to the document of ``app``."""
    without_events = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        document = without_events()
        if not known:
            _, definitions = models_json_schema([(event, "serialization") for event in events], ref_template=_REF)
            schemas: dict[str, Any] = document["components"]["schemas"]
            for name, schema in definitions["$defs"].items():
                schemas.setdefault(name, schema)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
