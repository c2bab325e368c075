"""Entropies of heads against a printed figure, both ceilings, the bins and the regulariser."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from epf.core.errors import InvalidRequest
from epf.entropy.attention.maths import bins_of, ceiling, penalties, row_ceilings, row_entropies
from epf.entropy.core.information import FloatArray
from epf.entropy.ranking.maths import ranking
from epf.entropy.registry import TOOLS

FIGURE = json.loads((Path(__file__).parents[1] / "data" / "attention_entropy_fig3f.json").read_text(encoding="utf-8"))
HEADS = np.array(FIGURE["heads"])
UNIFORM = [[[1.0, 0.0], [0.5, 0.5]]]


def answer(**fields: Any) -> Any:
    return TOOLS["attention"].answer(TOOLS["attention"].input(**fields))


def causal_uniform(length: int) -> FloatArray:
    return np.tril(np.ones((length, length))) / np.arange(1, length + 1)[:, None]


def test_printed_heads_of_gpt_2_fall_into_the_paper_s_bins() -> None:
    found = answer(head_entropies=FIGURE["heads"], length=128)
    assert found.largest == 3.87
    assert found.bins == [47, 14, 18, 65]
    assert [round(100 * share, 1) for share in found.shares] == [32.6, 9.7, 12.5, 45.1]
    assert sum(layer.bins[3] for layer in found.layers[:5]) == 60
    assert [layer.bins[0] for layer in found.layers[8:]] == [11, 12, 12, 12]
    assert {head.layer for head in found.heads if head.collapsed} == {9, 10, 11}
    assert max(head.of_ceiling for head in found.heads) == pytest.approx(3.87 / 3.8782, abs=1e-4)
    assert max(head.of_uniform for head in found.heads) == pytest.approx(0.798, abs=5e-4)  # far below 1, although saturated
    assert found.n_saturated > 40


@pytest.mark.parametrize(("length", "causal", "uniform"), [(128, 3.8782, 4.8520), (256, 4.5596, 5.5452), (512, 5.2462, 6.2383)])
def test_the_ceiling_of_a_causal_head_is_below_the_logarithm_of_the_length(length: int, causal: float, uniform: float) -> None:
    assert ceiling(length, causal=True) == pytest.approx(causal, abs=5e-5)
    assert ceiling(length, causal=False) == pytest.approx(uniform, abs=5e-5)
    assert row_entropies(causal_uniform(length)).mean() == pytest.approx(ceiling(length, causal=True))
    assert row_entropies(np.full((length, length), 1 / length)).mean() == pytest.approx(ceiling(length, causal=False))
    np.testing.assert_allclose(row_entropies(causal_uniform(length)), row_ceilings(length, causal=True), atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_the_causal_ceiling_is_the_loss_of_an_uninformed_ranking(n: int) -> None:
    nothing = np.zeros((1, n))
    assert ceiling(n, causal=True) == pytest.approx(ranking(nothing, nothing, np.array([0])).loss[0])


def test_attention_to_one_token_has_no_entropy() -> None:
    assert (row_entropies(np.eye(5)) == 0).all()
    found = answer(attentions=[[np.eye(5).tolist()]])
    assert (found.bins, found.n_collapsed, found.n_saturated) == ([1, 0, 0, 0], 1, 0)


def test_the_regulariser_is_that_of_algorithm_1() -> None:
    charges = penalties(np.array([[4.0, 1.0], [2.0, 0.1]]), 128, theta=0.5, gamma=0.2)
    assert charges.mean() == pytest.approx(2.480323478875963, abs=1e-15)
    assert (charges == 0).tolist() == [[False, False], [True, False]]  # too high and too low cost the same
    most, edge = math.log(128), 0.2 * math.log(128)
    assert penalties(np.array([0.5 * most + 0.999 * edge]), 128, theta=0.5, gamma=0.2)[0] == 0
    assert penalties(np.array([0.5 * most + 1.001 * edge]), 128, theta=0.5, gamma=0.2)[0] == pytest.approx(edge**2, rel=0.01)


@given(
    arrays(float, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 5)), st.sampled_from([0.25, 2.0, 8.0])
)
def test_bins_are_scale_invariant_and_include_their_lower_ends(heads: FloatArray, scale: float) -> None:
    bins = bins_of(heads)
    if heads.max() > 1e-300:  # below, scaling loses digits
        assert (bins_of(heads * scale) == bins).all()
        assert bins.max() == 3
        assert (heads >= bins / 4 * heads.max() - 1e-12).all()
    assert bins_of(np.array([1.0, 2.0, 3.0, 4.0, 0.0])).tolist() == [1, 2, 3, 3, 0]


@given(arrays(float, (2, 6, 6), elements=st.floats(0, 1)), st.randoms())
def test_entropies_stay_below_the_ceiling_for_any_order_of_keys(weights: FloatArray, random: Random) -> None:
    maps = np.tril(weights + 1e-3)
    maps /= maps.sum(axis=-1, keepdims=True)
    rows = row_entropies(maps)
    assert (rows <= row_ceilings(6, causal=True) + 1e-9).all()
    keys = random.sample(range(6), 6)
    np.testing.assert_allclose(row_entropies(maps[:, :, keys]), rows, atol=1e-12)


def test_maps_and_their_entropies_give_the_same_answer() -> None:
    rng = np.random.default_rng(0)
    maps = np.tril(rng.exponential(size=(2, 3, 6, 6)))
    maps /= maps.sum(axis=-1, keepdims=True)
    rows = row_entropies(maps)
    options = {"theta": 0.3, "gamma": 0.1}
    steps = [None, 0, 0, 1, 1, 1]
    of_maps = answer(attentions=maps.tolist(), step_of=steps, **options)
    of_rows = answer(row_entropies=rows.tolist(), step_of=steps, **options)
    of_heads = answer(head_entropies=rows.mean(axis=-1).tolist(), length=6, **options)
    assert of_maps == of_rows
    assert of_heads == of_rows.model_copy(update={"queries": [], "steps": []})
    assert [(step.step, step.n_queries) for step in of_rows.steps] == [(0, 2), (1, 3)]
    assert of_rows.steps[1].entropy == pytest.approx(rows[:, :, 3:].mean())
    assert of_rows.steps[1].of_ceiling == pytest.approx(rows[:, :, 3:].mean() / np.log([4, 5, 6]).mean())
    by_query = answer(row_entropies=rows.tolist(), granularity="query", **options)
    assert by_query.penalty == pytest.approx(penalties(rows, 6, theta=0.3, gamma=0.1).mean())
    assert np.mean([head.charge for head in by_query.heads]) == pytest.approx(by_query.penalty)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "attentions"),
        ({"attentions": [UNIFORM], "row_entropies": [[[0.0, 0.1]]]}, "attentions"),
        ({"attentions": [[[]]]}, "attentions"),
        ({"attentions": [UNIFORM, [[[1.0, 0.0]]]]}, "attentions.1.0"),
        ({"attentions": [[[[1.0, 0.0]]]]}, "attentions.0.0"),
        ({"attentions": [[[[1.0, 0.0], [0.5, 0.4]]]]}, "attentions.0.0.1"),
        ({"attentions": [[[[0.5, 0.5], [0.5, 0.5]]]]}, "attentions.0.0.0.1"),
        ({"attentions": [[[[1.0]]]]}, "attentions"),
        ({"attentions": [UNIFORM], "length": 2}, "length"),
        ({"attentions": [UNIFORM], "step_of": [0]}, "step_of"),
        ({"row_entropies": [[[0.0, 0.8]]]}, "row_entropies.0.0.1"),
        ({"head_entropies": [[0.1]]}, "length"),
        ({"head_entropies": [[0.1], [4.0]], "length": 128}, "head_entropies.1.0"),
        ({"head_entropies": [[0.1]], "length": 8, "step_of": [0]}, "step_of"),
        ({"head_entropies": [[0.1]], "length": 8, "granularity": "query"}, "granularity"),
    ],
)
def test_invalid_attention_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
