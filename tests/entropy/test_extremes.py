"""Extreme numbers in every tool: the answer is JSON or a refusal that names a field, never an exception."""

import json
import math
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import special

from epf.entropy.outcome import outcome_of
from epf.entropy.registry import TOOLS

NUMBERS = (0.0, 5e-324, 1e-320, 1e-300, 1e-160, 1e-12, 0.5, 1.0, 2.5, 743.0, 744.0, 745.0, 746.0, 1e5, 1e9, 1e12, 1e30)

BODIES: list[tuple[str, dict[str, Any]]] = [
    *((name, {**tool.example, "plan": False} if name == "coupling" else tool.example) for name, tool in TOOLS.items()),
    ("maxent", {"features": [[1.0, 2.0], [2.0, 0.5], [3.0, 1.0]], "multipliers": [0.5, -1.0], "compare": [1.0, 2.0, 1.0]}),
    ("maxent", {"features": [[1.0], [2.0], [3.0]], "targets": [1.5], "prior": [1.0, 2.0, 1.0], "compare": [1.0, 2.0, 1.0]}),
    ("maxent", {"counts": [[0.0, 3.0, 1.0], [1.0, 0.0, 3.0], [3.0, 1.0, 0.0]], "smoothing": 0.5, "drift": 0.25}),
    ("maxent", {"traces": [{"scores": [0.1, 0.9]}, {"scores": [0.7, 0.4]}], "temperature": 1.0}),
    ("coupling", {"costs": [[0.0, 1.0], [2.0, 0.5]], "eps": [0.5], "matrices": True}),
    ("coupling", {"x": [[1.0, 2.0], [0.5, 1.0]], "y": [[2.0, 1.0], [1.0, 0.5]], "metric": "cosine"}),
    ("features", {"activations": [[1.0, 0.5], [0.5, 2.0], [1.0, 1.0]], "kind": "hidden_states", "epochs": 3, "resamples": 5}),
    ("tokens", {"logits": [[[1.0, 2.0, 0.5], [0.1, 3.0, 1.0]]], "chosen": [[0, 1]], "advantages": [2.0], "form": "full"}),
    (
        "tokens",
        {"logprobs": [[-0.5, -1.0]], "top_logprobs": [[[-0.5, -2.0], [-1.0, -1.5]]], "vocabulary": 9, "form": "released"},
    ),
    ("epiplexity", {"law": {"alpha": 0.3, "beta": 0.4, "n0": 5e7, "d0": 1e9, "e": 1.5}, "test_tokens": 1e12, "compute": 1e25}),
    ("rate-distortion", {"vectors": [[1.0], [2.0], [0.5], [3.0]], "scores": [1.0, 2.0, 0.5, 0.1], "groups": [0, 0, 1, 1]}),
    ("ranking", {"student_scores": [[1.0, 2.0]], "teacher_scores": [[0.5, 0.1]], "tau": 1.0}),
]


def changed(value: Any, random: Random) -> Any:
    """The body with some of its fractions replaced by extreme ones of either sign."""
    match value:
        case dict():
            return {key: changed(one, random) for key, one in value.items()}
        case list():
            return [changed(one, random) for one in value]
        case float() if random.random() < 0.4:
            return random.choice(NUMBERS) * random.choice((1, 1, -1))
    return value


@pytest.mark.parametrize(("name", "body"), BODIES, ids=[f"{i}-{name}" for i, (name, _) in enumerate(BODIES)])
def test_extreme_numbers_never_break_a_tool(name: str, body: dict[str, Any]) -> None:
    random = Random(name)
    for _ in range(25):
        sent = json.dumps(changed(body, random))
        outcome = outcome_of(name, sent.encode())
        assert outcome.bug is None, sent


@pytest.mark.parametrize(("low", "gap"), [(0.0, 1.0), (-1e5, 744.0), (0.0, 1e5), (-1e9, 2e9)])
def test_scores_of_any_distance_give_exact_divergences(low: float, gap: float) -> None:
    """Every tool that turns scores into weights, on a pair of rows whose scores are ``gap`` nats apart."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(60, 1)), np.ones((60, 1))], axis=1)
    body = {"vectors": x.tolist(), "scores": (low + gap * x[:, 0] / np.ptp(x[:, 0])).clip(-1e9, 1e9).tolist(), "deltas": [0.5]}
    outcome = outcome_of("rate-distortion", json.dumps(body).encode())
    assert outcome.answer is not None
    assert json.loads(outcome.answer)["steps"][0]["weight_divergence"] >= 0
    body = {"features": [[low], [low + gap]], "multipliers": [-1.0], "compare": [1.0, 1.0]}
    outcome = outcome_of("maxent", json.dumps(body).encode())
    assert outcome.answer is not None
    expected = gap / 2 + np.log1p(np.exp(-gap)) - math.log(2)
    assert json.loads(outcome.answer)["fit"]["excess"] == pytest.approx(expected, rel=1e-9)
    body = {"logits": [[[low, low + gap]]], "chosen": [[0]], "form": "full"}
    outcome = outcome_of("tokens", json.dumps(body).encode())
    assert outcome.answer is not None
    p = special.softmax([low, low + gap])
    pull = p * (special.log_softmax([low, low + gap]) + special.entr(p).sum())
    assert json.loads(outcome.answer)["change"] == pytest.approx(-(pull[0] - p @ pull), abs=1e-12)


def with_true(value: Any) -> Any:
    """The body with ``true`` in place of its first fraction; None without a fraction."""
    match value:
        case dict() | list():
            for key, one in value.items() if isinstance(value, dict) else enumerate(value):
                if (inner := with_true(one)) is not None:
                    return {**value, key: inner} if isinstance(value, dict) else [*value[:key], inner, *value[key + 1 :]]
        case float():
            return True
    return None


@pytest.mark.parametrize(("name", "body"), BODIES, ids=[f"{i}-{name}" for i, (name, _) in enumerate(BODIES)])
def test_true_is_not_a_number(name: str, body: dict[str, Any]) -> None:
    sent = with_true(body)
    if sent is not None:
        outcome = outcome_of(name, json.dumps(sent).encode())
        assert outcome.complaint or outcome.refusal
