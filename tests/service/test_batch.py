import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import jsonschema_rs
import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Message, Sampling, Step
from epf.service.app import create_app
from epf.service.settings import SearchDefaults, Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of, events_of

BAD = "no engine can read this"


class Picky(ScriptedGenerator):
    """Fails on one problem, and records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        self.asked.append(messages[-1].content)
        return super().prompt_ids(messages)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        if prefix_ids[: len(BAD)] == tuple(1000 + ord(c) for c in BAD):
            raise GeneratorError("it cannot")
        return await super().step(prefix_ids, sampling, seed)


def ask(body: Any, *, generator: ScriptedGenerator | None = None, settings: Settings | None = None) -> httpx.Response:
    async def post() -> httpx.Response:
        app = create_app(generator or Picky(), ScriptedRewardModel(), settings or Settings())
        async with client_of(app) as client:
            return await client.post("/solve/batch", json=body)

    return asyncio.run(post())


def events_for(body: Any, **options: Any) -> list[dict[str, Any]]:
    response = ask(body, **options)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return events_of(response.text)


def test_every_problem_has_the_answer_of_a_single_request() -> None:
    problems = ["one", {"problem": "two", "custom_id": "b", "n_particles": 2}, {"problem": "three", "method": "pf", "seed": 9}]
    events = events_for({"problems": problems, "seed": 3, "n_particles": 4})
    assert [event["type"] for event in events] == ["started", "solved", "solved", "solved", "done"]
    assert events[0]["n_problems"] == 3
    solved = sorted(events[1:-1], key=lambda event: event["index"])
    assert [event["custom_id"] for event in solved] == [None, "b", None]
    assert [event["result"]["seed"] for event in solved] == [3, 3, 9]
    assert [event["result"]["method"] for event in solved] == ["epf", "epf", "pf"]

    async def alone() -> dict[str, Any]:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            response: dict[str, Any] = (
                await client.post("/solve", json={"problem": "one", "seed": 3, "n_particles": 4})
            ).json()
            return response

    single = asyncio.run(alone())
    for name in set(single) - {"id", "usage"}:
        assert solved[0]["result"][name] == single[name], name


def test_each_result_has_its_own_warnings() -> None:
    events = events_for({"problems": ["one", {"problem": "two", "temperature": 0.0}], "n_particles": 2, "seed": 1})
    solved = sorted((event for event in events if event["type"] == "solved"), key=lambda event: event["index"])
    codes = [[warning["code"] for warning in event["result"]["warnings"]] for event in solved]
    assert codes == [[], ["temperature_zero"]]


def test_totals() -> None:
    events = events_for({"problems": ["one", "two", BAD], "n_particles": 2})
    usages = [event["result"]["usage"] for event in events if event["type"] == "solved"]
    done = events[-1]
    assert (done["n_solved"], done["n_failed"]) == (2, 1)
    for name in ("generated_tokens", "discarded_tokens", "prm_tokens", "prm_calls"):
        assert done[name] == sum(usage[name] for usage in usages)


def test_failed_problem_does_not_fail_the_others() -> None:
    events = events_for({"problems": ["one", BAD, {"problem": BAD, "custom_id": "c"}, "two"], "concurrency": 1})
    kinds = [event["type"] for event in events]
    assert kinds == ["started", "solved", "failed", "failed", "solved", "done"]
    assert set(events[2]) == {"type", "index", "custom_id", "error"}
    assert set(events[2]["error"]) == {"message", "type", "param", "code"}
    assert events[2]["error"]["code"] == "generator_error"
    assert events[3]["custom_id"] == "c"


def test_concurrency_limits_simultaneous_searches() -> None:
    generator = ScriptedGenerator()
    events_for({"problems": ["a"] * 6, "concurrency": 2, "n_particles": 3}, generator=generator)
    assert generator.most_running == 2 * 3


def test_particles_on_request() -> None:
    events = events_for({"problems": ["one"], "n_particles": 2, "return_particles": True})
    assert len(events[1]["result"]["particles"]) == 2
    assert "particles" not in events_for({"problems": ["one"]})[1]["result"]


@pytest.mark.parametrize(
    ("body", "param", "word"),
    [
        ({}, "problems", "required"),
        ({"problems": []}, "problems", ""),
        ({"problems": "one"}, "problems", ""),
        ({"problems": ["a"] * 5}, "problems", "at most 4 "),
        ({"problems": ["a", ""]}, "problems.1.problem", "empty"),
        ({"problems": ["a", " "]}, "problems.1.problem", "empty"),
        ({"problems": ["a", "x" * 101]}, "problems.1.problem", "at most 100 "),
        ({"problems": ["a", {}]}, "problems.1.problem", "required"),
        ({"problems": ["a", {"problem": "b", "n_particles": 0}]}, "problems.1.n_particles", "at least 1"),
        ({"problems": ["a", {"problem": "b", "stream": True}]}, "problems.1.stream", "not a field"),
        ({"problems": ["a", {"problem": "b", "custom_id": "x" * 257}]}, "problems.1.custom_id", "256"),
        ({"problems": ["a", {"problem": "b", "method": "magic"}]}, "problems.1.method", "epf"),
        ({"problems": [{"problem": "b", "method": "pf"}], "method": "magic"}, "method", "epf"),
        ({"problems": ["a", {"problem": "b", "max_steps": 101}]}, "problems.1.max_steps", "at most 100 "),
        ({"problems": ["a", {"problem": "b", "max_seconds": 301}]}, "problems.1.max_seconds", "at most 300"),
        ({"problems": ["a", 7]}, "problems.1", ""),
        ({"problems": ["a", "b"], "max_steps": 101}, "max_steps", "at most 100 "),
        ({"problems": ["a", "b"], "n_particles": 33}, "n_particles", "at most 32 "),
        ({"problems": ["a", "b"], "n_particles": 17}, "concurrency", "at most 32 "),
        ({"problems": ["a", {"problem": "b", "n_particles": 29}], "n_particles": 4}, "concurrency", "got 33"),
        ({"problems": ["a"], "concurrency": 0}, "concurrency", "at least 1"),
        ({"problems": ["a"], "max_tokens_per_particle": 4000}, "max_total_tokens", "at most 10000 "),
        ({"problems": ["a"], "stream": True}, "stream", "not a field"),
    ],
)
def test_invalid_fields_are_named_and_nothing_is_generated(body: Any, param: str, word: str) -> None:
    generator = Picky()
    settings = Settings(max_batch=4, max_problem_chars=100, max_particles=32, max_steps=100, max_tokens_per_request=10_000)
    response = ask(body, generator=generator, settings=settings)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert word in error["message"]
    assert generator.asked == []


def test_the_largest_permitted_batch() -> None:
    assert len(events_for({"problems": ["a"] * 4, "n_particles": 8}, settings=Settings(max_batch=4, max_particles=32))) == 6


def test_each_problem_has_its_own_deadline() -> None:
    settings = Settings(search=SearchDefaults(max_seconds=0.05))
    events = events_for({"problems": ["a"] * 3, "concurrency": 1}, generator=ScriptedGenerator(hold=True), settings=settings)
    assert [event["type"] for event in events] == ["started", "failed", "failed", "failed", "done"]
    assert {event["error"]["code"] for event in events[1:-1]} == {"deadline_exceeded"}


def test_every_event_matches_the_document() -> None:
    async def read() -> tuple[dict[str, Any], str]:
        async with client_of(create_app(Picky(), ScriptedRewardModel())) as client:
            body = {"problems": ["a", BAD], "return_particles": True}
            return (await client.get("/openapi.json")).json(), (await client.post("/solve/batch", json=body)).text

    document, text = asyncio.run(read())
    content = document["paths"]["/solve/batch"]["post"]["responses"]["200"]["content"]
    assert set(content) == {"text/event-stream"}
    item = content["text/event-stream"]["itemSchema"]["properties"]["data"]["contentSchema"]
    validator = jsonschema_rs.Draft202012Validator({**item, "components": document["components"]})
    events = events_of(text)
    for event in events:
        validator.validate(event)
    assert {event["type"] for event in events} == {"started", "solved", "failed", "done"}
