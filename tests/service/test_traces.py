"""One trace for each search, at a real collector and through real servers of both models; the id of a search for routers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core import tracing
from epf.core.errors import GeneratorError
from epf.core.tracing import MAX_SPANS, Trace, parent_of, search_span, span
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.generator import OpenAiGenerator
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.http import HttpRewardModel, connect
from epf.service.app import create_app
from epf.service.operations.telemetry import SCHEMA, telemetry
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.generators.openai.completions_server import NAME, completions_app
from tests.service.collector import Collector, attributes, collecting
from tests.service.serving import client_of, served

PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = {"problem": PROBLEM, "n_particles": 4, "seed": 1, "run_ahead": False}


class Recorded:
    """ASGI middleware that keeps the headers of all POST requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers: list[Headers] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "POST":
            self.headers.append(Headers(scope=scope))
        await self.app(scope, receive, send)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


@asynccontextmanager
async def service() -> AsyncIterator[tuple[httpx.AsyncClient, Recorded, Recorded]]:
    """A client of the service, and what its two models' servers were sent."""
    directory = STORIES.generator
    writer = Recorded(completions_app(directory, by_ids=True))
    judge = Recorded(create_scoring_app(EmbeddedRewardModel(STORIES.reward_model), Settings()))
    async with AsyncExitStack() as stack:
        urls = []
        for app in (writer, judge):
            host, port = await stack.enter_async_context(served(app))
            urls.append(f"http://{host}:{port}")
        upstream = Upstream(urls[:1], GeneratorError, "the generator")
        generator = OpenAiGenerator(upstream, ChatTokenizer(directory), NAME, 512)
        reward_model = HttpRewardModel(connect(urls[1:]), "judge")
        await stack.enter_async_context(aclosing(generator))
        await stack.enter_async_context(aclosing(reward_model))
        yield await stack.enter_async_context(client_of(create_app(generator, reward_model, Settings()))), writer, judge


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def test_a_search_is_one_trace_that_continues_the_caller_s_and_reaches_both_models(collector: Collector) -> None:
    async def test() -> None:
        async with service() as (client, writer, judge):
            with telemetry():
                response = await client.post("/solve", json=BODY, headers={"traceparent": CALLER, "tracestate": "a=1"})
                result = response.json()
                assert response.status_code == 200
        collector.wait("search")
        spans = {span.span_id.hex(): span for span in collector.spans}
        (root,) = [span for span in collector.spans if span.name == "search epf"]
        assert {span.trace_id.hex() for span in collector.spans} == {"0af7651916cd43dd8448eb211c80319c"}
        assert root.parent_span_id.hex() == "b7ad6b7169203331"
        for one in collector.spans:
            assert one is root or one.parent_span_id.hex() in spans
            assert root.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano
        steps = [attributes(span) for span in collector.spans if span.name == f"text_completion {NAME}"]
        usage = result["usage"]
        assert sum(step["gen_ai.usage.output_tokens"] for step in steps) == usage["generated_tokens"]
        assert {step["gen_ai.operation.name"] for step in steps} == {"text_completion"}
        scores = [attributes(span) for span in collector.spans if span.name == "score judge"]
        assert sum(score["epf.prm_tokens"] for score in scores) == usage["prm_tokens"]
        assert attributes(root)["epf.generated_tokens"] == usage["generated_tokens"]
        assert [event.name for event in root.events] == ["resampled"] * len(result["steps"])

        for server, path in ((writer, "POST /v1/completions"), (judge, "POST /score")):
            requests = [span for span in collector.spans if span.name == path]
            assert {attributes(span)["http.response.status_code"] for span in requests} == {200}
            parents = {headers["traceparent"] for headers in server.headers}
            assert parents == {f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in requests}
            assert {headers["tracestate"] for headers in server.headers} == {"a=1"}
            assert {headers["x-session-id"] for headers in server.headers} == {attributes(root)["epf.session_id"]}

        assert collector.schemas == {SCHEMA}
        resource = {item.key: item.value.string_value for item in collector.resources[0].attributes}
        assert resource["service.name"] == "epf"
        shown = " ".join(str(span) for span in collector.spans)
        assert "birds" not in shown
        assert "boxed" not in shown

    run(test())


@pytest.mark.slow
def test_without_a_collector_the_caller_s_trace_is_passed_on_and_searches_have_ids_of_their_own() -> None:
    async def test() -> None:
        async with service() as (client, writer, judge):
            with telemetry({}):
                answers = (
                    client.post("/solve", json={**BODY, "seed": seed}, headers={"traceparent": CALLER}) for seed in (1, 2)
                )
                assert [response.status_code for response in await asyncio.gather(*answers)] == [200, 200]
                assert (await client.post("/solve", json=BODY, headers={"traceparent": "00-nonsense"})).status_code == 200
        sent = [*writer.headers, *judge.headers]
        assert {headers.get("traceparent") for headers in sent} == {CALLER, None}
        assert len({headers["x-session-id"] for headers in writer.headers}) == 3
        # A score that two searches ask for at the same time belongs to the first.
        assert {headers["x-session-id"] for headers in judge.headers} <= {headers["x-session-id"] for headers in writer.headers}

    run(test())


def test_the_sampler_of_the_environment_decides(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")

    async def test() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings())) as client:
            with telemetry():
                await client.post("/solve", json=BODY)
                await client.post("/solve", json=BODY, headers={"traceparent": CALLER})
        collector.wait("search")
        assert {span.trace_id.hex() for span in collector.spans} == {CALLER.split("-")[1]}

    run(test())


def test_headers_and_compression_of_the_environment_apply(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")

    async def test() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings())) as client:
            with telemetry():
                await client.post("/solve", json=BODY)

    run(test())
    assert collector.headers[0]["x-key"] == "a secret"
    assert {span.name for span in collector.spans} >= {"search epf", "round", "score scripted-reward-model"}
    assert "mine" in str(collector.resources[0])


def test_a_collector_that_refuses_is_reported_once_and_searches_go_on(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 400

    async def test() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings())) as client:
            with telemetry():
                for _ in range(3):
                    assert (await client.post("/solve", json=BODY)).status_code == 200

    with caplog.at_level(logging.WARNING):
        run(test())
    assert [message for message in caplog.messages if "collector" in message and "check OTEL" in message] != []
    assert len(caplog.messages) == 1


class Kept:
    """A recorder that keeps what it gets."""

    def __init__(self) -> None:
        self.traces: list[Trace] = []

    def samples(self, trace_id: int, parent: tracing.Parent | None) -> bool:
        return True

    def record(self, trace: Trace) -> None:
        self.traces.append(trace)


def test_a_trace_is_bounded_and_says_what_is_missing() -> None:
    kept = Kept()

    def search() -> None:
        with search_span("search"):
            for _ in range(MAX_SPANS + 5):
                with span("step"):
                    pass
            raise ValueError("bad")

    tracing.install(kept)
    try:
        with pytest.raises(ValueError, match="bad"):
            search()
    finally:
        tracing.install(None)
    (trace,) = kept.traces
    assert len(trace.spans) == MAX_SPANS
    assert trace.spans[0].attributes["epf.dropped_spans"] == 6
    assert trace.spans[0].error == "ValueError"


@pytest.mark.parametrize(
    "header",
    ["", "00-0-0-01", f"ff-{CALLER[3:]}", CALLER.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), CALLER.upper()],
)
def test_a_trace_of_a_caller_that_is_not_valid_is_ignored(header: str) -> None:
    assert parent_of(header) is None
