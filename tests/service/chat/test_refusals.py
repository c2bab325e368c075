"""Invalid and unsupported requests are refused before anything is generated, and the error names the field."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.chat.unsupported import BOOKKEEPING, NEUTRAL
from epf.service.settings import Settings
from tests.service.chat.writing import PROBLEM, Judge, Writer, chat, completed, failure, serving

IMAGE = [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]
TOOL = {"type": "function", "function": {"name": "f"}}


class Untouched(Writer):
    """Fails the test if a step is generated."""

    async def step(self, *_: Any) -> Any:
        pytest.fail("a step was drawn")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    settings = Settings(max_messages=4, max_problem_chars=100, max_particles=32)
    with serving(create_app(Untouched(), Judge(), settings)) as client:
        yield client


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"messages": None}, "messages", "required"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": "hi"}, "messages", "list"),
        ({"messages": ["hi"]}, "messages.0", "object"),
        ({"messages": [{"content": "x"}]}, "messages.0.role", "required"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "required"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content", "required"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content", "string"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages", "not empty"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages", "of the user"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role", "'developer'"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages.0.role", "tools"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [TOOL]}]}, "messages.1", "tools"),
        ({"messages": [{"role": "user", "content": IMAGE}]}, "messages.0.content", "URLs are never fetched"),
        ({"messages": [{"role": "user", "content": "x"}] * 5}, "messages", "at most 4"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "x" * 101}]},
            "messages.1.content",
            "at most 100",
        ),
        ({"model": None}, "model", "required"),
        ({"model": 7}, "model", "string"),
        ({"n": 0}, "n", "at least 1"),
        ({"n": 129}, "n", "at most 128"),
        ({"n": 17}, "n", "at most 32"),
        ({"temperature": 2.1}, "temperature", "at most 2"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"top_p": 0}, "top_p", "greater than 0"),
        ({"top_p": 1.1}, "top_p", "at most 1"),
        ({"seed": -2}, "seed", "at least -1"),
        ({"seed": 2**63}, "seed", "at most"),
        ({"seed": 1.5}, "seed", "whole number"),
        ({"stop": ""}, "stop.0", "empty"),
        ({"stop": ["a"] * 5}, "stop", "at most 4"),
        ({"stop": 3}, "stop", "string"),
        ({"max_completion_tokens": 0}, "max_completion_tokens", "at least 1"),
        ({"max_tokens": -1}, "max_tokens", "at least 1"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "stream"),
        ({"stream": False, "stream_options": {}}, "stream_options", "stream"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage", "true or false"),
        ({"top_logprobs": 2}, "top_logprobs", "logprobs"),
        ({"logprobs": False, "top_logprobs": 0}, "top_logprobs", "logprobs"),
        ({"logprobs": True, "top_logprobs": 20, "n": 8, "model": "epf-4"}, "top_logprobs", "at most 500000 log probabilities"),
        ({"logprobs": True, "top_logprobs": 2, "search": {"top_logprobs": 3}}, "search.top_logprobs", "different values"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "at most 20"),
        ({"tools": [TOOL]}, "tools", "tool_choice none"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice", "not supported"),
        ({"functions": [{"name": "f"}]}, "functions", "not supported"),
        ({"response_format": {"type": "json_object"}}, "response_format", "search.answer"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format", "text"),
        ({"modalities": ["text", "audio"]}, "modalities", "text"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio", "leave it out"),
        ({"logit_bias": {"1": 5}}, "logit_bias", "not supported"),
        ({"frequency_penalty": 0.1}, "frequency_penalty", "send 0"),
        ({"presence_penalty": -1}, "presence_penalty", "send 0"),
        ({"presence_penalty": False}, "presence_penalty", "send 0"),
        ({"web_search_options": {}}, "web_search_options", "leave it out"),
        ({"top_k": 20}, "top_k", "send -1 or 0"),
        ({"min_p": 0.1}, "min_p", "not supported"),
        ({"repetition_penalty": 1.1}, "repetition_penalty", "not supported"),
        ({"best_of": 4}, "best_of", "not supported"),
        ({"stop_token_ids": [1]}, "stop_token_ids", "not supported"),
        ({"guided_json": {}}, "guided_json", "not supported"),
        ({"ignore_eos": True}, "ignore_eos", "send false"),
        ({"n_particles": 4}, "n_particles", "search.n_particles"),
        ({"max_seconds": 4}, "max_seconds", "search.max_seconds"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "`model` asks for 2"),
        ({"reasoning_effort": "hard"}, "reasoning_effort", "'medium'"),
        ({"search": []}, "search", "must be an object"),
        ({"search": {"n_particle": 4}}, "search.n_particle", "n_particles"),
        ({"search": {"n_particles": 0}}, "search.n_particles", "at least 1"),
        ({"search": {"n_particles": 33}}, "search.n_particles", "at most 32"),
        ({"search": {"method": "magic"}}, "search.method", "epf"),
        ({"search": {"max_seconds": 1e9}}, "search.max_seconds", "at most"),
        ({"search": {"max_steps": 1000}}, "search.max_steps", "at most"),
        ({"search": {"progress": 1}}, "search.progress", "true or false"),
        ({"search": {"temperature": 0.5}, "temperature": 0.6}, "search.temperature", "send one"),
        ({"search": {"seed": 1}, "seed": 2}, "search.seed", "send one"),
        ({"search": {"stop": ["a"]}, "stop": "b"}, "search.stop", "send one"),
        ({"search": {"max_tokens_per_particle": 1}, "max_tokens": 2}, "search.max_tokens_per_particle", "send one"),
        ({"search": {"max_total_tokens": 1}}, "search.max_total_tokens", "n_particles"),
        ({"model": "test/writer", "search": {"n_particles": 8}}, "search.n_particles", "always 1"),
        ({"model": "pf", "search": {"annealing": "ess"}}, "search.annealing", "always 'none'"),
    ],
)
def test_the_field_at_fault_is_named(client: httpx.Client, fields: dict[str, Any], param: str, message: str) -> None:
    body = {"model": "epf-2", "messages": [{"role": "user", "content": PROBLEM}], **fields}
    response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 400, response.text
    error = failure(response)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert isinstance(error["code"], str)
    assert message in error["message"]
    assert "169.254" not in response.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gpt-4o", "epf-33", "sample"])
def test_an_unknown_model_is_not_found(client: httpx.Client, model: str, stream: bool) -> None:
    response = chat(client, model=model, stream=stream)
    assert response.status_code == 404
    error = failure(response)
    fix = "a model has at most " if model in ("epf-65", "epf-33") else "/v1/models lists the models."
    assert error["message"].startswith(f"The model `{model}` does not exist or you do not have access to it: {fix}")
    assert (error["param"], error["code"]) == ("model", "model_not_found")


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_longer_than_the_context_is_refused(stream: bool) -> None:
    with serving(create_app(Untouched(), Judge())) as client:
        response = chat(client, "x" * 4096, stream=stream)
    assert response.status_code == 400
    error = failure(response)
    assert (error["param"], error["code"]) == ("messages", "context_length_exceeded")
    assert "4096" in error["message"]


class Strict(Untouched):
    """A chat template without support for system prompts."""

    def prompt_ids(self, messages: Any) -> tuple[int, ...]:
        if messages[0].role == "system":
            raise RuntimeError("System role not supported in canary.jinja")
        return super().prompt_ids(messages)


def test_a_conversation_that_the_template_refuses_is_the_caller_s_error() -> None:
    turns = [{"role": "system", "content": "x"}, {"role": "user", "content": "x"}]
    with serving(create_app(Strict(), Judge())) as client:
        response = client.post("/v1/chat/completions", json={"model": "epf", "messages": turns})
    assert response.status_code == 400
    assert failure(response)["param"] == "messages"
    assert "canary" not in response.text


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"model": "epf", "messages": [{"role": "user", "content": "\\ud800"}]}', b'{"\\ud800": 1}'],
)
def test_bad_bodies_are_400(client: httpx.Client, content: bytes) -> None:
    response = client.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert failure(response)["type"] == "invalid_request_error"


def test_a_lone_surrogate_in_an_option_name_is_reported_in_ascii(client: httpx.Client) -> None:
    content = b'{"model": "epf", "messages": [{"role": "user", "content": "x"}], "search": {"\\ud800": 1}}'
    response = client.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
    assert failure(response)["param"] == "search.\\ud800"


def test_the_same_value_twice_is_no_contradiction() -> None:
    with serving(create_app(Writer(), Judge())) as client:
        body = completed(client, seed=5, temperature=0, search={"seed": 5, "temperature": 0.0}, stop="#")
    assert body["choices"][0]["search"]["seed"] == 5


def test_every_published_field_is_known() -> None:
    published = """audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
    metadata modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options
    temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"""
    from epf.service.chat.request import ChatRequest

    without_effect = {"verbosity"}
    assert set(published.split()) <= set(ChatRequest.model_fields) | BOOKKEEPING | NEUTRAL.keys() | without_effect
