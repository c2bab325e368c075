import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.answers.extract import boxed_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{ \left\{ 1, 2 \right\} }.", r"\left\{ 1, 2 \right\}"),
        (r"\boxed{\{1, 2}", r"\{1, 2"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{1}, and I will put it in \boxed{}", "1"),
        (r"\boxed{1} and then \boxed{2", "1"),
        (r"\boxed{1} and then \boxed{ { } }", "1"),
        (r"\boxed{\boxed{7}}", "7"),
        (r"\boxed{x = \fbox{7}}", "7"),
        (r"\fbox{A}", "A"),
        (r"\boxed {3}", "3"),
        ("\\boxed{\n12 \n}", "12"),
        (r"a stray } or { before \boxed{4}", "4"),
        (r"\boxed{5}}} and {{", "5"),
        (r"\\boxed{004}", "004"),
        (r"\boxed 5 apples", "5"),
        (r"$\boxed -3.5$.", "-3.5"),
        (r"\boxed 1,234.", "1,234"),
        (r"\boxed{1} or rather \boxed 2", "2"),
    ],
)
def test_last_closed_non_empty_box(text: str, answer: str) -> None:
    assert boxed_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        r"\boxed{}",
        r"\boxed{ }",
        r"\boxed{{}}",
        r"\boxed{\boxed{}}",
        r"\boxed{5",
        r"\boxed{ { 5 }",
        r"\boxed{5\}",
        r"\boxed 5x",
        r"\boxed x",
        r"\boxedness{5}",
        r"\boxed",
        "boxed{5}",
    ],
)
def test_no_answer(text: str) -> None:
    assert boxed_answer(text) is None


PIECES = ["\\boxed", "\\fbox", "\\", "{", "}", " ", "1", "\n", "$", "x"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_answer_is_a_stripped_part_of_any_text(text: str) -> None:
    answer = boxed_answer(text)
    assert answer is None or (answer in text and answer == answer.strip() != "")


@settings(deadline=None)
@given(st.text(), st.text())
def test_box_appended_to_any_text_is_found(before: str, after: str) -> None:
    assert (
        boxed_answer(before.rstrip("\\") + " \\boxed{\\frac{1}{2}} " + after.replace("\\", "").replace("}", ""))
        == r"\frac{1}{2}"
    )


@pytest.mark.parametrize(
    "piece", [r"\boxed{", r"\boxed{\boxed{}", "{", "}", "\\", r"\boxed ", r"\boxed 1,", "\\boxed" + " " * 50, r"\boxed{1}"]
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """Quadratic work on two million characters would not come to an end."""
    boxed_answer(piece * (2_000_000 // len(piece)))
