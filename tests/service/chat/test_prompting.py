"""Which system prompt and examples a chat request, a problem and a batch reach the generator with."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from epf.core.generator import Message
from epf.generators.prompting import PromptingGenerator
from epf.service.app import create_app
from tests.service.chat.writing import PROBLEM, Judge, Writer, chat, completed, failure, serving

QUESTION = Message("user", PROBLEM)
EXAMPLE = (Message("user", "1 + 1?"), Message("assistant", "2."))
BOX, THINK, OWN = (Message("system", text) for text in ("Box it.", "Think.", "Be brief."))
SYSTEM = {"role": "system", "content": OWN.content}


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def client(writer: Writer) -> Iterator[httpx.Client]:
    with serving(create_app(PromptingGenerator(writer, BOX.content, EXAMPLE), Judge())) as client:
        yield client


@pytest.mark.parametrize(
    ("fields", "rendered"),
    [
        ({}, [BOX, *EXAMPLE, QUESTION]),
        ({"search": {"system_prompt": THINK.content}}, [THINK, *EXAMPLE, QUESTION]),
        ({"search": {"system_prompt": ""}}, [QUESTION]),
        ({"model": "epf", "search": {"method": "sample", "n_particles": 1}}, [BOX, *EXAMPLE, QUESTION]),
        ({"model": "test/writer"}, [QUESTION]),
        ({"model": "test/writer", "search": {"system_prompt": None}}, [BOX, *EXAMPLE, QUESTION]),
        ({"model": "test/writer", "search": {"system_prompt": THINK.content}}, [THINK, *EXAMPLE, QUESTION]),
        ({"messages": [SYSTEM, {"role": "user", "content": PROBLEM}]}, [OWN, *EXAMPLE, QUESTION]),
        ({"messages": [SYSTEM | {"role": "developer"}, {"role": "user", "content": PROBLEM}]}, [OWN, *EXAMPLE, QUESTION]),
        ({"messages": [SYSTEM, {"role": "user", "content": PROBLEM}], "model": "test/writer"}, [OWN, QUESTION]),
    ],
)
def test_a_chat_reads_the_prompt_that_it_asks_for(
    client: httpx.Client, writer: Writer, fields: dict[str, Any], rendered: list[Message]
) -> None:
    usage = completed(client, **fields)["usage"]
    assert writer.asked[-1] == tuple(rendered)
    assert usage["prompt_tokens"] == sum(len(message.content.encode()) for message in rendered)


def test_a_problem_and_a_batch_read_it_too(client: httpx.Client, writer: Writer) -> None:
    body = client.post("/solve", json={"problem": PROBLEM, "system_prompt": THINK.content}).json()
    assert writer.asked[-1] == (THINK, *EXAMPLE, QUESTION)
    assert body["usage"]["prompt_tokens"] == len(f"{THINK.content}1 + 1?2.{PROBLEM}")
    items = [{"problem": PROBLEM, "system_prompt": ""}, PROBLEM]
    client.post("/solve/batch", json={"problems": items, "system_prompt": THINK.content, "concurrency": 1})
    assert writer.asked[-2:] == [(QUESTION,), (THINK, *EXAMPLE, QUESTION)]


def test_two_system_prompts_in_one_request_are_refused(client: httpx.Client) -> None:
    messages = [SYSTEM, {"role": "user", "content": PROBLEM}]
    error = failure(chat(client, messages=messages, search={"system_prompt": THINK.content}))
    assert error["param"] == "search.system_prompt"
    assert "send one of them" in error["message"]
    assert chat(client, messages=messages, search={"system_prompt": ""}).status_code == 200


def test_a_prompt_that_fills_the_context_is_refused_before_the_stream(client: httpx.Client) -> None:
    response = chat(client, stream=True, search={"system_prompt": "a" * 4096})
    assert response.status_code == 400
    assert json.loads(response.text)["error"]["code"] == "context_length_exceeded"
