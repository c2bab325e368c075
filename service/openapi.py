"""The OpenAPI document: what FastAPI finds in the routes, and the events of streams, which it does not look for."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REF = "#/components/schemas/{model}"


def event_stream(event: type[BaseModel], description: str, *, named: bool = True) -> dict[str, Any]:
    """Media type object of a stream of server-sent events whose data is an ``event``, in OpenAPI 3.2's ``itemSchema``.

    ``named`` events have a name beside their data.
    """
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": _REF.format(model=event.__name__)},
    }
    parts = {"event": {"type": "string"}, "data": data} if named else {"data": data}
    item = {"type": "object", "required": list(parts), "properties": parts}
    whole = {"type": "string", "description": f"{description} The data of each event is a {event.__name__}."}
    return {"text/event-stream": {"schema": whole, "itemSchema": item}}


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
