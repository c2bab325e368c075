"""STEER's change of entropy against exact steps of a softmax policy, and the weights of the authors' code."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special, stats

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray
from epf.entropy.registry import TOOLS
from epf.entropy.tokens.advantages import outcome_advantages, process_advantages
from epf.entropy.tokens.maths import Clip, Drawn, Form, WeightMap, drawn_from, entropy_bounds, entropy_change, steer_weights
from epf.entropy.tokens.rows import drawn_of

PI, H, ADVANTAGE = np.array([0.9, 0.5, 0.1, 0.02]), np.array([0.4, 0.7, 1.5, 2.0]), np.array([1.0, 1.0, -1.0, 1.0])
NO_CLIP = Clip(low=1.0, high=math.inf)
LOGITS = arrays(float, st.integers(2, 8), elements=st.floats(-5, 5))


def change(
    drawn: Drawn, advantage: float | FloatArray = 1.0, log_ratio: float = 0.0, form: Form = "theorem", clip: Clip = NO_CLIP
) -> FloatArray:
    n = np.ones_like(drawn.log_p)
    return entropy_change(drawn, advantage * n, log_ratio * n, form=form, clip=clip)


def entropy_of(logits: FloatArray) -> float:
    return float(stats.entropy(special.softmax(logits)))


def test_released_form_and_its_weights_have_known_values() -> None:
    found = change(Drawn(np.log(PI), H), ADVANTAGE, form="released")
    np.testing.assert_allclose(np.abs(found), [0.02946395, 0.00342641, 0.72232658, 1.87378255], atol=5e-9)
    assert np.sign(found).tolist() == [
        -1,
        -1,
        -1,
        1,
    ]  # two likely tokens reinforced, a rare one suppressed, a rare one reinforced
    cases: list[tuple[WeightMap, float, list[float]]] = [
        ("linear", 0.8, [1.19443153, 1.2, 1.04625384, 0.8]),
        ("exponential", 0.8, [0.99649737, 0.99959204, 0.917576, 0.8]),
        ("exponential", 0.7, [0.99440723, 0.99934799, 0.87153868, 0.7]),
    ]
    for kind, low, expected in cases:
        np.testing.assert_allclose(steer_weights(found, kind, low=low, high=1.2), expected, atol=5e-9)


@given(LOGITS, st.floats(-2, 2), st.floats(-1, 1), st.data())
def test_theorem_and_full_form_are_derivatives_of_the_entropy(
    logits: FloatArray, advantage: float, log_ratio: float, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, len(logits) - 1))
    p, step = special.softmax(logits), 1e-5
    drawn = drawn_from(logits[None], np.array([k]))
    force = advantage * math.exp(log_ratio)
    moves: dict[Form, FloatArray] = {"theorem": np.eye(len(p))[k] * (1 - p[k]), "full": np.eye(len(p))[k] - p}
    for form, move in moves.items():
        slope = (entropy_of(logits + step * force * move) - entropy_of(logits - step * force * move)) / (2 * step)
        assert change(drawn, advantage, log_ratio, form)[0] == pytest.approx(slope, abs=1e-7)


@given(LOGITS)
def test_released_form_lacks_one_factor_pi(logits: FloatArray) -> None:
    drawn = drawn_from(np.tile(logits, (len(logits), 1)), np.arange(len(logits)))
    np.testing.assert_allclose(change(drawn, form="released") * np.exp(drawn.log_p), change(drawn), atol=1e-12)


@pytest.mark.parametrize(("d", "expected"), [(0.1, -0.00047), (0.3, -0.00474)])
def test_at_a_uniform_branch_the_first_order_is_zero_and_the_second_lowers_entropy(d: float, expected: float) -> None:
    uniform = np.zeros(10)
    for form in ("theorem", "released", "full"):
        assert change(drawn_from(uniform[None], np.array([3])), form=form)[0] == pytest.approx(0, abs=1e-15)
    assert entropy_of(uniform + d * np.eye(10)[3]) - math.log(10) == pytest.approx(expected, abs=5e-6)


def test_clipping_stops_the_same_gradients_as_ppo() -> None:
    ratio, advantage = np.array([1.3, 1.2, 0.7, 0.9, 1.3, 0.7]), np.array([1.0, 1, -1, -1, -1, 1])
    stopped = [True, False, True, False, False, False]
    drawn = drawn_from(np.tile([0.0, 1.0, 3.0], (6, 1)), np.zeros(6, dtype=int))
    for form in ("theorem", "full"):
        found = entropy_change(drawn, advantage, np.log(ratio), form=form, clip=Clip())
        assert (found == 0).tolist() == stopped
    assert (entropy_change(drawn, advantage, np.log(ratio), form="released", clip=Clip()) != 0).all()


@example(np.array([0.0, 5e-324]), 1.0, "linear")
@given(
    arrays(float, st.integers(1, 20), elements=st.floats(-3, 3)),
    st.floats(1.0, 100),
    st.sampled_from(["linear", "exponential"]),
)
def test_weights_stay_in_range_fall_with_the_change_and_ignore_its_scale(
    found: FloatArray, scale: float, kind: WeightMap
) -> None:
    weights = steer_weights(found, kind, low=0.8, high=1.2)
    top = 1.2 if kind == "linear" else 1.0
    assert ((weights >= 0.8 - 1e-12) & (weights <= top + 1e-12)).all()
    order = np.argsort(np.abs(found))
    assert (np.diff(weights[order]) <= 1e-12).all()
    if np.abs(found).max() > 0.02 and np.ptp(np.abs(found)) > 1e-9:
        np.testing.assert_allclose(steer_weights(found * scale, kind, low=0.8, high=1.2), weights, atol=1e-6)


@pytest.mark.parametrize(("kind", "weight"), [("linear", 1.1), ("exponential", 1.0)])
def test_a_batch_without_changes_has_equal_weights(kind: WeightMap, weight: float) -> None:
    assert steer_weights(np.zeros(3), kind, low=0.8, high=1.4).tolist() == pytest.approx([weight] * 3)


@given(arrays(float, st.integers(3, 12), elements=st.floats(-8, 8)), st.integers(1, 12))
def test_entropy_is_within_the_bounds_of_the_most_likely_tokens(logits: FloatArray, k: int) -> None:
    log_p = np.sort(special.log_softmax(logits))[::-1]
    least, most = entropy_bounds(log_p[None, :k], len(logits))
    assert most is not None
    assert least[0] - 1e-9 <= entropy_of(logits) <= most[0] + 1e-9
    if k >= len(logits) - 1:
        assert least[0] == pytest.approx(most[0], abs=1e-9)


@given(arrays(float, st.integers(4, 12), elements=st.floats(-8, 8)), st.integers(1, 12), st.integers(0, 11))
def test_a_sampled_token_outside_the_most_likely_ones_tightens_the_bounds(logits: FloatArray, k: int, which: int) -> None:
    log_p = np.sort(special.log_softmax(logits))[::-1]
    k, which, size = min(k, len(logits) - 1), which % len(logits), len(logits)
    top = log_p[None, :k]
    least, most = entropy_bounds(top, size)
    given = TOOLS["tokens"].input(logprobs=[[float(log_p[which])]], top_logprobs=[top.tolist()], vocabulary=size)
    drawn, highest = drawn_of(given)
    assert most is not None
    assert highest is not None
    assert least[0] - 1e-12 <= drawn.entropy[0] <= entropy_of(logits) + 1e-3
    assert entropy_of(logits) - 1e-3 <= highest[0] <= most[0] + 1e-12
    # The gap is what the unknown probability may add: without the sampled token, it is smaller.
    if which >= k and log_p[k - 1] - log_p[which] > 0.1 and np.exp(log_p[which]) > 0.01 and size - k > 2:
        assert highest[0] - drawn.entropy[0] < most[0] - least[0]
        assert drawn.entropy[0] > least[0]


def test_the_bounds_of_a_token_with_a_known_probability_outside_the_list_are_exact() -> None:
    given = {"logprobs": [[math.log(0.1)]], "top_logprobs": [[[math.log(0.6), math.log(0.2)]]], "vocabulary": 5}
    drawn, highest = drawn_of(TOOLS["tokens"].input(**given))
    assert highest is not None
    assert drawn.entropy[0] == pytest.approx(stats.entropy([0.6, 0.2, 0.1, 0.1]))
    assert highest[0] == pytest.approx(stats.entropy([0.6, 0.2, 0.1, 0.05, 0.05]))


def answer(**fields: Any) -> Any:
    return TOOLS["tokens"].answer(TOOLS["tokens"].input(**fields))


ROWS = {"logprobs": [[-0.1, -2.0], [-0.5]], "entropies": [[0.4, 1.0], [0.7]]}
TRACE = {"problem": "p", "steps": ["a", "b"], **ROWS}


def test_rows_sum_up_and_the_largest_changes_are_listed() -> None:
    found = answer(**ROWS, advantages=[1.0, -2.0], names=["first", "second"], old_logprobs=[[-0.6, -2.0], [-0.5]])
    assert [row.change for row in found.rows] == pytest.approx([sum(row.changes) for row in found.rows])
    assert found.change == pytest.approx(sum(row.change for row in found.rows))
    assert (found.rows[0].clipped, found.rows[0].changes[0], found.n_clipped) == ([0], 0, 1)
    assert sum(quadrant.n_tokens for quadrant in found.quadrants) == 2
    assert {(q.pushed, q.effect) for q in found.quadrants if q.n_tokens} == {("up", "opens"), ("down", "opens")}
    assert [(fork.name, fork.position) for fork in found.forks] == [("first", 1), ("second", 0), ("first", 0)]
    assert found.half_in == 1


def test_complete_distributions_and_their_entropies_give_the_same_changes() -> None:
    logits = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
    drawn = drawn_from(logits, np.array([0, 2]))
    whole = answer(logits=[logits.tolist()], chosen=[[0, 2]])
    direct = answer(logprobs=[drawn.log_p.tolist()], entropies=[drawn.entropy.tolist()])
    assert whole.rows[0].changes == pytest.approx(direct.rows[0].changes)
    likeliest = np.sort(special.log_softmax(logits, axis=1))[:, ::-1]
    exact = answer(logprobs=[drawn.log_p.tolist()], top_logprobs=[likeliest.tolist()], vocabulary=3)
    assert exact.rows[0].changes == pytest.approx(direct.rows[0].changes)
    assert exact.rows[0].other_changes == pytest.approx(direct.rows[0].changes)
    bounded = answer(
        logprobs=[drawn.log_p.tolist()], top_logprobs=[[likeliest[0, :1].tolist(), likeliest[1].tolist()]], vocabulary=9
    )
    low, high = bounded.rows[0].changes, bounded.rows[0].other_changes
    assert min(low[0], high[0]) < direct.rows[0].changes[0] < max(low[0], high[0])
    assert high[1] == pytest.approx(low[1])
    assert answer(logprobs=[[-0.7]], top_logprobs=[[[-0.7]]], vocabulary=9).n_undecided == 1
    assert "vocabulary" in answer(logprobs=[[-0.7]], top_logprobs=[[[-0.7]]]).warnings[0]


def test_traces_become_rows_of_steps_with_the_advantages_of_grpo() -> None:
    traces = [
        {**TRACE, "correct": True, "scores": [0.9, 0.8]},
        {**TRACE, "correct": False, "scores": [0.5, 0.2]},
        {**TRACE, "problem": "q", "correct": True, "scores": [0.5, 0.5]},
    ]
    found = answer(traces=traces)
    assert [row.name for row in found.rows] == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]
    assert found.rows[0].changes == pytest.approx(answer(**ROWS).rows[0].changes)
    outcome = [row.advantage for row in answer(traces=traces, advantage="correct").rows]
    assert outcome == pytest.approx([math.sqrt(0.5)] * 2 + [-math.sqrt(0.5)] * 2 + [0, 0])
    assert "2 of 6 rows have no advantage" in answer(traces=traces, advantage="correct").warnings[0]
    z = stats.zscore([0.9, 0.8, 0.5, 0.2], ddof=1)
    process = [row.advantage for row in answer(traces=traces, advantage="scores").rows]
    assert process == pytest.approx([z[0] + z[1], z[1], z[2] + z[3], z[3], 0, 0])


def test_traces_without_entropies_are_bounded_by_what_is_known_of_their_tokens() -> None:
    trace = {"steps": ["a", "b"], "logprobs": [[-0.1, None], [-0.5]], "top_logprobs": [[[-0.1, -3.0], [-1.0]], [[]]]}
    found = answer(traces=[trace], vocabulary=100)
    same = answer(logprobs=[[-0.1], [-0.5]], top_logprobs=[[[-0.1, -3.0]], [[-0.5]]], vocabulary=100)
    assert [row.changes for row in found.rows] == [row.changes for row in same.rows]
    assert [row.other_changes for row in found.rows] == [row.other_changes for row in same.rows]
    assert "1 tokens have no log probability" in found.warnings[0]
    only_sampled = answer(traces=[{"steps": ["a"], "logprobs": [[-0.7]]}])
    assert only_sampled.forks[0].entropy == pytest.approx(stats.entropy([math.exp(-0.7), 1 - math.exp(-0.7)]))
    assert "lower bounds" in only_sampled.warnings[0]


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2)), min_size=1, max_size=12))
def test_advantages_of_a_group_sum_to_zero(rewards: list[tuple[float, int]]) -> None:
    values, groups = zip(*rewards, strict=True)
    found = outcome_advantages(values, groups)
    for group in set(groups):
        assert found[np.array(groups) == group].sum() == pytest.approx(0, abs=1e-6)
    assert [steps.tolist() for steps in process_advantages([[v] for v in values], groups)] == [[a] for a in found]


def test_an_entropy_that_is_impossible_for_the_probability_leads_to_a_warning() -> None:
    assert "1 of 3 tokens" in answer(logprobs=[[-0.7, -0.1, -0.5]], entropies=[[0.1, 0.4, 0.7]]).warnings[0]
    assert not answer(**ROWS).warnings


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "logprobs"),
        ({"logprobs": [[-0.1]]}, "entropies"),
        ({**ROWS, "top_logprobs": [[[-1.0]]]}, "top_logprobs"),
        ({**ROWS, "entropies": [[0.4, 1.0], [0.7, 0.1]]}, "entropies.1"),
        ({**ROWS, "chosen": [[0]]}, "chosen"),
        ({**ROWS, "vocabulary": 9}, "vocabulary"),
        ({**ROWS, "form": "full"}, "form"),
        ({**ROWS, "weights": "exponential", "wmax": 1.2}, "wmax"),
        ({**ROWS, "advantages": [1.0]}, "advantages"),
        ({**ROWS, "names": ["a"]}, "names"),
        ({**ROWS, "old_logprobs": [[-0.1, -30.0], [-0.5]]}, "old_logprobs.0.1"),
        ({"logits": [[[1.0, 2.0]]], "chosen": [[2]]}, "chosen.0.0"),
        ({"logits": [[[1.0, 2.0], [1.0, 2.0, 3.0]]], "chosen": [[0, 0]]}, "logits.0.1"),
        ({"logprobs": [[-0.7]], "top_logprobs": [[[-0.1, -0.2]]]}, "top_logprobs.0.0"),
        ({"logprobs": [[-0.7]], "top_logprobs": [[[-0.7, -0.8]]], "vocabulary": 1}, "vocabulary"),
        ({"traces": [TRACE], "advantages": [1.0]}, "advantages"),
        ({"traces": [{**TRACE, "logprobs": None}]}, "traces.0.logprobs"),
        ({"traces": [{**TRACE, "entropies": None, "top_logprobs": [[[0.5], []], [[]]]}]}, "traces.0.top_logprobs.0.0"),
        ({"traces": [TRACE, {**TRACE, "logprobs": [[-0.1, 0.5], [-0.1]]}]}, "traces.1.logprobs.0.1"),
        ({"traces": [{"steps": [], "logprobs": [], "entropies": []}]}, "traces"),
        ({"traces": [TRACE], "advantage": "correct"}, "traces.0.correct"),
        ({"traces": [{**TRACE, "problem": name, "correct": True} for name in "ab"], "advantage": "correct"}, "traces"),
        ({"traces": [{**TRACE, "correct": False}] * 3, "advantage": "correct"}, "traces"),
        ({"traces": [{**TRACE, "scores": [0.5]}], "advantage": "scores"}, "traces.0.scores"),
    ],
)
def test_inconsistent_tokens_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
