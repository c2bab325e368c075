"""Completions over a real socket: plain texts and problems, choices, log probabilities, streams and refusals."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from epf.core.generator import GeneratorWrapper
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.service.chat.writing import PROBLEM, PROMPT, SOLUTION, Judge, Writer, answer_tokens, events, failure, serving

TEXT = "Q: 40 + 2?\nA:"


class TextWriter(Writer):
    """Also continues texts, and records them."""

    def __init__(self, texts: Sequence[str] = (SOLUTION,), **options: Any) -> None:
        super().__init__(texts, **options)
        self.read: list[str] = []

    def text_ids(self, text: str) -> tuple[int, ...]:
        self.read.append(text)
        return tuple(PROMPT + byte for byte in text.encode())


@pytest.fixture(scope="module")
def generator() -> TextWriter:
    return TextWriter()


@pytest.fixture(scope="module")
def client(generator: TextWriter) -> Iterator[httpx.Client]:
    settings = Settings(max_problem_chars=100, max_particles=32)
    with serving(create_app(GeneratorWrapper(generator), Judge(), settings)) as client:
        yield client


def complete(client: httpx.Client, prompt: Any = TEXT, *, model: str = "test/writer", **fields: Any) -> httpx.Response:
    return client.post("/v1/completions", json={"model": model, "prompt": prompt, **fields})


def completed(client: httpx.Client, prompt: Any = TEXT, **fields: Any) -> dict[str, Any]:
    response = complete(client, prompt, **fields)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_the_generator_s_name_continues_the_text_itself(client: httpx.Client, generator: TextWriter) -> None:
    n_asked = len(generator.asked)
    body = completed(client, max_tokens=100)
    assert generator.read[-1] == TEXT
    assert len(generator.asked) == n_asked, "no chat template"
    assert set(body) == {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert body["id"].startswith("cmpl-")
    assert body["object"] == "text_completion"
    (choice,) = body["choices"]
    assert choice.pop("search")["method"] == "sample"
    assert choice == {"index": 0, "text": SOLUTION, "logprobs": None, "finish_reason": "stop"}
    details = {"reasoning_tokens": 0}
    n_tokens = len(SOLUTION) + 1
    usage = {"prompt_tokens": len(TEXT), "completion_tokens": n_tokens, "total_tokens": len(TEXT) + n_tokens}
    assert body["usage"] == {**usage, "completion_tokens_details": details}


def test_a_search_method_solves_the_text_as_a_problem(client: httpx.Client, generator: TextWriter) -> None:
    body = completed(client, PROBLEM, model="epf-2")
    assert [(m.role, m.content) for m in generator.asked[-1]] == [("user", PROBLEM)]
    (choice,) = body["choices"]
    assert (choice["text"], choice["search"]["method"], choice["search"]["answer"]) == (SOLUTION, "epf", "42")
    assert body["usage"]["completion_tokens"] == 2 * (len(SOLUTION) + 1)
    assert answer_tokens(body["usage"]) == len(SOLUTION) + 1


def test_the_default_length_is_that_of_the_api(client: httpx.Client) -> None:
    (choice,) = completed(client)["choices"]
    assert (choice["text"], choice["finish_reason"]) == (SOLUTION[:16], "length")
    (longer,) = completed(client, search={"max_tokens_per_particle": 20})["choices"]
    assert longer["text"] == SOLUTION[:20]


def test_each_prompt_has_its_choices() -> None:
    texts = TextWriter([SOLUTION, "So \\boxed{41}."])
    with serving(create_app(texts, Judge())) as client:
        prompts = [TEXT, "second", "third"]
        body = completed(client, prompts, n=2, seed=5, max_tokens=100, echo=True)
        assert [choice["index"] for choice in body["choices"]] == list(range(6))
        for index, choice in enumerate(body["choices"]):
            prompt = prompts[index // 2]
            assert choice["text"].startswith(prompt)
            if index % 2 == 0:
                (alone,) = completed(client, prompt, seed=5, max_tokens=100, echo=True)["choices"]
                assert choice["text"] == alone["text"]
        assert body["usage"]["prompt_tokens"] == sum(map(len, prompts))


def test_stops_and_log_probabilities(client: httpx.Client) -> None:
    (choice,) = completed(client, stop=["="], max_tokens=100, logprobs=0)["choices"]
    assert choice["text"] == "40 + 2 "
    logprobs = choice["logprobs"]
    assert logprobs["tokens"] == list("40 + 2 ")
    assert logprobs["token_logprobs"] == [-0.5] * 7
    assert logprobs["text_offset"] == list(range(7))
    assert logprobs["top_logprobs"] is None
    (choice,) = completed(client, stop=["="], max_tokens=100, logprobs=2)["choices"]
    assert choice["logprobs"]["top_logprobs"] == [{"4": -0.5, "bytes:\\xe2": -1.5}] * 7
    assert "particles" not in choice["search"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"max_tokens": 100, "search": {"max_tokens_per_step": 6}},
        {"model": "epf-2"},
        {"max_tokens": 100, "logprobs": 0},
        {"max_tokens": 100, "logprobs": 2},
        {"max_tokens": 100, "echo": True, "n": 3},
        {"prompt": ["one", "two"], "stop": "+"},
    ],
)
def test_a_stream_adds_up_to_the_whole_completion(client: httpx.Client, fields: dict[str, Any]) -> None:
    whole = completed(client, **{"seed": 2, **fields})
    chunks = events(complete(client, **{"seed": 2, **fields}, stream=True, stream_options={"include_usage": True}).text)
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    last = chunks.pop()
    assert (last["choices"], last["usage"]) == ([], whole["usage"])
    for choice in whole["choices"]:
        mine = [c for chunk in chunks for c in chunk["choices"] if c["index"] == choice["index"]]
        assert "".join(c["text"] for c in mine) == choice["text"]
        assert [c["finish_reason"] for c in mine] == [None] * (len(mine) - 1) + [choice["finish_reason"]]
        if choice["logprobs"] is not None:
            for name in ("tokens", "token_logprobs", "text_offset"):
                assert [x for c in mine if c["logprobs"] for x in c["logprobs"][name]] == choice["logprobs"][name]


def test_a_generator_of_conversations_only_refuses_plain_text() -> None:
    with serving(create_app(Writer(), Judge())) as client:
        for stream in (False, True):
            response = complete(client, stream=stream)
            assert response.status_code == 400
            error = failure(response)
            assert (error["param"], error["code"]) == ("prompt", "invalid_value")
            assert "conversations only" in error["message"]
        assert completed(client, PROBLEM, model="epf-2")["choices"][0]["text"] == SOLUTION


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"prompt": None}, "prompt", "required"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": []}, "prompt", "not empty"),
        ({"prompt": [1, 2]}, "prompt", "tokenized_requests=False"),
        ({"prompt": [[1, 2]]}, "prompt", "token ids"),
        ({"prompt": "x" * 101}, "prompt", "at most 100"),
        ({"prompt": ["x", "x" * 101]}, "prompt.1", "at most 100"),
        ({"prompt": ["x"] * 65, "n": 2}, "prompt", "at most 128"),
        ({"prompt": ["x"] * 33}, "prompt", "at most 32"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"logprobs": 21}, "logprobs", "at most 20"),
        ({"echo": True, "logprobs": 1}, "echo", "cannot score a prompt"),
        ({"best_of": 4}, "best_of", "not supported"),
        ({"suffix": "x"}, "suffix", "leave it out"),
        ({"search": {"progress": True}}, "search.progress", "use a chat"),
        ({"search": {"system_prompt": "x"}}, "search.system_prompt", "as it is"),
        ({"messages": []}, "messages", "chat completions"),
        ({"max_tokens": 3, "search": {"max_tokens_per_particle": 4}}, "search.max_tokens_per_particle", "send one"),
        ({"stream_options": {}}, "stream_options", "requires stream"),
        ({"tools": [{"type": "function"}]}, "tools", "not supported"),
    ],
)
def test_the_field_at_fault_is_named(client: httpx.Client, fields: dict[str, Any], param: str, message: str) -> None:
    response = client.post("/v1/completions", json={"model": "test/writer", "prompt": TEXT, **fields})
    assert response.status_code == 400, response.text
    error = failure(response)
    assert error["param"] == param
    assert message in error["message"]


def test_harmless_and_unknown_fields(client: httpx.Client) -> None:
    response = complete(client, best_of=2, n=2, user="u", suffix=None, logit_bias={}, made_up=1)
    assert response.headers["x-epf-ignored"] == "made_up"
    assert json.loads(response.text)["choices"][1]["index"] == 1


def test_the_embedded_generator_continues_texts() -> None:
    with serving(create_app()) as client:
        name = client.get("/v1/models").json()["data"][0]["id"]
        body = completed(client, "There are 45 birds", model=name, max_tokens=3)
        assert body["usage"]["completion_tokens"] == 3
        assert body["usage"]["prompt_tokens"] < completed(client, "There are 45 birds", model="epf-2")["usage"]["prompt_tokens"]
