"""Streams of responses over a real socket: the order of their events, failures and disconnects."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from epf.core.errors import GeneratorError
from epf.service.app import create_app
from epf.service.responses.events import ResponseStreamEvent
from tests.service.chat.writing import GUARD_S, PROBLEM, SOLUTION, Judge, Writer, failure, serving
from tests.service.responses.asking import events_of, respond, responded, streamed, text_of
from tests.service.serving import posted, searches_of, served, until


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(create_app(Writer(), Judge())) as client:
        yield client


def types_of(events: list[dict[str, Any]]) -> list[str]:
    """The types in order, without ``response.``; repeated deltas once."""
    types = [event["type"].removeprefix("response.") for event in events]
    return [kind for i, kind in enumerate(types) if not (kind.endswith("delta") and i and types[i - 1] == kind)]


ANSWER = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
]
REPORT = [
    "output_item.added",
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
    "output_item.done",
]


@pytest.mark.parametrize(
    ("fields", "items", "end"),
    [
        ({}, ANSWER, "completed"),
        ({"model": "test/writer"}, ANSWER, "completed"),
        ({"reasoning": {"summary": "concise"}}, [*REPORT, *ANSWER], "completed"),
        ({"search": {"progress": True}}, [*REPORT, *ANSWER], "completed"),
        ({"model": "test/writer", "reasoning": {"summary": "auto"}}, ANSWER, "completed"),
        ({"max_output_tokens": 7}, ANSWER, "incomplete"),
        ({"include": ["message.output_text.logprobs"]}, ANSWER, "completed"),
    ],
)
def test_events_come_in_the_published_order(client: httpx.Client, fields: dict[str, Any], items: list[str], end: str) -> None:
    events = streamed(client, **fields)
    assert types_of(events) == ["created", "in_progress", *items, end]
    for event in events:
        ResponseStreamEvent.model_validate(event)
    final = events[-1]["response"]
    assert final["status"] == end
    assert {event["response"]["id"] for event in events if "response" in event} == {final["id"]}
    for index, item in enumerate(final["output"]):
        (done,) = (e["item"] for e in events if e["type"] == "response.output_item.done" and e["output_index"] == index)
        assert done == item
        ids = {event["item_id"] for event in events if event.get("output_index") == index and "item_id" in event}
        assert ids == {item["id"]}
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(event["delta"] for event in deltas) == text_of(final)
    (part,) = final["output"][-1]["content"]
    assert [token for event in deltas for token in event["logprobs"]] == part["logprobs"]
    assert client.get(f"/v1/responses/{final['id']}").json() == final


def test_a_stream_ends_like_a_response_in_one_piece(client: httpx.Client) -> None:
    fields: dict[str, Any] = {"search": {"seed": 3, "return_particles": True}, "reasoning": {"summary": "auto"}}
    whole, streamed_one = responded(client, **fields), streamed(client, **fields)[-1]["response"]
    for response in (whole, streamed_one):
        for name in ("id", "created_at", "completed_at"):
            del response[name]
        for item in response["output"]:
            del item["id"]
        for name in ("generating_s", "scoring_s", "resampling_s", "waiting_s", "total_s"):
            del response["search"]["usage"][name]
    assert whole == streamed_one


def test_a_failure_after_the_first_event_is_the_last_event() -> None:
    with serving(create_app(Writer(error=GeneratorError("engine down"), error_at=2), Judge())) as client:
        whole, events = respond(client), streamed(client, reasoning={"summary": "auto"})
        assert (whole.status_code, failure(whole)["code"]) == (502, "generator_error")
        final = events[-1]
        assert final["type"] == "response.failed"
        assert final["response"]["status"] == "failed"
        error = failure(whole)
        assert final["response"]["error"] == {
            "code": "server_error",
            "message": error["message"],
            "type": "upstream_error",
            "param": None,
            "epf_code": "generator_error",
        }
        assert client.get(f"/v1/responses/{final['response']['id']}").json() == final["response"]
        both = 'epf_errors_total{code="generator_error"} 2.0'  # counted just after the last byte has been sent
        assert any(both in client.get("/metrics").text for _ in range(100))
        refused = respond(client, previous_response_id=final["response"]["id"])
        assert refused.status_code == 502, "the conversation before the failure can be continued"


def test_a_refusal_comes_before_the_stream_begins(client: httpx.Client) -> None:
    response = respond(client, "x" * 4096, stream=True)
    assert (response.status_code, failure(response)["code"]) == (400, "context_length_exceeded")


def test_an_answer_that_is_not_stored_is_not_found(client: httpx.Client) -> None:
    for id in (responded(client, store=False)["id"], streamed(client, store=False)[-1]["response"]["id"]):
        response = client.get(f"/v1/responses/{id}")
        assert response.status_code == 404
        assert failure(response)["message"] == f"Response with id '{id}' not found."


def test_a_foreground_stream_cannot_be_resumed(client: httpx.Client) -> None:
    id = responded(client)["id"]
    assert failure(client.get(f"/v1/responses/{id}", params={"stream": True}))["param"] == "stream"
    assert failure(client.get(f"/v1/responses/{id}", params={"starting_after": 3}))["param"] == "starting_after"
    assert failure(client.post(f"/v1/responses/{id}/cancel"))["message"].startswith("Only a response")


@pytest.mark.parametrize("stream", [False, True])
def test_a_disconnect_cancels_the_search_and_stores_nothing(stream: bool) -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        writer = Writer(gate=gate)
        app = create_app(writer, Judge())
        async with asyncio.timeout(GUARD_S), served(app) as address:
            async with posted(address, "/v1/responses", {"model": "epf-3", "input": PROBLEM, "stream": stream}):
                await until(lambda: writer.n_running == 3)
                assert len(app.state.responses.store) == 1
            await until(lambda: writer.n_running == 0 and searches_of(app).n_in_progress == 0)
            assert len(app.state.responses.store) == 0

    asyncio.run(scenario())


def test_a_plain_sample_is_streamed_while_it_is_generated() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        body = {"model": "test/writer", "input": PROBLEM, "stream": True, "search": {"max_tokens_per_step": 6}}
        async with (
            asyncio.timeout(GUARD_S),
            served(create_app(Writer(gate=gate), Judge())) as address,
            posted(address, "/v1/responses", body, connection="close") as (reader, _),
        ):
            await reader.readuntil(b'"delta":"40 + 2"')
            assert not gate.is_set()
            gate.set()
            rest = (await reader.read()).decode()
        assert SOLUTION.replace("\n", "\\n").replace("\\b", "\\\\b") in rest

    asyncio.run(scenario())


def test_the_events_of_one_stream_are_whole(client: httpx.Client) -> None:
    """A stream of chats ends with [DONE], one of responses with its last event."""
    text = respond(client, stream=True).text
    assert "[DONE]" not in text
    assert events_of(text)[-1]["type"] == "response.completed"
