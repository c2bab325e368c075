"""The row formats of problem sets, and the rows that are rejected."""

from decimal import Decimal

import pytest

from epf.core.errors import InvalidRequest
from epf.problem_sets.columns import parse_columns
from epf.problem_sets.problem import Problem, read_problem, with_ids


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"problem": "a?", "answer": "42"}, Problem("", "a?", "42")),
        ({"id": "x-1", "problem": " a? ", "answer": 42}, Problem("x-1", "a?", "42")),
        (
            {"unique_id": "test/1.json", "problem": "a?", "solution": "So \\boxed{1}.", "answer": "2"},
            Problem("test/1.json", "a?", "2"),
        ),
        ({"id": 3, "unique_id": "u", "problem": "a?", "answer": "2"}, Problem("3", "a?", "2")),
        ({"Problem": "a?", "ANSWER": "42", "ID": 0}, Problem("0", "a?", "42")),
        ({"problem": None, "question": "a?", "answer": "42"}, Problem("", "a?", "42")),
        ({"problem": "a?", "question": "a?", "answer": "42"}, Problem("", "a?", "42")),
        ({"ID": "chal-1", "Body": "A story. ", "Question": "a?", "Answer": 42.0}, Problem("chal-1", "A story. a?", "42")),
    ],
)
def test_accepted_columns(row: dict[str, object], expected: Problem) -> None:
    assert read_problem(row, where="Row 7") == expected


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("40 + 2 = <<40+2=42>>42\n#### 1,042", "1,042"),
        ("40 + 2 = 42\n#### 42\n\nThat is all.", "42"),
        ("so 42. #### 42", "42"),
        ("so \\boxed{5}", "5"),
        ("The answer is 5.", "5"),
        ("4 + 1 = 5\nA: 5", "5"),
        ("<answer>5</answer>", "5"),
        ("Evelyn", "Evelyn"),
        ("None", "None"),
        ("infinity", "infinity"),
        ("(B)", "(B)"),
        ("x \\in [0, 1)", "x \\in [0, 1)"),
        ("[0, 1) \\cup (2, 3)", "[0, 1) \\cup (2, 3)"),
        ("12 and a half", "12 and a half"),
        ("Rome, the capital", "Rome, the capital"),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
        (145.0, "145"),
        (0.5, "0.5"),
        (1e-05, "0.00001"),
        (Decimal("0.00001"), "0.00001"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E+999999999"), "1E+999999999"),
        (10**400, "1" + "0" * 400),
    ],
)
def test_a_gold_answer_is_read_as_the_answer_of_a_solution_is(answer: object, gold: str) -> None:
    assert read_problem({"problem": "a?", "answer": answer}, where="Row 7").gold == gold


def test_without_an_answer_the_solution_states_it() -> None:
    row = {"problem": "a?", "answer": None, "solution": "So \\boxed{1} or rather \\boxed{\\frac{1}{2}}."}
    assert read_problem(row, where="Row 7").gold == "\\frac{1}{2}"


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"text": "a?", "answer": "42"}, "problem"),
        ({"problem": "  ", "answer": "42"}, "problem"),
        ({"problem": None, "answer": "42"}, "problem"),
        ({"question": 3, "answer": "42"}, "question"),
        ({"problem": "a?", "question": "b?", "answer": "42"}, "problem"),
        ({"problem": "a?"}, "answer"),
        ({"problem": "a?", "answer": None}, "answer"),
        ({"problem": "a?", "answer": True}, "answer"),
        ({"problem": "a?", "answer": ["42"]}, "answer"),
        ({"problem": "a?", "answer": {}}, "answer"),
        ({"problem": "a?", "answer": ""}, "answer"),
        ({"problem": "a?", "answer": float("nan")}, "answer"),
        ({"problem": "a?", "answer": float("inf")}, "answer"),
        ({"problem": "a?", "answer": float("-inf")}, "answer"),
        ({"problem": "a?", "answer": Decimal("NaN")}, "answer"),
        ({"problem": "a?", "answer": "NaN"}, "answer"),
        ({"problem": "a?", "answer": " null "}, "answer"),
        ({"problem": "a?", "Answer": "n/a"}, "Answer"),
        ({"problem": "a?", "answer": "1", "Answer": "2"}, "answer"),
        ({"problem": "a?", "answer": "so\n#### "}, "answer"),
        ({"problem": "a?", "answer": "\ud83d"}, "answer"),
        ({"problem": "a\udc00?", "answer": "1"}, "problem"),
        ({"problem": "a?", "answer": "1", "id": "\ud83d"}, "id"),
        ({"problem": "a?", "solution": "no box"}, "solution"),
    ],
)
def test_an_unusable_row_is_rejected_in_one_line_with_its_position_and_field(row: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Row 7.*`{field}`") as rejected:
        read_problem(row, where="Row 7")
    assert rejected.value.param == field
    assert rejected.value.message.isprintable()
    assert rejected.value.message.isascii()


@pytest.mark.parametrize("text", ["not enough information", "It cannot be determined.", "There isn't enough information"])
def test_the_answer_of_a_problem_without_one_is_that_information_is_missing(text: str) -> None:
    assert read_problem({"problem": "a?", "answer": text}, where="Row 7").gold == "not enough information"
    solution = f"We know little. {text}"
    assert read_problem({"problem": "a?", "solution": solution}, where="Row 7").gold == "not enough information"


def test_columns_by_a_mapping() -> None:
    row = {"Body": "a?", "problem": "b?", "Target": "42", "answer": "43", "Key": 5, "id": 6}
    columns = parse_columns("problem=Body, answer=Target,id=Key")
    assert read_problem(row, where="Row 7", columns=columns) == Problem("5", "a?", "42")
    with pytest.raises(InvalidRequest, match=r"Row 7 has no column 'body'\. It has 'Body', 'problem', 'Target'"):
        read_problem(row, where="Row 7", columns={"problem": "body"})
    with pytest.raises(InvalidRequest, match="has no gold answer in `Target`"):
        read_problem({**row, "Target": None, "solution": "\\boxed{1}"}, where="Row 7", columns=columns)


@pytest.mark.parametrize("text", ["", "problem", "problem=", "text=Body", "problem=a,problem=b", "=a"])
def test_a_mapping_that_is_not_one_is_rejected(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"is not FIELD=COLUMN\. Name each of problem, answer, id at most once"):
        parse_columns(text)


def test_ids_must_be_unique_and_the_number_of_a_row_gives_way() -> None:
    first, second, plain = Problem("1", "a?", "1"), Problem("2", "b?", "1"), Problem("", "c?", "1")
    assert [problem.id for problem in with_ids([(1, second), (2, plain), (3, plain)], "set")] == ["2", "row 2", "3"]
    with pytest.raises(InvalidRequest, match="Rows 1 and 4 of set have the same id '1'"):
        with_ids([(1, first), (4, first)], "set")
    with pytest.raises(InvalidRequest, match="no problems"):
        with_ids([], "set")


def test_digest_distinguishes_problems_with_one_id() -> None:
    digests = {Problem("1", text, gold).digest for text in ("a?", "b?") for gold in ("1", "2")}
    assert len(digests) == 4
    assert Problem("1", "a?", "1").digest == Problem("2", "a?", "1").digest
