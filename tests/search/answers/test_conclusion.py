"""Which solutions conclude that a problem cannot be answered, and which have an answer or neither."""

import pytest

from epf.search.answers.conclusion import NOT_ENOUGH, conclusion

CANNOT = [
    "There is not enough information.",
    "There isn't enough information to find her age.",
    "6 more apples.\n\nThe problem does not give enough information.",
    "We don\N{RIGHT SINGLE QUOTATION MARK}t have enough data to say how many are left.",
    "Since the first number is missing, the answer cannot be determined.",
    "We can't determine the price of the hat from the given information.",
    "It is impossible to say how many apples she has.",
    "Insufficient information.",
    "Cannot determine.",
    "She has some apples, so one cannot know how many are left.",
    "The number of birds cannot be found.",
    "The given information is not sufficient.",
    "<think>Perhaps 6?</think>There is no sufficient information.",
]
NEITHER = [
    "",
    "Tina has some apples.",
    "There is not enough information? Let us see. She buys 6 more.",
    "I'm sorry, but I cannot answer that.",
    "There is enough information.",
    "He cannot find 3 of his 10 marbles, so he has 7 left.",
    "She can't tell them apart, so she takes all 8.",
    "So x is 5, since 17 cannot be found in the list.",
    "<think>There is not enough information.",
]


@pytest.mark.parametrize("text", CANNOT)
def test_a_solution_concludes_that_the_problem_lacks_information(text: str) -> None:
    assert conclusion(text) == NOT_ENOUGH


@pytest.mark.parametrize("text", NEITHER)
def test_other_texts_conclude_nothing(text: str) -> None:
    assert conclusion(text) is None


def test_an_answer_counts_even_if_the_text_doubts_it() -> None:
    assert conclusion(r"\boxed{5}. There is not enough information to be sure.") == "5"


def test_a_long_text_is_read_at_its_end_only() -> None:
    assert conclusion("There is not enough information. " + "And so on. " * 10_000) is None
    assert conclusion("And so on. " * 10_000 + "There is not enough information.") == NOT_ENOUGH
