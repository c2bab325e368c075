import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from epf.core.errors import (
    DeadlineExceeded,
    GeneratorError,
    InvalidRequest,
    Overloaded,
    RateLimited,
    SearchFailed,
    SearchServiceError,
)
from epf.core.generator import Message
from epf.search.options import SearchOptions
from epf.service.app import create_app
from epf.service.settings import Settings
from epf.service.solve.schemas import SolveRequest
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

MAX_PROBLEM_CHARS = Settings().max_problem_chars
PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"


class Unreadable(ScriptedGenerator):
    """Fails before the first event of a stream."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.prompt_error = error

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        raise self.prompt_error


def request(
    method: str = "POST",
    path: str = "/solve",
    *,
    error: Exception | None = None,
    prompt_error: Exception | None = None,
    settings: Settings | None = None,
    **sent: Any,
) -> httpx.Response:
    async def send() -> httpx.Response:
        generator = Unreadable(prompt_error) if prompt_error else ScriptedGenerator(error=error)
        app = create_app(generator, ScriptedRewardModel(), settings)
        async with client_of(app) as client:
            return await client.request(method, path, **sent)

    return asyncio.run(send())


def failure(response: httpx.Response) -> dict[str, Any]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert isinstance(body["error"]["code"], str)
    error: dict[str, Any] = body["error"]
    return error


def test_a_problem_is_solved() -> None:
    response = request(json={"problem": PROBLEM, "seed": 3, "n_particles": 4})
    assert response.status_code == 200
    body = response.json()
    assert body["answer"] == "42"
    assert 0 < body["confidence"] <= 1
    assert body["warnings"] == []
    assert body["share"] == body["distribution"][0]["probability"]
    assert r"\boxed{42}" in body["solution"]
    assert body["seed"] == 3
    assert body["usage"]["generated_tokens"] > 0
    assert len(body["steps"]) >= 1
    assert set(body["steps"][0]) == {"t", "ess", "entropy", "temperature", "resampled", "distinct_ancestors"}
    assert "particles" not in body


def test_a_missing_answer_is_null() -> None:
    body = request(json={"problem": PROBLEM, "max_steps": 2}).json()
    assert body["answer"] is None
    assert body["stop_reason"] == "max_steps"


def test_a_search_ends_at_the_server_s_number_of_tokens() -> None:
    """What resampling discards counts too, so that this bounds every method."""
    settings = Settings(max_tokens_per_request=20)
    for method in ("epf", "pf", "beam", "best_of_n"):
        body = request(json={"problem": PROBLEM, "n_particles": 8, "method": method}, settings=settings).json()
        assert body["stop_reason"] == "budget"
        assert body["usage"]["generated_tokens"] <= 20


def test_particles_on_request() -> None:
    body = request(json={"problem": PROBLEM, "n_particles": 3, "return_particles": True}).json()
    assert len(body["particles"]) == 3
    for particle in body["particles"]:
        assert particle["finished"]
        assert len(particle["steps"]) == len(particle["scores"])
        assert particle["steps"][-1]["finish"] in ("eos", "answer")


@pytest.mark.parametrize(
    ("sent", "param", "message"),
    [
        ({}, "problem", "required"),
        ({"problem": ""}, "problem", "empty"),
        ({"problem": " \n"}, "problem", "empty"),
        ({"problem": 7}, "problem", "string"),
        ({"problem": "x" * (MAX_PROBLEM_CHARS + 1)}, "problem", str(MAX_PROBLEM_CHARS)),
        ({"problem": "a", "n_particles": "8"}, "n_particles", "whole number"),
        ({"problem": "a", "n_particles": 8.0}, "n_particles", "whole number"),
        ({"problem": "a", "n_particles": True}, "n_particles", "whole number"),
        ({"problem": "a", "n_particles": 0}, "n_particles", "at least 1"),
        ({"problem": "a", "top_p": 0}, "top_p", "greater than 0"),
        ({"problem": "a", "temperature": "hot"}, "temperature", "number"),
        ({"problem": "a", "annealing": "slow"}, "annealing", "'cess'"),
        ({"problem": "a", "method": "magic"}, "method", "epf"),
        ({"problem": "a", "return_particles": 1}, "return_particles", "true or false"),
        ({"problem": "a", "n_particle": 8}, "n_particle", "n_particles"),
        ({"problem": "a", "seed": -2}, "seed", "at least -1"),
        ({"problem": "a", "seed": 10**30}, "seed", "at most"),
        ({"problem": "a", "stop": "x"}, "stop", "a list"),
        ({"problem": "a", "stop": ["x"] * 5}, "stop", "at most 4 items"),
    ],
)
def test_invalid_fields_are_named(sent: dict[str, Any], param: str, message: str) -> None:
    response = request(json=sent)
    assert response.status_code == 400
    error = failure(response)
    assert error["param"] == param
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("method", [None, 1, ["epf"]])
def test_a_choice_of_another_type_has_the_code_of_its_type(method: Any) -> None:
    assert failure(request(json={"problem": "a", "method": method}))["code"] == "invalid_type"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"a"', b"\xff", b'{"problem": "\\ud800"}', b"[" * 100_000, b'{"seed": ' + b"9" * 5000 + b"}"],
)
def test_bad_bodies_are_400(content: bytes) -> None:
    response = request(content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert failure(response)["type"] == "invalid_request_error"


def test_half_of_a_character_is_named_with_its_field() -> None:
    response = request(content=b'{"problem": "a \\ud83d"}', headers={"content-type": "application/json"})
    assert failure(response)["param"] == "problem"
    assert failure(response)["message"].startswith("`problem` has half of a surrogate pair")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_not_finite_are_400(number: str) -> None:
    content = f'{{"problem": "a", "max_seconds": {number}}}'
    response = request(content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert failure(response)["param"] == "max_seconds"


def test_a_form_body_is_refused() -> None:
    response = request(data={"problem": "a"})
    assert response.status_code == 400
    assert "application/json" in failure(response)["message"]


def test_longest_problem_fits_the_body_limit() -> None:
    longest = SolveRequest(problem="\U0001f600" * MAX_PROBLEM_CHARS)
    assert len(httpx.Request("POST", "http://s", json=longest.model_dump()).content) <= Settings().max_body_bytes


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "headers"),
    [("GET", "/nothing", 404, "not_found", {}), ("GET", "/solve", 405, "method_not_allowed", {"allow": "POST"})],
)
def test_framework_errors_have_the_common_form(method: str, path: str, status: int, code: str, headers: dict[str, str]) -> None:
    response = request(method, path)
    assert response.status_code == status
    assert failure(response)["code"] == code
    assert headers.items() <= response.headers.items()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (InvalidRequest("no"), {}),
        (RateLimited("wait", retry_after_s=2), {"x-should-retry": "true", "retry-after": "2", "retry-after-ms": "2000"}),
        (Overloaded("full", retry_after_s=0.0301), {"x-should-retry": "true", "retry-after": "1", "retry-after-ms": "31"}),
        (Overloaded("full"), {"x-should-retry": "true"}),
        (GeneratorError("down"), {"x-should-retry": "true"}),
        (SearchFailed("dead"), {"x-should-retry": "false"}),
        (DeadlineExceeded("late"), {"x-should-retry": "false"}),
        (SearchServiceError("bug"), {"x-should-retry": "false"}),
    ],
)
def test_errors_report_their_kind_and_whether_to_retry(
    error: SearchServiceError, headers: dict[str, str], stream: bool
) -> None:
    response = request(json={"problem": PROBLEM, "stream": stream}, prompt_error=error)
    assert response.status_code == error.status
    found = failure(response)
    assert (found["type"], found["code"], found["message"]) == (error.type, error.code, error.message)
    assert {name: value for name, value in response.headers.items() if "retry" in name} == headers


def test_messages_of_engine_exceptions_are_not_revealed(caplog: pytest.LogCaptureFixture) -> None:
    response = request(json={"problem": "canary-problem"}, error=KeyError("canary-problem"))
    assert response.status_code == 502
    assert failure(response)["code"] == "generator_error"
    assert "canary" not in response.text + caplog.text
    assert "GeneratorError caused by KeyError" in caplog.text


class BrokenName(ScriptedGenerator):
    broken = False

    @property
    def name(self) -> str:  # type: ignore[override]
        if self.broken:
            raise KeyError("canary-problem")
        return "name"


def test_bugs_are_500_and_quoted_in_neither_response_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def ask() -> httpx.Response:
        generator = BrokenName()
        async with client_of(create_app(generator, ScriptedRewardModel())) as client:
            generator.broken = True
            return await client.get("/v1/models")

    response = asyncio.run(ask())
    assert response.status_code == 500
    assert response.headers["x-should-retry"] == "false"
    assert failure(response)["code"] == "internal_error"
    assert "canary" not in response.text
    ours = [record for record in caplog.records if record.name == "epf.service.http.errors"]
    assert len(ours) == 1
    assert "canary" not in caplog.text
    assert "KeyError" in caplog.text
    assert "models_router.py" in caplog.text


def test_no_log_quotes_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert request(json={"problem": "canary-problem"}).status_code == 200
    assert request(json={"problem": "canary-problem", "n_particles": 0}).status_code == 400
    assert "canary" not in caplog.text


def test_schema_has_the_options_of_the_search() -> None:
    schema, options = (model.model_json_schema()["properties"] for model in (SolveRequest, SearchOptions))
    assert {name: schema[name] for name in options} == options
    assert set(schema) - set(options) == {"problem", "stream", "return_particles"}
    assert SolveRequest(problem="a").chosen() == {}
    assert all(field.description for field in SolveRequest.model_fields.values())


def test_limits_between_fields_are_400_too() -> None:
    response = request(json={"problem": "a", "n_particles": 8, "max_total_tokens": 7})
    assert response.status_code == 400
    assert failure(response)["param"] == "max_total_tokens"


def test_openapi_documents_the_errors() -> None:
    document = request("GET", "/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) >= 8
    for operation in operations:
        assert "422" not in operation["responses"], "what does not fit is 400"
        if "requestBody" in operation or "parameters" in operation:
            content = operation["responses"]["default"]["content"]
            assert content["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
    assert not [name for name in document["components"]["schemas"] if "ValidationError" in name]


def test_one_model_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="both"):
        create_app(reward_model=ScriptedRewardModel())
