from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.answers.numbers import plain_number, spelling

READ = {
    "5": "5", "-5": "-5", "+7": "7", "−5": "-5", "0005": "5", ".5": "1/2", "5.": "5", "3.50": "7/2",
    "$5": "5", r"\$5.00": "5", "$ 5 $": "5", "$$5$$": "5", r"\(5\)": "5", "-$5": "-5", "$-5": "-5", "5$": "5", "€3.50": "7/2",
    "1,234": "1234", "1,234.50": "2469/2", "1 234 567": "1234567", r"10\,000": "10000", "10{,}000": "10000",
    r"11,\! 111,\!111": "11111111",
    "12 apples": "12", "12 red apples.": "12", r"5 \text{ cm}": "5", r"15\mbox{ cm}^2": "15", "5 cm^{2}": "5", "5cm": "5",
    r"3\text{ m}": "3", "60 km/h": "60", "60 miles per hour": "60", r"90^\circ": "90", r"90^{\circ}": "90", "20°C": "20",
    "10%": "10", r"10\%": "10", "28 percent": "28", r"17\text{ any text}": "17", "185\\": "185",
    "3/4": "3/4", "3 / 4": "3/4", "-3/4": "-3/4", "1 1/2": "3/2", "1/2 cup": "1/2", r"\frac{3}{4}": "3/4", r"\dfrac34": "3/4",
    r"\frac{-3}{4}": "-3/4", r"\frac {3} {4}": "3/4", r"-1\frac{1}{2}": "-3/2", r"918\frac{1}{2}": "1837/2",
    "0.333333": "1/3", "0.666667": "2/3", "0.0833333333333333": "1/12", "0.33": "33/100", "0.123456": "1929/15625",
}  # fmt: skip

NOT_SURE = [
    "", " ", "-", ".", "$", "$$", "--5", "x", "3x", "3xy", "3 m", "3 xy", "12,34", "1,22", "0,111", "32, 349", "1,234,5",
    "(1,2)", "1,2,3", "12:00", "204_5", "5!", "2\\pi", "2 pi", "3i", "1e5", "2^3", "2 \\times 3", "x=5", "5 million", "2 dozen",
    "3 or 4", r"3 \text{ or }", "5 AM", "12 hours 30 minutes", "1/2/3", "1.2.3", "3/0", r"\frac{1}{0}", r"1\frac{-1}{2}",
    "½", "٣", "five", "≈5", "\x00", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_numbers_are_read(text: str, value: str) -> None:
    assert plain_number(text) == Fraction(value)


@pytest.mark.parametrize("text", NOT_SURE)
def test_ambiguous_text_is_not_a_number(text: str) -> None:
    assert plain_number(text) is None


PIECES = [*"0123456789-+.,/ ${}\\%^ax€°", "\\frac", "\\text", "\\!", "{,}", " apples"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_never_raises(text: str) -> None:
    plain_number(text)


@settings(deadline=None)
@given(st.integers(), st.integers(min_value=1), st.integers(min_value=1))
def test_every_spelling_of_a_fraction_is_the_same_number(top: int, bottom: int, factor: int) -> None:
    value = Fraction(top, bottom)
    sign = "-" if top < 0 else ""
    assert plain_number(f"{top}/{bottom}") == value
    assert plain_number(f"{sign}\\frac{{{abs(top) * factor}}}{{{bottom * factor}}} \\text{{ km}}") == value
    assert plain_number(f"{top:,}") == top


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=5))
def test_short_decimals_are_exact(value: object) -> None:
    assert plain_number(f"{value:f}") == Fraction(str(value))


@settings(deadline=None)
@given(st.fractions())
def test_spelling_is_read_back(value: Fraction) -> None:
    """Exact for short decimals and for a/b; a long decimal that rounds a simple fraction is read as that fraction."""
    text = spelling(value)
    again = plain_number(text)
    assert again is not None
    assert abs(again - value) < Fraction(1, 10**6)
    assert again == value or "." in text


@pytest.mark.parametrize("piece", ["a ", "\\text{a}", "1,", "1 ", "^2", " aaa", "{", "\\!"])
def test_long_text_is_not_a_number(piece: str) -> None:
    assert plain_number("1" + piece * 1_000_000) is None
