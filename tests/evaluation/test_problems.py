import pytest

from epf.core.errors import InvalidRequest
from epf.problem_sets.problem import Problem, distinct, problem_of


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
def test_forms_of_rows(row: dict[str, object], expected: Problem) -> None:
    assert problem_of(row, where="Row 7", number=7) == expected


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
def test_a_row_without_problem_or_answer_is_refused_by_its_place_and_field(row: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Row 7.*`{field}`") as refused:
        problem_of(row, where="Row 7", number=7)
    assert refused.value.param == field


def test_ids_are_distinct() -> None:
    with pytest.raises(InvalidRequest, match="two problems with the id '1'"):
        distinct([Problem("1", "a?", "1"), Problem("1", "b?", "1")], "set")
    with pytest.raises(InvalidRequest, match="no problems"):
        distinct([], "set")


def test_digest_tells_problems_of_one_name_apart() -> None:
    digests = {Problem("1", text, gold).digest for text in ("a?", "b?") for gold in ("1", "2")}
    assert len(digests) == 4
    assert Problem("1", "a?", "1").digest == Problem("2", "a?", "1").digest
