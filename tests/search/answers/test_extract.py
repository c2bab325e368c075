from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.answers.extract import final_answer, settled_answer
from tests.search.answers.written_answers import ENDED, UNDER_WAY, WHOLE

ANSWERED = [(text, answer) for kind in ENDED.values() for text, answer in kind.items() if answer is not None]


@pytest.mark.parametrize("kind", ENDED)
def test_the_last_answer_that_an_ended_text_states_is_found(kind: str) -> None:
    assert {text: final_answer(text) for text in ENDED[kind]} == ENDED[kind]


def test_a_text_under_way_has_only_an_answer_that_nothing_can_change() -> None:
    assert {text: settled_answer(text) for text in UNDER_WAY} == UNDER_WAY


def test_no_longer_text_takes_back_or_lengthens_a_settled_answer() -> None:
    for text, _ in ANSWERED:
        settled = [settled_answer(text[:end]) for end in range(len(text) + 1) if "<think>" not in text[:end]]
        for shorter, longer in pairwise(settled):
            if shorter is not None:
                assert longer is not None, text
                assert longer == shorter or not longer.startswith(shorter) or longer.startswith(f"{shorter}, "), text


def test_a_whole_solution_before_its_answer_changes_nothing() -> None:
    before = "We know that there are 3 boxes with 4 answers each.\n\n1. Multiply: $3 \\cdot 4 = 12$.\n2. So **12** is it.\n\n"
    for text, answer in ANSWERED:
        if text not in WHOLE and not text.startswith("Problem:"):
            assert final_answer(before + text) == answer, text


PIECES = [
    *("\\boxed", "\\fbox", "\\", "{", "}", " ", "1", "\n", "$", "x", ",", " and ", "#### ", "**", "(", ")", "."),
    *(
        "The answer is ",
        "Answer: ",
        "Final answer",
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "The",
        "Q:",
        "\\frac",
        "not",
        "?",
    ),
]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_an_answer_is_never_blank_and_a_settled_one_remains_at_the_end(text: str) -> None:
    answer, settled = final_answer(text), settled_answer(text)
    assert answer is None or answer == answer.strip() != ""
    assert settled is None or settled == settled.strip() != ""
    assert settled is None or answer is not None


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_any_text_is_read(text: str) -> None:
    final_answer(text)
    settled_answer(text)


@settings(deadline=None, max_examples=50)
@given(st.text(), st.integers(-(10**6), 10**6))
def test_a_box_and_an_announcement_after_any_text_are_found(before: str, number: int) -> None:
    before = before.replace("\\", "").replace("<", "")
    assert final_answer(f"{before} \\boxed{{{number}}}") == str(number)
    assert final_answer(f"{before}\n\nThe answer is {number}.") == str(number)


HOSTILE = [
    *(
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
    ),
    *(
        "####",
        "#### 1,",
        "#### 1\n",
        " ",
        "\n",
        "a",
        "and",
        ", and",
        "**",
        "*",
        "_",
        "$",
        "$1",
        "\\(",
        "\\begin{a}",
        "(",
        "[",
        "1",
        "-",
    ),
    *("the answer ", "the answer is ", "the answer is not ", "the answer is the answer to ", "answer: ", "Answer:\n", "the  "),
    *(
        "Answer: a b 1 c is ",
        "Answer\n",
        "final ",
        "答案是",
        "A: ",
        "<answer>",
        "</answer>",
        "<answer>a</answer>",
        "<think>",
        "</think>",
    ),
    *(
        "Q:\n",
        "Q: a\n",
        "<|a|>",
        "> ",
        "=",
        ":",
        "\\boxed\\frac",
        "\\boxed\\frac{",
        "\\boxed(",
        "the final ",
        "if ",
        "\\boxed{1} x =",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """Quadratic work on 100,000 characters would not end."""
    text = piece * (100_000 // len(piece))
    for hostile in (text, r"\boxed{1}" + text + r"\boxed{2}", f"The answer is {text}", f"#### {text}"):
        final_answer(hostile)
        settled_answer(hostile)
