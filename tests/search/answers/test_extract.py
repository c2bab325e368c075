import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.answers.extract import boxed_answer, final_answer


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
        (r"$\boxed{1}$ and $\boxed{-2}$.", "1, -2"),
        (r"\[ \boxed{-2} \quad \text{and} \quad \boxed{1}. \]", "-2, 1"),
        (r"\boxed{2}, \boxed{3}, and \boxed{5}", "2, 3, 5"),
        (r"\(\boxed{x=1}\) or \(\boxed{x=\frac{1}{2}}\)", r"x=1, x=\frac{1}{2}"),
        (r"\boxed{3} boys and \boxed{4} girls", "3, 4"),
        (r"\boxed{1} but \boxed{2}, \boxed{3}", "2, 3"),
        (r"so \boxed{7}, and again \boxed{7}", "7"),
        (r"\boxed{7} or \boxed{7}", "7"),
        (r"\boxed{1}, \boxed{\fbox{2}}", "2"),
        (r"\boxed{1} band \boxed{2}", "2"),
        ("\\boxed{1}\n\n\\boxed{2}", "2"),
    ],
)
def test_the_last_closed_box_that_is_not_empty_counts(text: str, answer: str) -> None:
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


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("She has 5 + 13 = <<5+13=18>>18 eggs.\n#### 18", "18"),
        ("#### 1,234.50", "1,234.50"),
        ("so\n####-3 \n", "-3"),
        ("#### $5.", "$5"),
        ("#### 10%", "10%"),
        ("\\boxed{3}\n#### 4", "3"),
        ("#### 4\nThat is it.", None),
        ("#### Step 1", None),
        ("#### 1. Count the birds", None),
        ("#### 2 birds", None),
        ("##### 5", None),
        ("the answer is #### 5", None),
        ("####", None),
    ],
)
def test_the_last_line_of_gsm8k_is_an_answer_without_a_box(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


PIECES = ["\\boxed", "\\fbox", "\\", "{", "}", " ", "1", "\n", "$", "x", ",", " and ", "#### "]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_answer_is_made_of_stripped_parts_of_any_text(text: str) -> None:
    answer = final_answer(text)
    if answer is not None:
        assert answer == answer.strip() != ""
        assert answer in text or all(part in text for part in answer.split(", "))


@settings(deadline=None)
@given(st.text(), st.text())
def test_box_appended_to_any_text_is_found(before: str, after: str) -> None:
    assert (
        boxed_answer(before.rstrip("\\") + " \\boxed{\\frac{1}{2}} " + after.replace("\\", "").replace("}", ""))
        == r"\frac{1}{2}"
    )


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{",
        r"\boxed{\boxed{}",
        "{",
        "}",
        "\\",
        r"\boxed ",
        r"\boxed 1,",
        "\\boxed" + " " * 50,
        r"\boxed{1}",
        r"\boxed{1}, ",
        "####",
        "#### 1,",
        " ",
        "a",
        "and",
        ", and",
    ],
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """Quadratic work on 300,000 characters would not end."""
    text = piece * (300_000 // len(piece))
    final_answer(text)
    final_answer(r"\boxed{1}" + text + r"\boxed{2}")
