"""The most likely tokens in the responses of servers, in every shape and spelling, and the two answers among them."""

import math
from typing import Any

import pytest

from epf.reward_models.top_tokens import AnswersMissing, TopToken, answer_log_probs, read_top, spelled

PLUS, MINUS = math.log(0.8), math.log(0.15)


def entry(token: str, log_prob: object, **more: Any) -> dict[str, Any]:
    return {"token": token, "logprob": log_prob, **more}


def chat(*top: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"logprobs": {"content": [{**top[0], "top_logprobs": list(top)}]}}]}


def completion(top: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"text": "+", "logprobs": {"top_logprobs": [top], **more}}]}


SHAPES = {
    "OpenAI's chat": chat(entry("+", PLUS, bytes=[43]), entry("-", MINUS, bytes=[45]), entry("The", -4.0, bytes=[84])),
    "OpenAI's completions": completion({"+": PLUS, "-": MINUS, "The": -4.0}),
    "vLLM's completions with ids": completion({"token_id:10": PLUS, "token_id:12": MINUS, "token_id:9": -4.0}),
    "a space before them": chat(entry(" +", PLUS), entry(" -", MINUS)),
    "as the vocabulary of Llama 3 spells them": chat(entry("Ġ+", PLUS), entry("Ġ-", MINUS)),
    "as that of Mistral spells them": completion({"▁+": PLUS, "▁-": MINUS}),
    "as bytes of a vocabulary": chat(entry("<0x2B>", PLUS), entry("<0x2D>", MINUS)),
    "as bytes alone": chat(entry("�", PLUS, bytes=[43]), entry("�", MINUS, bytes=[45])),
    "llama.cpp's completions": {
        "choices": [
            {
                "text": "+",
                "logprobs": {
                    "content": [
                        {
                            "id": 10,
                            "token": "+",
                            "bytes": [43],
                            "logprob": PLUS,
                            "top_logprobs": [
                                entry("+", PLUS, id=10, bytes=[43]),
                                entry("-", MINUS, id=12, bytes=[45]),
                                entry("", -3.0, id=2, bytes=[]),
                            ],
                        }
                    ]
                },
            }
        ]
    },
    "llama.cpp's own route": {
        "content": "+",
        "completion_probabilities": [
            entry("+", PLUS, id=10, top_logprobs=[entry("+", PLUS, id=10, bytes=[43]), entry("-", MINUS, id=12, bytes=[45])])
        ],
    },
    "llama.cpp's own route in 2024": {
        "content": "+",
        "completion_probabilities": [
            {
                "content": "+",
                "probs": [{"tok_str": "+", "prob": 0.8}, {"tok_str": "-", "prob": 0.15}, {"tok_str": "x", "prob": 0}],
            }
        ],
    },
    "Ollama's own routes": {
        "response": "+",
        "logprobs": [entry("+", PLUS, bytes=[43], top_logprobs=[entry("+", PLUS), entry("-", MINUS), entry(" The", -4.0)])],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_answers_are_found_in_every_shape(shape: str) -> None:
    values = answer_log_probs(read_top(SHAPES[shape]), ("+", "-"), (10, 12))
    assert values == pytest.approx([PLUS, MINUS], abs=1e-9)


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"text": "+", "logprobs": None}]},
        {"choices": [{"text": "+"}]},
        {"choices": [{"text": "+", "logprobs": {"content": []}}]},
        {"choices": [{"text": "+", "logprobs": {"top_logprobs": None, "token_logprobs": [-0.1]}}]},
        {"response": "+", "logprobs": []},
        {"content": "+", "completion_probabilities": [], "choices": [{}]},
    ],
)
def test_a_response_without_log_probabilities_has_no_tokens(answer: dict[str, Any]) -> None:
    assert read_top(answer) == []


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": []},
        {"choices": [{"logprobs": True}]},
        {"choices": [{"logprobs": {"content": [{"top_logprobs": [{"logprob": -1.0}]}]}}]},
        {"choices": [{"logprobs": {"content": "x"}}]},
        {"choices": [{"logprobs": {"top_logprobs": [3]}}]},
        {"completion_probabilities": [{"probs": [{}]}]},
    ],
)
def test_an_unknown_shape_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="unknown shape"):
        read_top(answer)


