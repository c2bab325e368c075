"""Which results carry which warnings: at the limits of each rule, and in whole searches."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest

from epf.core.generator import Step
from epf.search import METHODS, SearchOptions, SearchResult, asolve, solve
from epf.search.engine.trajectory import Trajectory
from epf.search.engine.warnings import MEANINGS, warnings_of
from epf.search.result import WarningCode
from tests.search.scripted import Call, Generator, RewardModel, drive, step


def codes(
    answers: Sequence[str | None],
    scores: Sequence[Sequence[float]] | None = None,
    *,
    temperature: float = 0.8,
    has_reward_model: bool = True,
    outside: bool = False,
    compared_as_text: bool = False,
    n_unscored: int = 0,
) -> list[str]:
    """Codes for particles that are sure of their answers, unless ``scores`` are given. Equal texts are one class."""
    newest = [(0.9,)] * len(answers) if scores is None else scores
    texts = [f"The answer is {answer}." for answer in answers]
    trajectories = [Trajectory(steps=(step(text, "eos"),), scores=tuple(s)) for text, s in zip(texts, newest, strict=True)]
    found = warnings_of(
        SearchOptions(temperature=temperature),
        trajectories,
        answers,
        [answers.index(answer) for answer in answers],
        has_reward_model=has_reward_model,
        outside=outside,
        compared_as_text=compared_as_text,
        n_unscored=n_unscored,
    )
    assert all(warning.message.endswith(".") for warning in found)
    return [warning.code for warning in found]


@pytest.mark.parametrize(
    ("answers", "scores", "expected"),
    [
        pytest.param(["7", "7"], [(0.9, 0.49), (0.9, 0.2)], ["low_scores"], id="the newest score counts"),
        pytest.param(["7", "7"], [(0.1, 0.5), (0.1,)], [], id="one score of one half is enough"),
        pytest.param(
            ["7", "7", None], [(0.1,), (0.2,), (0.9,)], ["low_scores"], id="a particle without an answer does not count"
        ),
        pytest.param([None, None], [(0.1,), (0.2,)], ["low_scores", "few_answers"], id="unless no particle answered"),
        pytest.param([None, None], [(), (0.6,)], ["few_answers"], id="particles that were not scored do not count"),
        pytest.param(["7", "8"], None, [], id="two answers may differ"),
        pytest.param(["7", "8", "9"], None, ["answers_differ"], id="three may not"),
        pytest.param(["7", "8", "9", None], None, ["answers_differ"], id="of those that answered"),
        pytest.param(["7", "8", "9", "9"], None, [], id="two agree"),
        pytest.param(["7", "7", None, None], None, [], id="half of the particles answered"),
        pytest.param(["7", "7", None, None, None], None, ["few_answers"], id="fewer than half"),
        pytest.param([None], None, ["few_answers"], id="one particle without an answer"),
        pytest.param(["7"], None, [], id="one particle with an answer"),
    ],
)
def test_answers_and_scores(answers: list[str | None], scores: list[tuple[float, ...]] | None, expected: list[str]) -> None:
    assert codes(answers, scores) == expected


def test_copies_are_one_solution() -> None:
    a, b, c = (Trajectory(steps=(step(text, "eos"),), scores=(0.9,)) for text in "abc")
    rest: Any = {"has_reward_model": True, "outside": 0.0, "compared_as_text": False}
    (found,) = warnings_of(SearchOptions(), [a, a, b, b, c], ["a", "a", "b", "b", "c"], [0, 0, 1, 1, 2], **rest)
    assert found.code == "answers_differ"
    assert warnings_of(SearchOptions(), [a, a, b, b], ["a", "a", "b", "b"], [0, 0, 1, 1], **rest) == ()


def test_temperatures_at_which_all_particles_are_one() -> None:
    assert [codes(["7"] * 2, temperature=t) for t in (0.0, 1e-6, 0.02)] == [["temperature_zero"], ["temperature_zero"], []]
    assert codes(["7"], temperature=0.0) == []


def test_a_wording_must_be_unknown_almost_surely() -> None:
    assert [codes(["7"], outside=outside) for outside in (False, True)] == [[], ["outside_training"]]


def test_several_warnings_come_in_the_documented_order() -> None:
    rest: Any = {"temperature": 0.0, "has_reward_model": False, "outside": 1.0, "compared_as_text": True, "n_unscored": 1}
    found = codes(["1", "2", "3", None] + [None] * 3, [()] * 7, **rest)
    assert found == [code for code in MEANINGS if code in found]
    assert set(found) == set(MEANINGS) - {"low_scores", "not_enough_information", "logprobs_missing"}


def test_every_code_is_documented() -> None:
    assert set(MEANINGS) == set(get_args(WarningCode))


def found_by(method: str = "epf", score: float = 0.9, **options: Any) -> list[str]:
    """Codes of a search whose particles end with one of five answers."""

    def write(call: Call) -> Step:
        return step(f"\\boxed{{{0 if call.sampling.temperature == 0 else call.n}}}", "eos")

    models: Any = {"generator": Generator(write), "reward_model": RewardModel(lambda steps: score)}
    result: SearchResult = drive(asolve("problem", method=method, seed=1, **{"n_particles": 12, **options}, **models))
    return [warning.code for warning in result.warnings]


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"sample"}))
def test_a_search_warns_whatever_its_method(method: str) -> None:
    unchecked = [] if METHODS[method].needs_reward_model else ["no_reward_model"]  # type: ignore[index]
    doubtful = [] if unchecked else ["low_scores"]
    assert found_by(method) == ["answers_differ", *unchecked]
    assert found_by(method, score=0.1) == [*doubtful, "answers_differ", *unchecked]
    assert found_by(method, temperature=0.0) == ["temperature_zero", *unchecked]


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"sample"}))
def test_the_vote_may_be_that_a_problem_cannot_be_answered(method: str) -> None:
    generator = Generator(lambda call: step("There is not enough information.", "eos"))
    models: Any = {"generator": generator, "reward_model": RewardModel(lambda steps: 0.9)}
    result = drive(asolve("problem", method=method, seed=1, n_particles=12, **models))
    assert (result.answer, result.share) == (None, 1.0)
    assert "not_enough_information" in [warning.code for warning in result.warnings]
    answers = [share.answer for share in result.distribution] + [particle.answer for particle in result.particles]
    assert set(answers) == {"not enough information"}
    assert result.confidence > 0.5


def test_a_score_decides_between_an_answer_and_none() -> None:
    def write(call: Call) -> Step:
        return step("There is not enough information." if call.n % 2 else r"\boxed{5}", "eos")

    def search(refusal: float) -> SearchResult:
        judge = RewardModel(lambda steps: refusal if "enough" in steps[-1] else 0.6)
        return drive(
            asolve("problem", method="best_of_n", seed=1, n_particles=8, generator=Generator(write), reward_model=judge)
        )

    assert [search(refusal).answer for refusal in (0.2, 0.9)] == ["5", None]


def test_a_plain_sample_is_not_checked() -> None:
    assert found_by("sample", n_particles=1) == ["no_reward_model"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_pair_stories_knows_a_story_and_no_arithmetic(seed: int) -> None:
    known = solve(
        "There are 45 birds on a wire. 17 fly away. How many are left?", generator="stories", n_particles=4, seed=seed
    )
    assert (known.answer, known.warnings) == ("28", ())
    unknown = solve("17 * 24 = ?", generator="stories", n_particles=4, seed=seed)
    assert {"low_scores", "outside_training"} <= {warning.code for warning in unknown.warnings}


@pytest.mark.slow
def test_the_pair_plain_knows_plain_english() -> None:
    def codes_of(problem: str) -> set[str]:
        return {warning.code for warning in solve(problem, n_particles=4, seed=1).warnings}

    others = ("Ana tiene 8 libros y su hermano le da 7 más. ¿Cuántos libros tiene ahora?", "Tell me a joke.", "Who are you?")
    for other in others:
        assert "outside_training" in codes_of(other), other
    for known in ("What is 17 * 24?", "There are 45 birds on a wire. 17 fly away. How many are left?"):
        assert not codes_of(known), known
