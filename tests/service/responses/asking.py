"""Requests to ``/v1/responses`` and what comes back."""

import json
from typing import Any

import httpx

from tests.service.chat.writing import PROBLEM


def respond(client: httpx.Client, input: Any = PROBLEM, *, model: str = "epf-2", **fields: Any) -> httpx.Response:
    """Request a response."""
    return client.post("/v1/responses", json={"model": model, "input": input, **fields})


def responded(client: httpx.Client, input: Any = PROBLEM, **fields: Any) -> dict[str, Any]:
    """The response of a request that must succeed."""
    response = respond(client, input, **fields)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def events_of(text: str) -> list[dict[str, Any]]:
    """Data of the events of a whole stream: each is named by its type, and their numbers are consecutive."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert text.endswith("\n\n")
    found: list[dict[str, Any]] = []
    for block in blocks:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert not found or event["sequence_number"] == found[-1]["sequence_number"] + 1
        found.append(event)
    return found


def streamed(client: httpx.Client, input: Any = PROBLEM, **fields: Any) -> list[dict[str, Any]]:
    """Events of a streamed response that must begin."""
    response = respond(client, input, stream=True, **fields)
    assert response.status_code == 200, response.text
    found = events_of(response.text)
    assert found[0]["sequence_number"] == 0
    return found


def text_of(response: dict[str, Any]) -> str:
    """The answer of a response."""
    (message,) = (item for item in response["output"] if item["type"] == "message")
    (part,) = message["content"]
    text: str = part["text"]
    return text
