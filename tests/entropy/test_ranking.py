"""PLD: exact values, the gradient by finite differences, and identities of special cases."""

import math
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray, IntArray
from epf.entropy.ranking.kendall import kendall_tau
from epf.entropy.ranking.maths import Ranking, ranking, target_order
from epf.entropy.registry import TOOLS

TOOL = TOOLS["ranking"]
LOGITS = st.floats(-30, 30)

Case = tuple[FloatArray, FloatArray, IntArray]


def of(student: ArrayLike, teacher: ArrayLike, right: int = 0, tau: float = 1.0) -> Ranking:
    return ranking(np.array([student], dtype=float), np.array([teacher], dtype=float), np.array([right]), tau=tau)


@st.composite
def problems(draw: st.DrawFn) -> Case:
    n, c = draw(st.integers(1, 4)), draw(st.integers(2, 7))
    student, teacher = (draw(arrays(float, (n, c), elements=LOGITS)) for _ in range(2))
    return student, teacher, draw(arrays(np.intp, (n,), elements=st.integers(0, c - 1)))


def test_exact_values() -> None:
    first = of([2, 1, 0.5], [3, 1, 0])
    assert first.loss[0] == pytest.approx(0.4459692506198805, abs=1e-15)
    np.testing.assert_allclose(first.gradient[0], [-0.31344298, 0.15199218, 0.1614508], atol=5e-9)
    second = of([2, 1, 0.5], [3, 1, 0], right=1)
    assert second.loss[0] == pytest.approx(0.3371753486902558, abs=1e-15)
    assert second.order[0].tolist() == [1, 0, 2]
    # The contribution of a rank over its log loss is the teacher's weight of its candidate.
    left = np.array([special.logsumexp([2, 1, 0.5]) - 2, special.logsumexp([1, 0.5]) - 1])
    np.testing.assert_allclose(first.contributions[0, :2] / left, [0.84379473, 0.1141952], atol=5e-9)
    assert of([0, 0, 0], [0, 0, 0]).loss[0] == pytest.approx(0.5972531564, abs=5e-11)


@pytest.mark.parametrize("c", [1, 2, 3, 10, 100])
def test_an_uninformed_student_has_the_mean_log_factorial_as_its_loss(c: int) -> None:
    assert of(np.zeros(c), np.zeros(c)).loss[0] == pytest.approx(math.lgamma(c + 1) / c, rel=1e-12)


def test_a_certain_teacher_gives_cross_entropy() -> None:
    student = np.array([0.3, -1.2, 2.0, 0.1])
    found = of(student, [0, 0, 1e6, 0], right=2)
    assert found.loss[0] == pytest.approx(special.logsumexp(student) - student[2])
    np.testing.assert_allclose(found.gradient[0], special.softmax(student) - [0, 0, 1, 0], atol=1e-12)


def test_equal_teacher_logits_keep_the_order_of_candidates() -> None:
    assert target_order(np.array([[1.0, 2.0, 1.0, 2.0]]), np.array([2])).tolist() == [[2, 1, 3, 0]]


@given(problems())
def test_loss_is_the_weighted_sum_over_remaining_candidates(problem: Case) -> None:
    student, teacher, right = problem
    found = ranking(student, teacher, right, tau=2.0)
    for s, t, order, loss in zip(student, teacher, found.order, found.loss, strict=True):
        alpha = special.softmax(t / 2.0)
        expected = sum(alpha[i] * (special.logsumexp(s[order[k:]]) - s[i]) for k, i in enumerate(order))
        assert loss == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0, 0.5), (-1000, 0), (-1000, -100), (-744, 0), (-745.5, 0), (-1e5, 0), (-1e9, 1e9)])
def test_a_student_may_be_any_number_of_nats_from_its_teacher(low: float, high: float) -> None:
    found = TOOL.answer(TOOL.input(student_scores=[[high, low]], teacher_scores=[[0, 1]]))
    q, gap = special.softmax([0.0, 1.0]), high - low
    expected = -special.entr(q).sum() + np.log1p(np.exp(-gap)) + q[1] * gap
    assert found.kl == pytest.approx(expected, rel=1e-12)
    known = {(-1000, 0): 730.4764, (-1000, -100): 657.3705, (-744, 0): 543.3254}
    assert found.kl == pytest.approx(known.get((int(low), int(high)), found.kl), abs=5e-5)
    # The candidate with the lower logit must come first.
    assert found.loss == pytest.approx(q[1] * (gap + np.log1p(np.exp(-gap))), rel=1e-12)
    assert found.problems[0].gradient == pytest.approx([q[1] / (1 + np.exp(-gap)), -q[1] / (1 + np.exp(-gap))])


