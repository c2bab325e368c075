"""Errors of servers in every shape: what they say, what they are about, and what of them may be repeated."""

import json
from typing import Any

import pytest

from epf.engines.http.private import texts_of, without_private
from epf.engines.http.refusal import MAX_WORDS, read_refusal

TOO_LONG = (
    "This model's maximum context length is 512 tokens. However, you requested 600 tokens",
    "The input (600 tokens) is longer than the model's context length (512 tokens).",
    "Input length (600 tokens) exceeds the maximum allowed length (512 tokens).",
    "Requested token count exceeds the model's maximum context length of 512 tokens. You requested a total of 612 tokens",
    "the request exceeds the available context size. try increasing the context size or enable context shift",
    "request (600 tokens) exceeds the available context size (512 tokens), try increasing it",
    "Input validation error: `inputs` must have less than 512 tokens. Given: 600",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 512.",
    "input length exceeds maximum context length",
    "the input length exceeds the context length",
    "prompt too long; exceeded max context length by 88 tokens",
    "Trying to keep the first 600 tokens when context the overflows.",
    "The number of tokens to keep from the initial prompt is greater than the context length.",
    "Reached context length of 512 tokens with model (arch: llama)",
    "Requested tokens (612) exceed context window of 512",
    "prompt is too long: 600 tokens > 512 maximum",
    "Prompt contains 600 tokens and 0 draft tokens, too large for model with 512 maximum context length",
    "Prompt length (600) exceeds maximum input length (512). Set log level to info",
    "The decoder prompt (length 600) is longer than the maximum model length of 512.",
    "'max_tokens' is too large: 256. This model's maximum context length is 512 tokens.",
    "You passed 600 input tokens and requested 0 output tokens. However, the model's context length is only 512 tokens",
    "Input tokens exceed the configured limit of 512 tokens.",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.",
    "Input is too long for requested model.",
    "Please reduce the length of the messages or completion.",
    "The total number of tokens in the prompt exceeds max_seq_len (512)",
    "The prompt (length 600) exceeds the context window",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "Token indices sequence length is longer than the specified maximum sequence length for this model (600 > 512)",
    "Inference error: the input prompt has too many tokens (600), the limit is 512",
    "context length exceeded",
    "Context size has been exceeded.",
    "llama_decode failed: input is too large to process. increase the physical batch size",
    "exceeds the model's maximum context length",
    "The input token count (600) exceeds the maximum number of tokens allowed (512).",
    "Request too large for context: 600 tokens",
    "failed to find free space in the KV cache, prompt does not fit the context",
    "The prompt does not fit into the context (600 > 512)",
    "not enough context: need 600 tokens, have 512",
    "context window exceeded: 600 > 512",
    "prompt exceeds n_ctx",
    "Maximum sequence length exceeded",
    "This request requires 600 tokens but the model supports only 512 tokens of context",
)
OTHER = (
    "Unrecognized request argument supplied: top_k",
    "top_k must be >= 0",
    "temperature must be less than or equal to 2",
    "max_tokens is too large: 8192. This model supports at most 4096 completion tokens",
    "stop sequence is too long",
    "n must be at most 1",
    "Input should be greater than or equal to 0",
    "`stop` may have at most 4 items",
    "model not found",
    "logprobs must be less than or equal to 5",
    "Expected last role User or Tool",
    "Input should be a valid string",
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "prompt must be text",
    "TypeError: 'int' object is not subscriptable",
    "Context variables are not supported",
    "Extra inputs are not permitted",
    "messages: Input should be a valid list",
    "prompt: Input should be a valid string; prompt: Input should be greater than 0",
    "seed is too large",
    "repetition_penalty must be greater than 0 in the request",
    "The model's context is being loaded, try later",
    "number of stop_token_ids in the request is more than 100",
)


@pytest.mark.parametrize("words", TOO_LONG)
@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_request_that_is_too_long_is_recognized_in_any_words(words: str, status: int) -> None:
    refusal = read_refusal(status, json.dumps({"error": words}).encode())
    assert refusal.too_long
    assert not refusal.temporary


@pytest.mark.parametrize("words", OTHER)
def test_other_refusals_are_not_taken_for_it(words: str) -> None:
    assert not read_refusal(400, json.dumps({"error": words}).encode()).too_long


