from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.answers.numbers import plain_number

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
    "0,111": "111/1000", "1e3": "1000", "6.02E23": "602000000000000000000000", "1e-05": "1/100000", "2.5e+2": "250",
    r"0.\overline{3}": "1/3", r"0.1\overline{6}": "1/6", r"0.\overline{12}": "4/33", "0.(3)": "1/3", "0.333...": "1/3",
    "5 million": "5000000", r"1.5 \text{ million}": "1500000", "2 dozen": "24", "nine": "9", "twenty-one": "21",
    "one half": "1/2", "one and a half": "3/2", "one hundred and five": "105", "½": "1/2", "2½": "5/2", "٣": "3", "３": "3",
    "5 AM": "5", "25th": "25", "0.5%": "1/200", "USD 18": "18", "Rs. 18": "18", "**18**": "18",
    "0.333333": "1/3", "0.666667": "2/3", "0.0833333333333333": "1/12", "0.33": "33/100", "0.123456": "1929/15625",
}  # fmt: skip

NOT_SURE = [
    "", " ", "-", ".", "$", "$$", "--5", "x", "3x", "3xy", "3 xy", "12,34", "1,22", "0,1", "32, 349", "1,234,5",
    "(1,2)", "1,2,3", "12:00", "204_5", "5!", "2\\pi", "2 pi", "3i", "2e", "2^3", "2 \\times 3", "x=5", "3 or 4",
    r"3 \text{ or }", "12 hours 30 minutes", "1/2/3", "1.2.3", "3/0", r"\frac{1}{0}", r"1\frac{-1}{2}",
    "1st", "0.3...", "no. 5", "5 R 2", "≈5", "\x00", "\ud800",
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
def test_the_key_of_a_fraction_is_read_back(value: Fraction) -> None:
    assert plain_number(str(value)) == value


@pytest.mark.parametrize("piece", ["a ", "\\text{a}", "1,", "1 ", "^2", " aaa", "{", "\\!"])
def test_long_text_is_not_a_number(piece: str) -> None:
    assert plain_number("1" + piece * 1_000_000) is None
