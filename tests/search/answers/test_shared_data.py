"""Agreement with published verdicts, if the folder with the data exists next to the repository."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.answers import KNOWN, KNOWN_PAIRS, agreement, confusable, extraction, unread, verdicts
from epf.search.answers.numbers import plain_number

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the public data sets in ../shared/data, not in this repository"
)


@pytest.mark.slow
def test_wrong_verdicts_on_confusable_pairs_are_the_known_ones() -> None:
    """440 pairs of 37 kinds, both orders; no pair that differs is called equal."""
    kinds, wrong = asyncio.run(confusable(DATA / "answer_pairs.jsonl"))
    assert {pair.id for pair in wrong} == set(KNOWN_PAIRS)
    assert len(wrong) <= 0.03 * kinds.total()
    assert all(pair.theirs for pair in wrong)


@pytest.mark.slow
def test_disagreements_with_other_graders_are_the_known_ones() -> None:
    """190 pairs; a reason is recorded for each disagreement."""
    n_pairs, found = asyncio.run(agreement(DATA / "answer_equality.jsonl"))
    assert {disagreement.id for disagreement in found} == set(KNOWN)
    assert len(found) <= 0.05 * n_pairs


def test_verdicts_on_real_solutions_follow_from_plain_numbers() -> None:
    """5276 solutions of four models, each with its author's verdict; numbers suffice to compare them."""
    asked = verdicts(DATA / "gsm8k_model_solutions.jsonl")
    assert len(asked) == 5276
    for answer, truth, verdict in asked:
        assert plain_number(truth) is not None
        assert (plain_number(answer) == plain_number(truth)) is verdict, (answer, truth)


@pytest.mark.parametrize("split", ["gsm8k_train.jsonl", "gsm8k_test.jsonl"])
def test_every_answer_of_gsm8k_is_read(split: str) -> None:
    assert unread(DATA / split) == 0


@pytest.mark.slow
def test_answers_are_found_in_whole_texts_and_none_where_there_is_no_answer() -> None:
    """22 ends of solutions, and 5276 solutions of four models of which 10 are cut off before their answer."""
    found = asyncio.run(extraction(DATA))
    assert found["misread"] == []
    assert (found["solutions"], found["with_answer"], found["judged_as_authors"]) == (5276, 5266, 5276)
    assert found["gsm8k_unread"] == 0
