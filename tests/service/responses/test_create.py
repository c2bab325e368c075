"""Responses in one piece over a real socket: shape, usage, conversation, options and refusals."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.service.chat.writing import PROBLEM, SOLUTION, Judge, Writer, completed, failure, serving
from tests.service.responses.asking import respond, responded, text_of

IMAGE = {"type": "input_image", "image_url": "http://169.254.169.254/"}
TOOL = {"type": "function", "name": "f", "parameters": {}}


@pytest.fixture(scope="module")
def generator() -> Writer:
    return Writer()


@pytest.fixture(scope="module")
def client(generator: Writer) -> Iterator[httpx.Client]:
    settings = Settings(max_messages=6, max_problem_chars=100, max_particles=32)
    with serving(create_app(generator, Judge(), settings)) as client:
        yield client


def test_the_shape_is_the_published_one(client: httpx.Client) -> None:
    body = responded(client, metadata={"a": "b"}, user="u", instructions="Be brief.", temperature=0.5, max_output_tokens=99)
    (message,) = body.pop("output")
    assert message["id"].startswith("msg_")
    part = {"type": "output_text", "text": SOLUTION, "annotations": [], "logprobs": []}
    assert {**message, "id": ""} == {"id": "", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    usage, search = body.pop("usage"), body.pop("search")
    assert usage["input_tokens"] == len(PROBLEM) + len("Be brief.")
    assert usage["output_tokens"] == search["usage"]["generated_tokens"] == 2 * (len(SOLUTION) + 1)
    assert usage["output_tokens_details"] == {"reasoning_tokens": len(SOLUTION) + 1}
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert search["answer"] == "42"
    assert body.pop("id").startswith("resp_")
    assert body.pop("created_at") <= body.pop("completed_at")
    assert body == {
        "object": "response",
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "max_output_tokens": 99,
        "max_tool_calls": None,
        "metadata": {"a": "b"},
        "model": "epf-2",
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 0.5,
        "text": {"format": {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": "u",
    }


def test_a_response_is_the_chat_completion_with_the_same_seed() -> None:
    with serving(create_app(Writer([SOLUTION, "So \\boxed{41}."]), Judge())) as client:
        for seed in range(5):
            (choice,) = completed(client, model="test/writer", seed=seed)["choices"]
            assert text_of(responded(client, model="test/writer", search={"seed": seed})) == choice["message"]["content"]


def test_messages_and_parts_are_read(client: httpx.Client, generator: Writer) -> None:
    parts = [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}]
    said = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    responded(
        client, [{"role": "developer", "content": "x"}, reasoning, said, {"role": "user", "content": parts}], instructions="i"
    )
    assert [(m.role, m.content) for m in generator.asked[-1]] == [
        ("system", "i"),
        ("system", "x"),
        ("assistant", "ok"),
        ("user", "one\ntwo"),
    ]


def test_a_conversation_is_continued_without_its_instructions(client: httpx.Client, generator: Writer) -> None:
    first = responded(client, "40 + 2?", instructions="first")
    second = responded(client, "Sure?", previous_response_id=first["id"], instructions="second")
    assert [(m.role, m.content) for m in generator.asked[-1]] == [
        ("system", "second"),
        ("user", "40 + 2?"),
        ("assistant", SOLUTION),
        ("user", "Sure?"),
    ]
    assert second["previous_response_id"] == first["id"]
    listed = client.get(f"/v1/responses/{second['id']}/input_items", params={"order": "asc"}).json()
    assert [(item["role"], item["content"][0]["text"]) for item in listed["data"]] == [
        ("user", "40 + 2?"),
        ("assistant", SOLUTION),
        ("user", "Sure?"),
    ]
    assert listed["data"][1]["id"] == first["output"][0]["id"]
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    responded(client, [reference, {"role": "user", "content": "Again?"}])
    assert [m.content for m in generator.asked[-1]] == [SOLUTION, "Again?"]


def test_input_items_come_in_pages(client: httpx.Client) -> None:
    turns = [{"role": "user", "content": str(n)} for n in range(5)]
    url = f"/v1/responses/{responded(client, turns)['id']}/input_items"
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = client.get(url, params={"limit": 2, **after}).json()
        seen += [item["content"][0]["text"] for item in page["data"]]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert seen == ["4", "3", "2", "1", "0"], "the newest first"
    assert failure(client.get(url, params={"after": "msg_x"}))["param"] == "after"
    assert failure(client.get(url, params={"limit": 101}))["param"] == "limit"


def test_truncation_drops_the_oldest_messages(generator: Writer) -> None:
    turns = [{"role": role, "content": role * 200} for role in ("system", "user", "assistant", "user")]
    writer = Writer()
    writer.context_length = 2400
    with serving(create_app(writer, Judge())) as client:
        refused = failure(respond(client, turns))
        assert (refused["param"], refused["code"]) == ("input", "context_length_exceeded")
        responded(client, turns, truncation="auto", max_output_tokens=100)
        assert [m.role for m in writer.asked[-1]] == ["system", "user"]
        too_long = respond(client, [{"role": "user", "content": "x" * 2400}], truncation="auto")
        assert failure(too_long)["code"] == "context_length_exceeded", "the last question is never dropped"


def test_an_effort_and_the_progress(client: httpx.Client) -> None:
    body = responded(client, model="epf", reasoning={"effort": "low", "summary": "auto"})
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    reasoning, message = body["output"]
    assert reasoning["type"] == "reasoning"
    assert reasoning["summary"][0]["text"].startswith("epf with 4 particles")
    assert message["type"] == "message"
    assert [item["type"] for item in responded(client, model="test/writer", reasoning={"summary": "auto"})["output"]] == [
        "message"
    ]


def test_log_probabilities_are_those_of_the_answer(client: httpx.Client) -> None:
    body = responded(client, include=["message.output_text.logprobs"])
    (part,) = body["output"][0]["content"]
    assert "".join(token["token"] for token in part["logprobs"]) == SOLUTION
    assert {token["logprob"] for token in part["logprobs"]} == {-0.5}
    listed = responded(client, include=["message.output_text.logprobs"], top_logprobs=2)
    assert listed["top_logprobs"] == 2
    (part,) = listed["output"][0]["content"]
    assert all(
        token["top_logprobs"]
        == [{"token": "4", "logprob": -0.5, "bytes": [52]}, {"token": "\ufffd", "logprob": -1.5, "bytes": [0xE2]}]
        for token in part["logprobs"]
    )
    with serving(create_app(Writer(log_prob=None), Judge())) as silent:
        assert failure(respond(silent, include=["message.output_text.logprobs"]))["param"] == "include"


def test_a_limit_is_incomplete(client: httpx.Client) -> None:
    body = responded(client, max_output_tokens=5)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert body["output"][0]["status"] == "incomplete"
    assert body["completed_at"] is None
    assert body["usage"]["output_tokens"] - body["usage"]["output_tokens_details"]["reasoning_tokens"] == 5


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"input": None}, "input", "required"),
        ({"input": ""}, "input", "not empty"),
        ({"input": []}, "input", "not empty"),
        ({"input": 7}, "input", "a text or a list"),
        ({"input": ["x"]}, "input", "item 0 must be an object"),
        ({"input": [{"role": "king", "content": "x"}]}, "input", "role of item 0"),
        ({"input": [{"role": "user", "content": 7}]}, "input", "content of item 0"),
        ({"input": [{"role": "user", "content": [IMAGE]}]}, "input", "URLs are never fetched"),
        ({"input": [{"role": "user", "content": [{"type": {}, "text": ""}]}]}, "input", "not a text part"),
        ({"input": [{"type": "function_call_output", "call_id": "1", "output": "x"}]}, "input", "neither calls tools"),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, "input.0", "send the message itself"),
        ({"input": [{"role": "user", "content": "x"}] * 7}, "input", "at most 6"),
        ({"input": [{"role": "user", "content": "x"}] * 257}, "input", "at most 256"),
        ({"input": "x" * 101}, "input.0.content", "at most 100"),
        ({"instructions": "x" * 101}, "instructions", "at most 100"),
        ({"previous_response_id": "resp_x"}, "previous_response_id", "not found"),
        ({"temperature": 3}, "temperature", "at most 2"),
        ({"max_output_tokens": 0}, "max_output_tokens", "at least 1"),
        ({"max_output_tokens": 5, "search": {"max_tokens_per_particle": 4}}, "search.max_tokens_per_particle", "send one"),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort", "`model` asks for 2"),
        ({"reasoning": {"effort": "hard"}}, "reasoning.effort", "'medium'"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}}, "text.format", "search.answer"),
        ({"tools": [TOOL]}, "tools", "tool_choice none"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice", "without calling tools"),
        ({"conversation": "conv_1"}, "conversation", "leave it out"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "leave it out"),
        ({"background": True, "store": False}, "background", "requires store"),
        ({"include": ["all"]}, "include", "leave the others out"),
        ({"top_logprobs": 2}, "top_logprobs", "add message.output_text.logprobs to include"),
        ({"stream_options": {}}, "stream_options", "requires stream"),
        ({"truncation": "some"}, "truncation", "'auto'"),
        ({"metadata": {"a": 1}}, "metadata.a", "string"),
        ({"metadata": dict.fromkeys(map(str, range(17)), "x")}, "metadata", "at most 16"),
        ({"messages": []}, "messages", "send `input`"),
        ({"max_tokens": 9}, "max_tokens", "send `max_output_tokens`"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "send `reasoning.effort`"),
        ({"seed": 1}, "seed", "`search.seed`"),
        ({"stop": ["a"]}, "stop", "`search.stop`"),
        ({"n": 2}, "n", "not supported"),
    ],
)
def test_the_field_at_fault_is_named(client: httpx.Client, fields: dict[str, Any], param: str, message: str) -> None:
    response = client.post("/v1/responses", json={"model": "epf-2", "input": PROBLEM, **fields})
    assert response.status_code == 400, response.text
    error = failure(response)
    assert error["param"] == param
    assert message in error["message"]
    assert "169.254" not in response.text


def test_an_unknown_model_is_not_found(client: httpx.Client) -> None:
    response = respond(client, model="gpt-4o")
    assert (response.status_code, failure(response)["code"]) == (404, "model_not_found")


def test_what_clients_send_without_an_effect_is_accepted_and_reported(client: httpx.Client) -> None:
    harmless: dict[str, Any] = {"parallel_tool_calls": True, "service_tier": "auto", "tools": [TOOL], "tool_choice": "none"}
    harmless |= {"prompt_cache_key": "k", "safety_identifier": "s", "text": {"format": {"type": "text"}}}
    assert "x-epf-ignored" not in respond(client, **harmless).headers
    response = respond(
        client,
        model="test/writer",
        include=["reasoning.encrypted_content"],
        text={"verbosity": "low"},
        reasoning={"effort": "low"},
        max_tool_calls=3,
    )
    names = "max_tool_calls, include.reasoning.encrypted_content, text.verbosity, reasoning.effort"
    assert response.headers["x-epf-ignored"] == names


def test_null_is_absent(client: httpx.Client) -> None:
    absent: dict[str, Any] = dict.fromkeys(
        [
            "instructions",
            "previous_response_id",
            "max_output_tokens",
            "temperature",
            "top_p",
            "reasoning",
            "text",
            "include",
            "top_logprobs",
            "truncation",
            "metadata",
            "user",
            "store",
            "background",
            "stream",
            "stream_options",
            "search",
            "tools",
            "tool_choice",
            "prompt",
            "conversation",
        ]
    )
    assert responded(client, **absent)["store"] is True


def test_every_published_field_is_known() -> None:
    from epf.service.chat.unsupported import BOOKKEEPING
    from epf.service.responses.request import ResponsesRequest
    from epf.service.responses.unsupported import OWN_NEUTRAL

    published = """access_programs background context_management conversation image include input instructions max_output_tokens
    max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature
    text tool_choice tools top_logprobs top_p truncation user"""
    without_effect = {"max_tool_calls"}
    assert set(published.split()) <= set(ResponsesRequest.model_fields) | BOOKKEEPING | OWN_NEUTRAL.keys() | without_effect