def test_large_logits_keep_small_differences() -> None:
    near = TOOL.answer(TOOL.input(student_scores=[[1e9, 1e9 - 0.5]], teacher_scores=[[0, 1]]))
    far = TOOL.answer(TOOL.input(student_scores=[[0.5, 0.0]], teacher_scores=[[0, 1]]))
    assert (near.loss, near.kl) == pytest.approx((far.loss, far.kl), rel=1e-14)
    assert near.problems[0].gradient == pytest.approx(far.problems[0].gradient, rel=1e-14)


@given(problems())
def test_gradient_agrees_with_finite_differences(problem: Case) -> None:
    student, teacher, right = problem
    found = ranking(student, teacher, right)

    def loss(s: FloatArray) -> float:
        return float(ranking(s.reshape(student.shape), teacher, right).loss.sum())

    numeric = optimize.approx_fprime(student.ravel(), loss, 1e-6)
    np.testing.assert_allclose(found.gradient.ravel(), numeric, atol=2e-5)
    np.testing.assert_allclose(found.gradient.sum(axis=1), 0, atol=1e-12)


@given(problems(), st.floats(-1e3, 1e3), st.randoms())
def test_loss_ignores_shifts_and_the_order_of_candidates(problem: Case, shift: float, random: Random) -> None:
    student, teacher, right = problem
    found = ranking(student, teacher, right)
    assert ranking(student + shift, teacher, right).loss == pytest.approx(found.loss, rel=1e-6, abs=1e-9)
    if len(np.unique(teacher)) == teacher.size:  # otherwise the stable sort breaks ties by the order
        places = np.array(random.sample(range(student.shape[1]), student.shape[1]))
        moved = ranking(student[:, places], teacher[:, places], np.argsort(places)[right])
        np.testing.assert_allclose(moved.loss, found.loss, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(moved.gradient, found.gradient[:, places], atol=1e-12)


@given(problems(), st.floats(0, 1))
def test_loss_is_convex_in_the_student_and_never_negative(problem: Case, weight: float) -> None:
    one, teacher, right = problem
    other = one[:, ::-1]
    between = ranking(weight * one + (1 - weight) * other, teacher, right).loss
    ends = weight * ranking(one, teacher, right).loss + (1 - weight) * ranking(other, teacher, right).loss
    assert (between <= ends + 1e-9).all()
    assert (between >= 0).all()


def test_the_first_rank_of_disagreement_is_found() -> None:
    teacher = [4, 3, 2, 1]
    assert of([9, 8, 7, 6], teacher).diverges_at[0] == 4
    assert of([9, 8, 6, 7], teacher).diverges_at[0] == 2
    assert of([9, 9, 6, 7], teacher).diverges_at[0] == 0  # the first two are tied
    assert not of([9, 9, 6, 7], teacher).same_best[0]
    assert of([6, 9, 8, 7], teacher, right=1).diverges_at[0] == 1
    assert of([8, 9, 6, 7], [3, 3, 1, 1]).diverges_at[0] == 4  # ties of the teacher leave the student free
    assert of([7, 9, 6, 8], [3, 3, 1, 2], right=1).same_best[0]
    assert not of([1, 2, 3], [0, 0, 0]).decided[0]


def test_huge_logits_do_not_overflow() -> None:
    found = of([1e9, -1e9, 0], [-1e9, 1e9, 0], tau=1e-3)
    assert np.isfinite(found.loss).all()
    assert np.isfinite(found.gradient).all()


@given(arrays(float, st.tuples(st.integers(1, 3), st.integers(2, 40)), elements=st.integers(0, 9)))
def test_kendall_s_tau_agrees_with_scipy(values: FloatArray) -> None:
    others = np.roll(values, 1, axis=1) // 3
    expected = [
        stats.kendalltau(x, y).statistic if np.ptp(x) and np.ptp(y) else 0.0 for x, y in zip(values, others, strict=True)
    ]
    np.testing.assert_allclose(kendall_tau(values, others), expected, atol=1e-12)


def answer(**fields: Any) -> Any:
    return TOOL.answer(TOOL.input(**fields))


def test_problems_may_have_different_numbers_of_candidates() -> None:
    scores = [[2.0, 1.0, 0.5], [0.1, 0.4], [2.0, 1.0, 0.5]], [[3.0, 1.0, 0.0], [1.0, 2.0], [3.0, 1.0, 0.0]]
    found = answer(student_scores=scores[0], teacher_scores=scores[1], right=[0, None, 1])
    alone = [answer(student_scores=[s], teacher_scores=[t], right=[r]) for s, t, r in zip(*scores, [0, None, 1], strict=True)]
    assert [problem.loss for problem in found.problems] == pytest.approx([one.loss for one in alone])
    assert [problem.gradient for problem in found.problems] == [one.problems[0].gradient for one in alone]
    assert found.loss == pytest.approx(np.mean([one.loss for one in alone]))
    assert [rank.n_problems for rank in found.ranks] == [3, 3, 2]
    assert sum(rank.share for rank in found.ranks) == pytest.approx(1)
    assert found.ranks[0].followed == pytest.approx(2 / 3)


def test_agreement_is_measured_on_decided_problems_only() -> None:
    found = answer(student_scores=[[2, 1], [1, 2], [3, 4]], teacher_scores=[[1, 0], [1, 0], [5, 5]])
    assert (found.n_decided, found.same_best, found.kendall_tau) == (2, 0.5, 0)
    assert [rank.followed for rank in found.ranks] == [0.5, 0.5]
    assert "1 of 3 problems" in found.warnings[0]
    assert answer(student_scores=[[2, 1]], teacher_scores=[[5, 5]]).same_best is None


def test_traces_of_one_problem_are_its_candidates() -> None:
    def trace(problem: str, score: float, big: float, correct: bool) -> dict[str, Any]:
        return {"problem": problem, "steps": ["a"], "scores": [score], "judges": {"big": big}, "correct": correct}

    traces = [
        trace("p", 0.5, 1.0, False), trace("q", 0.2, 0.0, False), trace("p", 0.9, 0.5, True), trace("q", 0.3, 2.0, False),
    ]  # fmt: skip
    found = answer(traces=traces, teacher="big")
    odds = special.logit
    expected = answer(
        student_scores=[[odds(0.5), odds(0.9)], [odds(0.2), odds(0.3)]],
        teacher_scores=[[1.0, 0.5], [0.0, 2.0]],
        right=[1, None],
    )
    assert found.loss == pytest.approx(expected.loss)
    assert answer(traces=traces, teacher="big", student="big").kl == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"student_scores": [[1.0]], "teacher_scores": []}, "teacher_scores"),
        ({"student_scores": [[1.0], [1.0, 2.0]], "teacher_scores": [[1.0], [1.0]]}, "teacher_scores.1"),
        ({"student_scores": [[1.0]], "teacher_scores": [[1.0]], "right": [1]}, "right.0"),
        ({"student_scores": [[1.0]], "teacher_scores": [[1.0]], "right": [0, 0]}, "right"),
        (
            {"student_scores": [[1.0]] * 2000 + [[1.0] * 501], "teacher_scores": [[1.0]] * 2000 + [[1.0] * 501]},
            "student_scores",
        ),
        ({"traces": [{"scores": [0.5]}]}, "teacher"),
        ({"traces": [{"scores": [0.5], "judges": {"a": 1.0}}, {"scores": [0.5]}], "teacher": "a"}, "traces.1.judges.a"),
        ({"traces": [{"judges": {"a": 1.0}}], "teacher": "a"}, "traces.0.scores"),
        ({"traces": [{"scores": [0.5]}], "teacher": "logprobs"}, "traces.0.logprobs"),
        ({"traces": [{"problem": name, "scores": [0.5]} for name in "pq"], "teacher": "scores"}, "traces"),
        (
            {"traces": [{"logprobs": [[None]], "steps": ["a"]}], "teacher": "logprobs", "student": "logprobs"},
            "traces.0.logprobs",
        ),
    ],
)
def test_inconsistent_scores_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param


def test_scores_without_a_row_are_refused() -> None:
    tool = TOOLS["ranking"]
    body = tool.input.model_validate({"student_scores": [], "teacher_scores": [], "traces": []})
    with pytest.raises(InvalidRequest, match="student_scores"):
        tool.run(body)
