"""How much of a growing text can be shown."""

from itertools import pairwise

import pytest

from epf.core.endings import certain


@pytest.mark.parametrize(
    ("text", "endings", "shown"),
    [
        ("", [], ""),
        ("abc", [], "abc"),
        ("abc", ["x"], "abc"),
        ("abc\n", ["\n\n"], "abc"),
        ("abc\n\nd", ["\n\n"], "abc"),
        ("a b", ["bcd", "b cd"], "a "),
        ("xab", ["abc", "bd", "xabcd"], ""),
        ("stop at STOP", ["P", "STOP"], "stop at "),
        ("aa", ["aab"], ""),
        ("ab", ["ab"], ""),
    ],
)
def test_text_ends_before_the_first_ending_or_what_may_become_one(text: str, endings: list[str], shown: str) -> None:
    assert certain(text, endings) == shown


def test_what_was_shown_stays_shown() -> None:
    text, endings = "one\n \n\ntwo STOP", ["\n\n\n", "STOP", "two S"]
    shown = [certain(text[:n], endings) for n in range(len(text) + 1)]
    assert all(after.startswith(before) for before, after in pairwise(shown))
    assert shown[-1] == "one\n \n\n"