@pytest.mark.parametrize("bad", [None, math.nan, True, False, "true", "-0.1", 0.8, 1.0])
def test_what_is_no_log_probability_is_an_error_if_it_counts(bad: object) -> None:
    with pytest.raises(ValueError, match="not finite numbers"):
        answer_log_probs(read_top(chat(entry("+", bad), entry("-", MINUS))), ("+", "-"))
    others = read_top(chat(entry("+", PLUS), entry("-", MINUS), entry("The", bad)))
    assert answer_log_probs(others, ("+", "-")) == pytest.approx([PLUS, MINUS])


def test_a_token_that_is_out_of_the_question_is_as_unlikely_as_can_be() -> None:
    assert answer_log_probs(read_top(chat(entry("+", 0.0), entry("-", -math.inf))), ("+", "-")) == [0.0, -9999.0]
    assert answer_log_probs(read_top(chat(entry("-", 0.0), entry("+", -9999.0))), ("+", "-")) == [-9999.0, 0.0]


def top(**values: float) -> list[TopToken]:
    names = {"plus": "+", "minus": "-", "spaced_plus": " +", "spaced_minus": " -"}
    return [TopToken(names.get(name, name), math.log(p)) for name, p in values.items()]


def test_the_vocabulary_s_own_spelling_is_preferred_and_otherwise_all_spellings_count_together() -> None:
    both = top(plus=0.2, spaced_plus=0.5, spaced_minus=0.2, minus=0.05)
    assert answer_log_probs(both, ("▁+", "▁-")) == pytest.approx([math.log(0.5), math.log(0.2)])
    assert answer_log_probs(both, ("+", "-")) == pytest.approx([math.log(0.2), math.log(0.05)])
    spelled_otherwise = [TopToken("+\n", math.log(0.3)), TopToken("+ ", math.log(0.3)), TopToken("-\n", math.log(0.3))]
    assert answer_log_probs(spelled_otherwise, ("+", "-")) == pytest.approx([math.log(0.6), math.log(0.3)])


def test_where_ids_are_known_the_text_does_not_count() -> None:
    tokens = [TopToken("+", math.log(0.6), 99), TopToken("+", math.log(0.3), 10), TopToken("-", math.log(0.1), 12)]
    assert answer_log_probs(tokens, ("+", "-"), (10, 12)) == pytest.approx([math.log(0.3), math.log(0.1)])
    with pytest.raises(AnswersMissing):
        answer_log_probs(tokens[:1], ("+", "-"), (10, 12))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (top(plus=0.99, x=0.0001), [math.log(0.99), math.log(0.0001)]),
        (top(minus=0.99, x=0.0001), [math.log(0.0001), math.log(0.99)]),
        (top(plus=0.5, x=0.01), None),
        (top(plus=0.0001, x=0.99, y=0.00001), None),
        (top(x=0.9, y=0.05), None),
        ([], None),
    ],
)
def test_a_missing_answer_has_the_bound_that_the_list_gives_it_or_none(
    tokens: list[TopToken], expected: list[float] | None
) -> None:
    if expected is None:
        with pytest.raises(AnswersMissing):
            answer_log_probs(tokens, ("+", "-"))
    else:
        assert answer_log_probs(tokens, ("+", "-")) == pytest.approx(expected)


def test_of_two_tokens_with_the_same_text_the_sampled_one_counts() -> None:
    """An object has one entry for both, which is the last one: a "+" without a space, in place of that with one."""
    answer = completion({"+": math.log(0.001), "-": math.log(0.1)}, tokens=["+"], token_logprobs=[math.log(0.89)])
    assert answer_log_probs(read_top(answer), ("▁+", "▁-")) == pytest.approx([math.log(0.89), math.log(0.1)])
    same = completion({"+": PLUS, "-": MINUS}, tokens=["+"], token_logprobs=[PLUS])
    assert answer_log_probs(read_top(same), ("+", "-")) == pytest.approx([PLUS, MINUS])


@pytest.mark.parametrize(
    ("token", "text"), [("Ġ+", " +"), ("▁+", " +"), ("<0x2B>", "+"), ("ĠĊĊĊĊĊ", " \n\n\n\n\n"), ("+", "+")]
)
def test_spellings(token: str, text: str) -> None:
    assert spelled(token) == text
