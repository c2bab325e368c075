"""The row formats of problem sets, and the rows that are rejected."""

import pytest

from epf.core.errors import InvalidRequest
from epf.problem_sets.problem import Problem, read_problem, with_distinct_ids


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"problem": "a?", "answer": "42"}, Problem("7", "a?", "42")),
        ({"id": "x-1", "problem": " a? ", "answer": 42}, Problem("x-1", "a?", "42")),
        (
            {"unique_id": "test/1.json", "problem": "a?", "solution": "So \\boxed{1}.", "answer": "2"},
            Problem("test/1.json", "a?", "2"),
        ),
        ({"question": "a?", "answer": "40 + 2 = <<40+2=42>>42\n#### 1,042"}, Problem("7", "a?", "1,042")),
        ({"problem": "a?", "solution": "So \\boxed{1} or rather \\boxed{\\frac{1}{2}}."}, Problem("7", "a?", "\\frac{1}{2}")),
        ({"problem": "a?", "answer": "so \\boxed{5}"}, Problem("7", "a?", "5")),
        ({"problem": "a?", "answer": 145.0}, Problem("7", "a?", "145")),
        ({"id": 0, "problem": "a?", "answer": 0.5}, Problem("0", "a?", "0.5")),
    ],
)
def test_accepted_row_formats(row: dict[str, object], expected: Problem) -> None:
    assert read_problem(row, where="Row 7", number=7) == expected


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"text": "a?", "answer": "42"}, "problem"),
        ({"problem": "  ", "answer": "42"}, "problem"),
        ({"question": 3, "answer": "42"}, "question"),
        ({"problem": "a?"}, "answer"),
        ({"problem": "a?", "answer": None}, "answer"),
        ({"problem": "a?", "answer": True}, "answer"),
        ({"problem": "a?", "answer": "so\n#### "}, "answer"),
        ({"problem": "a?", "solution": "no box"}, "solution"),
    ],
)
def test_an_unusable_row_is_rejected_with_its_position_and_field(row: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Row 7.*`{field}`") as rejected:
        read_problem(row, where="Row 7", number=7)
    assert rejected.value.param == field


def test_ids_must_be_unique() -> None:
    with pytest.raises(InvalidRequest, match="two problems with the id '1'"):
        with_distinct_ids([Problem("1", "a?", "1"), Problem("1", "b?", "1")], "set")
    with pytest.raises(InvalidRequest, match="no problems"):
        with_distinct_ids([], "set")


def test_digest_distinguishes_problems_with_one_id() -> None:
    digests = {Problem("1", text, gold).digest for text in ("a?", "b?") for gold in ("1", "2")}
    assert len(digests) == 4
    assert Problem("1", "a?", "1").digest == Problem("2", "a?", "1").digest
