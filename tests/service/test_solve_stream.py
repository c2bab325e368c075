import asyncio
from typing import Any

import httpx
import jsonschema_rs
import pytest

from epf.core.errors import GeneratorError, Overloaded
from epf.search.methods import METHODS
from epf.service.app import create_app
from epf.service.searches.admission import Ticket
from epf.service.searches.lease import Searches
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.fakes import N_STEPS, ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of, events_of, posted, searches_of, served, until

GUARD_S = 30
PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"


def ask(*bodies: dict[str, Any], generator: ScriptedGenerator | None = None, **sent: Any) -> list[httpx.Response]:
    async def post() -> list[httpx.Response]:
        async with client_of(create_app(generator or ScriptedGenerator(), ScriptedRewardModel(), Settings())) as client:
            return [await client.post("/solve", json={"problem": PROBLEM, **body}, **sent) for body in bodies]

    return asyncio.run(post())


def streamed(**body: Any) -> list[dict[str, Any]]:
    (response,) = ask({"stream": True, **body})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return events_of(response.text)


@pytest.mark.parametrize("method", ["epf", "beam", "dvts"])
def test_every_event_of_the_search_is_sent(method: str) -> None:
    n = 4
    events = streamed(n_particles=n, seed=3, method=method)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "started"
    assert kinds[-1] == "answer"
    assert kinds.count("step") == kinds.count("scored") == n * N_STEPS
    assert kinds.count("resampled") == N_STEPS
    assert set(kinds) == {"started", "step", "scored", "resampled", "answer"}
    started = events[0]
    assert (started["method"], started["n_particles"], started["seed"]) == (method, n, 3)
    resampled = next(event for event in events if event["type"] == "resampled")
    assert len(resampled["ancestors"]) == n
    assert {"t", "ess", "entropy", "temperature", "resampled", "distinct_ancestors", "n_finished", "answer"} < set(resampled)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if name != "sample" and method.by_steps])
def test_a_round_shows_by_what_it_decided(method: str) -> None:
    n = 8
    rounds = [event for event in streamed(n_particles=n, seed=3, method=method) if event["type"] == "resampled"]
    assert rounds
    for event in rounds:
        assert len(event["weights"]) == n
        assert sum(event["weights"]) == pytest.approx(1, abs=1e-5)
        assert [share["answer"] for share in event["distribution"]][:1] == [event["answer"]] * (event["answer"] is not None)
        assert (event["confidence"] is None) == (event["answer"] is None)
        if event["probabilities"] is None:
            continue
        assert event["resampled"]
        assert sum(event["probabilities"]) == pytest.approx(1, abs=1e-5)
        moved = [ancestor for slot, ancestor in enumerate(event["ancestors"]) if event["probabilities"][slot] > 0]
        assert all(event["probabilities"][ancestor] > 0 for ancestor in moved)
        powers = [weight ** (1 / event["temperature"]) for weight in event["weights"]]
        assert event["probabilities"] == pytest.approx([power / sum(powers) for power in powers], abs=1e-4)
    assert any(event["answer"] is not None for event in rounds)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if name != "sample" and method.by_steps])
def test_the_confidence_grows_into_that_of_the_result(method: str) -> None:
    events = streamed(n_particles=4, seed=3, method=method)
    (*_, last), result = [event for event in events if event["type"] == "resampled"], events[-1]["result"]
    assert last["answer"] == result["answer"]
    assert last["confidence"] == pytest.approx(result["confidence"])


def test_the_streamed_answer_equals_the_plain_one() -> None:
    options = {"n_particles": 4, "seed": 3, "return_particles": True}
    plain, stream = ask(options, {"stream": True, **options})
    events = events_of(stream.text)
    plain_result, streamed = plain.json(), events[-1]["result"]
    assert set(plain_result) == set(streamed)
    for name in set(plain_result) - {"id", "usage"}:
        assert plain_result[name] == streamed[name], name
    assert events[0]["id"] == streamed["id"]


