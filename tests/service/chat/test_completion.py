"""Complete responses over a real socket: shape, usage, choices, stops, log probabilities, conversation and extension."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.chat.tokens import MIN_LOG_PROB
from epf.service.settings import Settings
from tests.service.chat.writing import PROBLEM, SOLUTION, Judge, Writer, answer_tokens, chat, completed, failure, serving

WRONG = "40 + 1 = 41.\n\nSo that the answer is \\boxed{41}."


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(create_app(Writer(), Judge())) as client:
        yield client


@pytest.fixture(scope="module")
def varied() -> Iterator[httpx.Client]:
    with serving(create_app(Writer([SOLUTION, WRONG]), Judge())) as client:
        yield client


def test_the_shape_is_the_published_one(client: httpx.Client) -> None:
    response = chat(client)
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert body["object"] == "chat.completion"
    assert isinstance(body["created"], int)
    assert body["model"] == "epf-2"
    assert re.fullmatch(r"epf-[\d.]+/test/writer/test/judge", body["system_fingerprint"])
    (choice,) = body["choices"]
    assert set(choice) == {"index", "message", "finish_reason", "logprobs", "search"}
    assert choice["index"] == 0
    assert choice["message"] == {"role": "assistant", "content": SOLUTION, "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert choice["logprobs"] is None


def test_ids_are_unique(client: httpx.Client) -> None:
    ids = {completed(client)["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(id.startswith("chatcmpl-") for id in ids)


def test_usage_separates_the_answer_from_the_other_tokens(client: httpx.Client) -> None:
    body = completed(client, search={"n_particles": 4})
    usage, search = body["usage"], body["choices"][0]["search"]
    assert usage["prompt_tokens"] == len(PROBLEM)
    assert usage["completion_tokens"] == search["usage"]["generated_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert answer_tokens(usage) == len(SOLUTION) + 1, "with the end token"
    assert 0 < answer_tokens(usage) < usage["completion_tokens"]


def test_a_plain_sample_has_no_reasoning_tokens(client: httpx.Client) -> None:
    body = completed(client, model="test/writer")
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
    assert body["choices"][0]["search"]["method"] == "sample"


def test_choices_are_independent_searches_in_order(varied: httpx.Client) -> None:
    one, many = completed(varied, model="test/writer", seed=7), completed(varied, model="test/writer", seed=7, n=8)
    assert [choice["index"] for choice in many["choices"]] == list(range(8))
    assert many["choices"][0]["search"]["seed"] == 7
    contents = [choice["message"]["content"] for choice in many["choices"]]
    assert contents[0] == one["choices"][0]["message"]["content"]
    assert set(contents) == {SOLUTION, WRONG}
    seeds = [choice["search"]["seed"] for choice in many["choices"]]
    assert len(set(seeds)) == 8
    again = completed(varied, model="test/writer", seed=seeds[3])
    assert again["choices"][0]["message"]["content"] == contents[3]
    assert many["usage"]["prompt_tokens"] == len(PROBLEM)
    assert many["usage"]["completion_tokens"] == sum(len(content) + 1 for content in contents)


def test_the_same_seed_gives_the_same_answer_and_none_gives_another(varied: httpx.Client) -> None:
    def contents(**fields: Any) -> list[str]:
        body = completed(varied, model="test/writer", n=16, **fields)
        return [choice["message"]["content"] for choice in body["choices"]]

    assert contents(seed=2**63 - 1) == contents(seed=2**63 - 1)
    assert contents() != contents(), "two seeds drawn alike: 1 in 65,536"


@pytest.mark.parametrize(
    ("stop", "content"),
    [("=", "40 + 2 "), (["nothing", "\n\n"], "40 + 2 = 42."), ([], SOLUTION), (["boxed", "+ 2 = 42.\n\nThe"], "40 ")],
)
@pytest.mark.parametrize("model", ["epf-2", "test/writer"])
def test_an_answer_ends_before_a_stop_and_counts_so(client: httpx.Client, model: str, stop: Any, content: str) -> None:
    body = completed(client, model=model, stop=stop)
    assert body["choices"][0]["message"]["content"] == content
    assert body["choices"][0]["finish_reason"] == "stop"
    assert answer_tokens(body["usage"]) == len(content) + (content == SOLUTION)
    assert body["usage"]["completion_tokens"] == body["choices"][0]["search"]["usage"]["generated_tokens"]


@pytest.mark.parametrize(
    ("limits", "n_tokens"),
    [
        ({"max_completion_tokens": 1}, 1),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 3}, 3),
        ({"max_tokens": 3, "max_completion_tokens": None}, 3),
        ({"search": {"max_tokens_per_particle": 4}}, 4),
        ({"search": {"max_steps": 1}}, 14),
        ({"search": {"max_total_tokens": 8}}, 4),
    ],
)
def test_a_limit_is_reported_as_length(client: httpx.Client, limits: dict[str, Any], n_tokens: int) -> None:
    body = completed(client, **limits)
    assert body["choices"][0]["finish_reason"] == "length"
    assert answer_tokens(body["usage"]) == n_tokens
    assert body["choices"][0]["search"]["stop_reason"] != "finished"


def test_a_finished_answer_is_a_stop_even_if_a_limit_cut_others() -> None:
    with serving(create_app(Writer(["\\boxed{1}", SOLUTION]), Judge())) as client:
        (choice,) = completed(client, model="self-consistency-8", seed=1, search={"max_total_tokens": 8 * 12})["choices"]
    assert choice["search"]["stop_reason"] == "budget"
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"] == "\\boxed{1}"


def test_logprobs_are_those_of_the_shown_particle(client: httpx.Client) -> None:
    (choice,) = completed(client, logprobs=True, top_logprobs=0)["choices"]
    assert set(choice["logprobs"]) == {"content", "refusal"}
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(token["logprob"] == -0.5 and token["top_logprobs"] == [] for token in tokens)
    assert bytes(byte for token in tokens for byte in token["bytes"]).decode() == choice["message"]["content"]


def test_the_most_likely_tokens_are_listed_for_the_answer_alone(client: httpx.Client) -> None:
    for model in ("test/writer", "epf-4", "best-of-n-2"):
        (choice,) = completed(client, model=model, logprobs=True, top_logprobs=2)["choices"]
        tokens = choice["logprobs"]["content"]
        assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
        listed = [{"token": "4", "logprob": -0.5, "bytes": [52]}, {"token": "\ufffd", "logprob": -1.5, "bytes": [0xE2]}]
        assert all(token["top_logprobs"] == listed for token in tokens)
        assert "particles" not in choice["search"]
    search = {"logprobs": True}
    (choice,) = completed(client, model="epf-4", search=search, logprobs=True, top_logprobs=2)["choices"]
    (step, *_) = choice["search"]["particles"][0]["steps"]
    assert [one["logprob"] for one in step["top_logprobs"][0]] == [-0.5, -1.5]


def test_a_generator_without_log_probabilities_is_named_before_it_writes_much() -> None:
    with serving(create_app(Writer(log_prob=None), Judge())) as client:
        refused = chat(client, logprobs=True, top_logprobs=2)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "top_logprobs"


def test_logprobs_end_where_a_stop_cuts_the_answer(client: httpx.Client) -> None:
    (choice,) = completed(client, logprobs=True, stop="=")["choices"]
    assert "".join(token["token"] for token in choice["logprobs"]["content"]) == choice["message"]["content"]


def test_logprobs_of_characters_that_are_several_tokens_add_up_in_bytes() -> None:
    with serving(create_app(Writer(["x² ≥ 0 \\boxed{0}"]), Judge())) as client:
        (choice,) = completed(client, logprobs=True)["choices"]
    assert bytes(byte for token in choice["logprobs"]["content"] for byte in token["bytes"]).decode() == "x² ≥ 0 \\boxed{0}"
    assert choice["message"]["content"] == "x² ≥ 0 \\boxed{0}"


@pytest.mark.parametrize("value", [float("-inf"), float("nan"), -1e5])
def test_logprobs_are_numbers_in_json(value: float) -> None:
    with serving(create_app(Writer(log_prob=value), Judge())) as client:
        (choice,) = completed(client, logprobs=True)["choices"]
    assert {token["logprob"] for token in choice["logprobs"]["content"]} == {MIN_LOG_PROB}


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_are_refused_for_an_engine_without_them(stream: bool) -> None:
    with serving(create_app(Writer(log_prob=None), Judge())) as client:
        assert chat(client).status_code == 200
        response = chat(client, logprobs=True, stream=stream)
    if stream:
        assert '"param":"logprobs"' in response.text
    else:
        assert response.status_code == 400
        assert failure(response)["param"] == "logprobs"


def test_the_generator_reads_the_conversation_and_the_reward_model_the_question() -> None:
    writer, judge = Writer(), Judge()
    question = [{"type": "text", "text": "How many"}, {"type": "text", "text": "birds?"}]
    turns = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "Hello", "name": "Ann"},
        {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": None},
        {"role": "user", "content": question},
    ]
    with serving(create_app(writer, judge)) as client:
        response = client.post("/v1/chat/completions", json={"model": "epf-2", "messages": turns})
        assert response.status_code == 200
        assert response.headers["x-epf-ignored"] == "messages.name"
        assert completed(client, "Just this?")["choices"][0]["message"]["content"] == SOLUTION
    assert {tuple((turn.role, turn.content) for turn in asked) for asked in writer.asked} == {
        (("system", "Be short."), ("user", "Hello"), ("assistant", "Hi"), ("user", "How many\nbirds?")),
        (("user", "Just this?"),),
    }
    assert judge.problems == {"User: Hello\n\nAssistant: Hi\n\nUser: How many\nbirds?", "Just this?"}


def test_the_extension_describes_the_search(client: httpx.Client) -> None:
    (choice,) = completed(client, model="weighted-best-of-n-4", seed=3, search={"return_particles": True})["choices"]
    search = choice["search"]
    assert search["method"] == "weighted_best_of_n"
    assert search["answer"] == "42"
    assert search["stop_reason"] == "finished"
    assert search["seed"] == 3
    assert search["warnings"] == []
    assert search["share"] == search["distribution"][0]["probability"]
    assert abs(sum(share["probability"] for share in search["distribution"]) - 1) < 1e-9
    assert len(search["particles"]) == 4
    assert "particles" not in completed(client)["choices"][0]["search"]
    assert completed(client)["choices"][0]["search"]["steps"][0]["ess"] > 0


def test_progress_is_reported_on_request(client: httpx.Client) -> None:
    message = completed(client, search={"progress": True}, seed=1)["choices"][0]["message"]
    lines = message["reasoning_content"].splitlines()
    assert lines[0] == "epf with 2 particles, seed 1"
    assert any("leading (0.80): 40 + " in line for line in lines)
    assert any("best answer so far 4" in line for line in lines)
    assert "reasoning_content" not in completed(client)["choices"][0]["message"]


def test_options_come_from_the_server_then_the_name_then_the_request() -> None:
    settings = Settings.model_validate({"search": {"n_particles": 3, "max_steps": 7, "method": "pf"}})
    with serving(create_app(Writer(), Judge(), settings)) as client:

        def searched(**fields: Any) -> tuple[str, int]:
            search = {"return_particles": True, **fields.pop("search", {})}
            found = completed(client, search=search, **fields)["choices"][0]["search"]
            return found["method"], len(found["particles"])

        assert searched(model="epf") == ("epf", 3)
        assert searched(model="epf-5") == ("epf", 5)
        assert searched(model="epf-5", search={"n_particles": 6}) == ("epf", 6)
        assert searched(model="epf-5", search={"method": "self_consistency"}) == ("self_consistency", 5)
        assert searched(model="test/writer") == ("sample", 1)
        assert searched(model="test/writer", search={"method": "best_of_n"}) == ("best_of_n", 3)


def test_an_effort_is_a_number_of_particles() -> None:
    with serving(create_app(Writer(), Judge(), Settings(max_particles=20, max_tokens_per_request=2**30))) as client:

        def n_particles(**fields: Any) -> int:
            (choice,) = completed(client, search={"return_particles": True, **fields.pop("search", {})}, **fields)["choices"]
            return len(choice["search"]["particles"])

        numbers = [n_particles(model="epf", reasoning_effort=effort) for effort in ("none", "minimal", "low", "medium", "high")]
        assert numbers == [1, 2, 4, 8, 16]
        assert n_particles(model="epf", reasoning_effort="max") == 20, "at most as many as a request may have"
        assert n_particles(model="epf-4", reasoning_effort="low") == 4
        assert n_particles(model="epf-5", reasoning_effort="low", search={"n_particles": 4}) == 4
        assert n_particles(model="test/writer", search={"method": "best_of_n"}, reasoning_effort="low") == 4
        for fields in ({"model": "epf-5"}, {"model": "epf", "search": {"n_particles": 5}}):
            error = failure(chat(client, reasoning_effort="low", **fields))
            assert error["param"] == "reasoning_effort"
            assert "4 particles" in error["message"]
        both = chat(client, reasoning_effort="max", model="epf", n=3)
        assert both.status_code == 200, "at most as many as all choices together may have"


def test_an_effort_has_no_effect_on_a_plain_sample(client: httpx.Client) -> None:
    assert chat(client, model="test/writer", reasoning_effort="high").headers["x-epf-ignored"] == "reasoning_effort"


def test_null_is_absent(client: httpx.Client) -> None:
    names = [
        "max_completion_tokens",
        "max_tokens",
        "stop",
        "seed",
        "temperature",
        "top_p",
        "logprobs",
        "top_logprobs",
        "stream",
    ]
    names += ["stream_options", "search", "n", "tools", "functions", "response_format", "logit_bias", "audio", "made_up"]
    absent: dict[str, Any] = dict.fromkeys(names)
    response = chat(client, **absent)
    assert response.status_code == 200
    assert "x-epf-ignored" not in response.headers


def test_fields_without_effect_are_listed_in_a_header(client: httpx.Client) -> None:
    unknown: dict[str, Any] = {"made up\n": 1, "x" * 100: 2}
    response = chat(client, verbosity="high", **unknown, user="u", store=True, max_tokens=9)
    assert response.headers["x-epf-ignored"] == f"made?up?, verbosity, {'x' * 64}"
    numbered: dict[str, Any] = {f"f{i:02}": 1 for i in range(20)}
    many = chat(client, stream=True, **numbered)
    assert many.headers["x-epf-ignored"].endswith("f14, f15, and 4 more")
    assert chat(client, max_tokens=9, max_completion_tokens=99).headers["x-epf-ignored"] == "max_tokens"
    options = chat(client, stream=True, stream_options={"include_obfuscation": True, "continuous_usage_stats": True})
    assert options.headers["x-epf-ignored"] == "stream_options.continuous_usage_stats"


def test_harmless_fields_are_accepted_and_not_listed(client: httpx.Client) -> None:
    fields: dict[str, Any] = {
        "user": "u",
        "metadata": {"a": "b"},
        "store": True,
        "service_tier": "auto",
        "parallel_tool_calls": True,
        "prediction": {"type": "content", "content": "x"},
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "modalities": ["text"],
        "response_format": {"type": "text"},
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "none",
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "best_of": 1,
        "stop_token_ids": [],
        "skip_special_tokens": True,
    }
    response = chat(client, **fields)
    assert response.status_code == 200, response.text
    assert "x-epf-ignored" not in response.headers
