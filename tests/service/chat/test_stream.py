"""Streams over a real socket: frames, keep-alive, errors before and after the first frame, progress and disconnects."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from epf.core.errors import DeadlineExceeded, GeneratorError, Overloaded
from epf.service.app import create_app
from epf.service.searches.admission import Ticket
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.service.chat.writing import (
    GUARD_S,
    PROBLEM,
    SOLUTION,
    Judge,
    Writer,
    chat,
    completed,
    events,
    failure,
    serving,
    streamed,
    text_of,
)
from tests.service.serving import searches_of, served

GOLDEN = Path(__file__).parent / "golden"
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(create_app(Writer(), Judge())) as client:
        yield client


def test_headers_are_those_of_an_unbuffered_event_stream(client: httpx.Client) -> None:
    headers = chat(client, stream=True).headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


def normalised(text: str) -> str:
    """The stream without parts that differ between runs."""
    text = re.sub(r'"id":"chatcmpl-[0-9a-f]{32}","object"', '"id":"chatcmpl-ID","object"', text)
    text = re.sub(r'"created":\d+', '"created":0', text)
    text = re.sub(r"epf-\d+\.\d+\.\d+/", "epf-VERSION/", text)
    return re.sub(r'(_s":)[\d.e-]+', r"\g<1>0", text)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("search", {"search": {"progress": True}, "n": 2, **USAGE}),
        ("sample", {"model": "test/writer", "search": {"max_tokens_per_step": 16}}),
        ("logprobs", {"logprobs": True, "stop": "2", "model": "epf-1"}),
    ],
)
def test_frames_are_the_golden_ones(client: httpx.Client, name: str, fields: dict[str, Any]) -> None:
    """To update a file, write ``normalised(response.text)`` into it and review the difference."""
    response = chat(client, stream=True, seed=1, **fields)
    assert sorted_by_choice(normalised(response.text)) == sorted_by_choice((GOLDEN / f"{name}.txt").read_text(encoding="utf-8"))


def sorted_by_choice(text: str) -> list[list[str]]:
    """Frames by choice: after the roles, only the order within a choice is guaranteed."""
    frames = [block for block in text.split("\n\n") if block]
    return [[frame for frame in frames if f'"index":{index},' in frame] for index in (0, 1)] + [frames[:2], frames[-2:]]


def test_every_chunk_has_what_clients_read(client: httpx.Client) -> None:
    chunks = streamed(client, n=3)
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"
    assert chunks[0]["model"] == "epf-2"
    for chunk in chunks:
        (choice,) = chunk["choices"]
        assert {"index", "delta", "finish_reason", "logprobs"} <= set(choice)
        assert "usage" not in chunk


def test_roles_come_first_in_order_and_the_end_is_an_empty_delta(client: httpx.Client) -> None:
    chunks = [chunk["choices"][0] for chunk in streamed(client, n=3)]
    assert [(choice["index"], choice["delta"]) for choice in chunks[:3]] == [
        (index, {"role": "assistant", "content": ""}) for index in range(3)
    ]
    for index in range(3):
        mine = [choice for choice in chunks if choice["index"] == index]
        assert [choice["finish_reason"] for choice in mine] == [None] * (len(mine) - 1) + ["stop"]
        assert mine[-1]["delta"] == {}
        assert mine[-1]["search"]["answer"] == "42"
        assert not [choice for choice in mine[:-1] if "search" in choice]


def test_usage_is_null_until_the_one_last_chunk(client: httpx.Client) -> None:
    chunks = streamed(client, seed=3, n=2, **USAGE)
    whole = completed(client, seed=3, n=2)
    assert {chunk["usage"] for chunk in chunks[:-1]} == {None}
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert len(chunks) == len(streamed(client, seed=3, n=2)) + 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "test/writer"},
        {"model": "test/writer", "search": {"max_tokens_per_step": 3}},
        {"model": "test/writer", "stop": ["= 4", "4²", "tw"]},
        {"model": "self-consistency-4", "max_tokens": 20},
        {"search": {"lookahead": "reuse", "progress": True}},
        {"logprobs": True},
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(fields: dict[str, Any]) -> None:
    texts = ["7 ≠ 4² \n\nSo \\boxed{7}", "one\n\ntwo\n\nthree = 41", SOLUTION]
    with serving(create_app(Writer(texts), Judge())) as client:
        (whole,) = completed(client, seed=11, **fields)["choices"]
        chunks = streamed(client, seed=11, **fields)
    assert text_of(chunks) == whole["message"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["finish_reason"]
    assert text_of(chunks, field="reasoning_content") == whole["message"].get("reasoning_content", "")
    tokens = [t for chunk in chunks if (c := chunk["choices"][0])["logprobs"] for t in c["logprobs"]["content"]]
    assert tokens == (whole["logprobs"]["content"] if whole["logprobs"] else [])


def test_the_answer_of_a_search_is_sent_in_several_deltas(client: httpx.Client) -> None:
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in streamed(client)]
    assert len([delta for delta in deltas if delta]) >= 3


class Full:
    """Refuses every request."""

    def enter(self, caller: str, n_particles: int) -> Ticket:
        raise Overloaded(f"no room for {n_particles} particles", retry_after_s=7)


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_comes_before_the_stream_begins(stream: bool) -> None:
    app = create_app(Writer(), Judge())
    with serving(app) as client:
        searches_of(app)._admission = Full()
        response = chat(client, stream=stream, n=3)
    assert response.status_code == 503
    error = failure(response)
    assert error["code"] == "overloaded"
    assert error["message"] == "no room for 6 particles"


@pytest.mark.parametrize("error", [GeneratorError("engine down"), KeyError("canary")])
def test_an_error_after_the_first_chunk_is_an_event_and_then_done(error: Exception) -> None:
    with serving(create_app(Writer(error=error, error_at=2), Judge())) as client:
        whole, response = chat(client), chat(client, stream=True, n=2, **USAGE)
    assert whole.status_code == 502
    assert response.status_code == 200
    *chunks, last = events(response.text)
    assert last == whole.json()
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [{"role": "assistant", "content": ""}] * 2
    assert "canary" not in response.text


def test_errors_in_a_stream_name_the_request_s_field() -> None:
    late = DeadlineExceeded("max_seconds was over", param="max_seconds")
    with serving(create_app(Writer(error=late), Judge())) as client:
        *_, last = events(chat(client, stream=True).text)
    assert (last["error"]["param"], last["error"]["code"]) == ("search.max_seconds", "deadline_exceeded")


async def opened(host: str, port: int, **fields: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which a streamed chat was requested."""
    body = json.dumps({"model": "epf-2", "messages": [{"role": "user", "content": PROBLEM}], "stream": True, **fields}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return reader, writer


def test_comments_keep_the_connection_open_while_the_search_runs() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        app = create_app(Writer(gate=gate), Judge(), Settings(keep_alive_s=0.01))
        async with asyncio.timeout(GUARD_S), served(app) as (host, port):
            reader, writer = await opened(host, port)
            await reader.readuntil(b'"role":"assistant"')
            for _ in range(3):
                await reader.readuntil(b": ping\n\n")
            gate.set()
            rest = await reader.readuntil(b"data: [DONE]\n\n")
            writer.close()
        assert b'"finish_reason":"stop"' in rest

    asyncio.run(scenario())


class Queue:
    """Grants no request until ``turn`` is set; its own ticket."""

    def __init__(self) -> None:
        self.turn = asyncio.Event()

    def enter(self, caller: str, n_particles: int) -> Ticket:
        return self

    async def granted(self) -> None:
        await self.turn.wait()

    def release(self) -> None:
        return


def test_comments_keep_the_connection_open_in_the_queue() -> None:
    async def scenario() -> None:
        app, queue = create_app(Writer(), Judge(), Settings(keep_alive_s=0.01)), Queue()
        async with asyncio.timeout(GUARD_S), served(app) as (host, port):
            while ServiceState.of(app).searches is None:
                await asyncio.sleep(0)
            searches_of(app)._admission = queue
            reader, writer = await opened(host, port, n=2)
            begun = await reader.readuntil(b": ping\n\n")
            assert begun.count(b'"role":"assistant"') == 2
            assert b'"content":"4' not in begun
            queue.turn.set()
            await reader.readuntil(b"data: [DONE]\n\n")
            writer.close()

    asyncio.run(scenario())


def test_a_plain_sample_is_streamed_while_it_is_generated() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        writer = Writer(gate=gate)
        async with asyncio.timeout(GUARD_S), served(create_app(writer, Judge())) as (host, port):
            reader, connection = await opened(host, port, model="test/writer", search={"max_tokens_per_step": 6})
            await reader.readuntil(b'"content":"40 + 2"')
            assert not gate.is_set()
            gate.set()
            await reader.readuntil(b"data: [DONE]\n\n")
            connection.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("stop", [[], ["ANSWER", "2 ="]])
def test_a_plain_sample_is_streamed_before_its_step_ends(stop: list[str]) -> None:
    """A stop text is not sent, nor what may become one."""

    async def scenario() -> None:
        gate = asyncio.Event()
        app = create_app(Writer(gate=gate, shown=["4", "40", "40 + 2"]), Judge())
        async with asyncio.timeout(GUARD_S), served(app) as (host, port):
            reader, connection = await opened(host, port, model="test/writer", stop=stop)
            begun = await reader.readuntil(b'"content":" + "' if stop else b'"content":" + 2"')
            gate.set()
            whole = begun + await reader.readuntil(b"data: [DONE]\n\n")
            connection.close()
        contents = [json.loads(content) for content in re.findall(rb'"content":("(?:[^"\\]|\\.)*")', whole)]
        assert contents[:3] == ["", "4", "0"]
        assert "".join(contents) == ("40 + " if stop else SOLUTION)

    asyncio.run(scenario())


@pytest.mark.parametrize("shown", [["40", "4", "40 +"], ["40 + 2 = 42.", "", "4", "40"]])
def test_a_step_that_is_sampled_anew_is_sent_once(shown: list[str]) -> None:
    gate = asyncio.Event()
    gate.set()
    with serving(create_app(Writer(gate=gate, shown=shown), Judge())) as client:
        assert text_of(streamed(client, model="test/writer")) == SOLUTION


def test_a_stream_whose_step_is_sampled_anew_and_differs_ends_with_an_error() -> None:
    gate = asyncio.Event()
    gate.set()
    with serving(create_app(Writer(gate=gate, shown=["41"]), Judge())) as client:
        *chunks, last = events(chat(client, model="test/writer", stream=True).text)
    assert text_of(chunks) == "41"
    assert "broke off" in last["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_disconnect_cancels_all_choices(stream: bool) -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        writer = Writer(gate=gate)
        async with asyncio.timeout(GUARD_S), served(create_app(writer, Judge())) as (host, port):
            _reader, connection = await opened(host, port, n=3, stream=stream)
            while writer.n_running < 6:
                await asyncio.sleep(0)
            connection.close()
            while writer.n_running:
                await asyncio.sleep(0)
            gate.set()
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client:
                body = {"model": "epf-2", "messages": [{"role": "user", "content": PROBLEM}]}
                answered = await client.post("/v1/chat/completions", json=body)
            assert answered.json()["choices"][0]["message"]["content"] == SOLUTION

    asyncio.run(scenario())