def test_the_answer_carries_its_warnings() -> None:
    (warning,) = streamed(temperature=0.0, n_particles=2, seed=1)[-1]["result"]["warnings"]
    assert warning["code"] == "temperature_zero"
    assert warning["message"].startswith("At temperature 0 all 2 particles write the same text")


def test_particles_only_on_request() -> None:
    assert "particles" not in streamed()[-1]["result"]
    assert len(streamed(n_particles=2, return_particles=True)[-1]["result"]["particles"]) == 2


def test_every_event_matches_the_document() -> None:
    async def read() -> tuple[dict[str, Any], str]:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            document = (await client.get("/openapi.json")).json()
            body = {"problem": PROBLEM, "stream": True, "return_particles": True, "lookahead": "reuse"}
            return document, (await client.post("/solve", json=body)).text

    document, text = asyncio.run(read())
    content = document["paths"]["/solve"]["post"]["responses"]["200"]["content"]["text/event-stream"]
    item = content["itemSchema"]["properties"]["data"]["contentSchema"]
    validator = jsonschema_rs.Draft202012Validator({**item, "components": document["components"]})
    events = events_of(text)
    for event in events:
        validator.validate(event)
    assert {event["type"] for event in events} == {"started", "step", "scored", "resampled", "answer"}
    assert set(document["components"]["schemas"]["SolveEvent"]["discriminator"]["mapping"]) == {
        *(event["type"] for event in events),
        "error",
    }


def test_invalid_input_is_an_http_error_in_a_stream_too() -> None:
    (response,) = ask({"stream": True, "n_particles": 2, "max_total_tokens": 1})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "max_total_tokens"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_exceeds_the_context_is_an_http_error(stream: bool) -> None:
    generator = ScriptedGenerator()
    generator.context_length = 10
    (response,) = ask({"stream": stream}, generator=generator)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


class Full:
    def enter(self, caller: str, n_particles: int) -> Ticket:
        raise Overloaded(f"no room for {n_particles} particles")


@pytest.mark.parametrize(
    ("path", "body", "n_particles"),
    [
        ("/solve", {"problem": "a", "n_particles": 3}, 3),
        ("/solve", {"problem": "a", "n_particles": 3, "stream": True}, 3),
        ("/solve/batch", {"problems": ["a", "b", "c"], "n_particles": 3, "concurrency": 2}, 6),
        ("/score", {"problem": "a", "steps": ["b"]}, 1),
    ],
)
def test_refusal_is_an_http_error_and_counts_particles(path: str, body: dict[str, Any], n_particles: int) -> None:
    async def post() -> httpx.Response:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel())
        async with client_of(app) as client:
            ServiceState.of(app).searches = Searches(searches_of(app).models, Full(), ServiceState.of(app).lifecycle)
            return await client.post(path, json=body)

    response = asyncio.run(post())
    assert response.status_code == 503
    assert response.json()["error"]["code"] == Overloaded.code
    assert f"for {n_particles} particles" in response.json()["error"]["message"]


def test_failure_after_the_start_is_the_last_event() -> None:
    generator = ScriptedGenerator(error=GeneratorError("the engine is down"))
    (response,) = ask({"stream": True}, generator=generator)
    assert response.status_code == 200
    events = events_of(response.text)
    assert [event["type"] for event in events] == ["started", "error"]
    assert set(events[-1]["error"]) == {"message", "type", "param", "code"}
    assert events[-1]["error"]["code"] == "generator_error"


def test_stream_arrives_while_the_search_runs_and_is_kept_alive() -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        app = create_app(generator, ScriptedRewardModel(), Settings(keep_alive_s=0.01))
        async with asyncio.timeout(GUARD_S), served(app) as address:
            async with posted(address, "/solve", {"problem": PROBLEM, "stream": True}) as (reader, _):
                received = await reader.readuntil(b"event: started\n")  # a comment may come first on a busy machine
                received += await reader.readuntil(b": ping\n\n")
            assert received.startswith(b"HTTP/1.1 200")
            assert b"event: step" not in received
            await until(lambda: generator.n_running == 0)

    asyncio.run(scenario())
