"""Noise changes how a text is written, never the numbers that matter."""

import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from epf.training.plain import noise
from epf.training.plain.kinds.draw import draw_kind
from epf.training.plain.noise import noisy

TEXT = (
    "Ann's shop does not open on Sundays. It sold 12,500 pens for $5 each and 2400 cups in total. How many children were left?"
)


def counted(text: str) -> Counter[Fraction]:
    found = re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)
    return Counter(Fraction(number.replace(",", "")) for number in found)


def written() -> set[str]:
    rng = np.random.default_rng(0)
    return {noisy(rng, TEXT) for _ in range(3000)}


def test_the_numbers_stay_and_at_most_one_is_added() -> None:
    rng = np.random.default_rng(1)
    added = 0
    for _ in range(5000):
        text = draw_kind(rng).text
        before, after = counted(text), counted(noisy(rng, text))
        assert not before - after, text
        added += sum((after - before).values())
        assert sum((after - before).values()) <= 1, text
    assert 0 < added < 400


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"^[^A-Z]+$", r"[a-z]$", r"5 dollars each", r"\$ 5 each", r"  ", r" & ", r"doesn't", r"Ann’s", r"12500 pens"),
        *(r"altogether|in all", r"\bkids\b", r"remaining"),
    ],
)
def test_each_kind_of_noise_occurs(pattern: str) -> None:
    assert any(re.search(pattern, text) for text in written())


def test_a_text_may_stay_as_it_is() -> None:
    assert TEXT in written()


def test_thousands_get_a_comma_and_years_do_not() -> None:
    rng = np.random.default_rng(0)
    assert noise._commas(rng, "He sold 2400 cups in 1995.") == "He sold 2,400 cups in 1995."
    assert noise._commas(rng, "He paid $12345 for 1.2345 kg.") == "He paid $12345 for 1.2345 kg."


def test_a_bill_keeps_its_dollar_sign() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert "$20 bill" in noise._money(rng, "She pays for a $3 pen with a $20 bill.")


def test_a_sentence_about_somebody_else_stands_before_the_question() -> None:
    rng = np.random.default_rng(0)
    changed = {noise._aside(rng, "Ann has 5 pens. Bo has 3 pens. How many pens does Ann have?") for _ in range(50)}
    assert any(re.search(r"3 pens\. \w+ (?:is|has|lives|got|owns|wears)\b.* \d+.*\. How many pens", text) for text in changed)
    together = "Ann has 5 pens. Bo has 3 pens. How many do they have?"
    assert {noise._aside(rng, together) for _ in range(50)} == {together}


def test_a_typo_changes_one_letter_of_one_word_or_swaps_two() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        before, after = TEXT.split(), noise._typo(rng, TEXT).split()
        ((old, new),) = [(a, b) for a, b in zip(before, after, strict=True) if a != b] or [("", "")]
        assert abs(len(old) - len(new)) <= 1
        assert old[:1] == new[:1]
        assert not set(new) - set(old)
        assert old not in ("Ann's", "12,500", "2400")


def test_a_number_in_words_has_no_typo() -> None:
    rng = np.random.default_rng(0)
    assert {noise._typo(rng, "Ann has seventeen and three.") for _ in range(100)} == {"Ann has seventeen and three."}