@pytest.mark.parametrize("status", [401, 404, 429])
def test_a_status_with_a_meaning_of_its_own_keeps_it(status: int) -> None:
    assert not read_refusal(status, json.dumps({"error": TOO_LONG[0]}).encode()).too_long


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"error": {"error": {"message": "no"}}}, "no"),
        ({"error": {"message": "", "code": 5}, "message": "no"}, "no"),
        ({"message": "no", "object": "error"}, "no"),
        ({"detail": "no"}, "no"),
        ({"detail": {"message": "no"}}, "no"),
        ({"detail": [{"loc": ["body", "x", 0], "msg": "no"}, {"loc": ["body", "y"], "msg": "never"}]}, "x.0: no; y: never"),
        ({"errors": [{"message": "no"}, {"message": "never"}]}, "no"),
        ({"errors": ["no", "never"]}, "no; never"),
        ([{"error": {"message": "no"}}], "no"),
        ({"title": "no"}, "no"),
        ({"error": {"message": "a\nb\t\u0000c\u202e d"}}, "a b c d"),
        ({"error": None}, ""),
        ({"error": []}, ""),
        ([], ""),
        (5, ""),
        ("no", "no"),
        (b"no\r\n", "no"),
        (b"<html><head><style>p {}</style></head><p>no</p></html>", "no"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * (MAX_WORDS - 1) + "…"),
        (b"", ""),
    ],
)
def test_the_words_are_found_in_any_shape(body: Any, words: str) -> None:
    assert read_refusal(400, body if isinstance(body, bytes) else json.dumps(body).encode()).words == words


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        ({"error": {"message": "bad", "param": "seed"}}, ["seed"]),
        ({"error": {"message": "bad", "param": "body.seed"}}, ["seed"]),
        ({"error": {"message": "bad", "param": "['seed']"}}, ["seed"]),
        ({"error": "`top_k` and 'seed' are unknown"}, ["top_k", "seed"]),
        ({"detail": [{"loc": ["body", "seed"], "msg": "bad"}, {"loc": ["query", "top_k"], "msg": "bad"}]}, ["seed", "top_k"]),
        ({"error": "seeds, re-seed, my_seed and an n-gram"}, []),
        ({"error": "n must be 1 when using greedy sampling"}, ["n"]),
        ({"error": "Only one choice: `n` > 1"}, ["n"]),
        ({"error": "expected n=1"}, ["n"]),
    ],
)
def test_the_fields_are_found_in_any_shape(error: Any, fields: list[str]) -> None:
    assert read_refusal(400, json.dumps(error).encode()).named({"seed", "top_k", "n"}) == fields


@pytest.mark.parametrize(
    ("status", "temporary"),
    [(s, True) for s in (408, 409, 425, 429, 500, 502, 503, 504, 529)]
    + [(s, False) for s in (302, 400, 401, 402, 403, 404, 405, 422, 501)],
)
def test_which_refusals_may_pass(status: int, temporary: bool) -> None:
    assert read_refusal(status, b"").temporary == temporary
    assert not read_refusal(status, b'{"error": {"code": "insufficient_quota"}}').temporary


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the key my-key is wrong", "the key *** is wrong"),
        ("Incorrect API key provided: sk-ab***yz.", "Incorrect API key provided: ***."),
        ("header Authorization: Bearer abc.def", "header Authorization: Bearer ***"),
        ("see https://ann:pw@host/x", "see https://***@host/x"),
        ("token hf_abcdefghij", "token ***"),
        ("cannot read 'How many birds are left?'", "cannot read '…'"),
        ("cannot read 'How many birds are'", "cannot read '…'"),
        ("input [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", "input [… ]"),
        ("maximum context length is 512, got 600", "maximum context length is 512, got 600"),
    ],
)
def test_neither_keys_nor_prompts_are_repeated(said: str, shown: str) -> None:
    assert without_private(said, ["my-key", ""], ["Well. How many birds are left?", ""]) == shown


def test_texts_of_a_request_are_private_and_names_are_not() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "stop": ["b"], "prompt": [1, 2], "n": 1}
    assert texts_of(body) == ["a", "b"]
