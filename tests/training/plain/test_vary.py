"""Other names and things in a text."""

import re

import numpy as np

from epf.training.plain.kinds.grammar.vocabulary import CLASSES
from epf.training.plain.vary import vary

KNOWN = {thing.one for thing in CLASSES["fruit"]}


def test_names_and_things_change_everywhere_in_a_text() -> None:
    rng = np.random.default_rng(4)
    changed = {vary(rng, "Nora has 5 apples. An apple of Nora is red.") for _ in range(100)}
    assert len(changed) > 30
    for text in changed:
        match = re.fullmatch(r"(\w+) has 5 (\w+?)(e?s|ies)\. An? (\w+) of \1 is red\.", text)
        assert match is not None, text
        assert match[4].startswith(match[2][:-1]), text
        assert ("An " in text) == (match[4][0] in "aeiou"), text


def test_some_things_are_invented_and_words_that_are_not_things_stay() -> None:
    rng = np.random.default_rng(0)
    changed = [vary(rng, "For an hour and a unit of work, an apple costs 2 apples.") for _ in range(300)]
    things = [re.fullmatch(r"For an hour and a unit of work, an? (\w+) costs 2 \w+\.", text) for text in changed]
    assert all(things)
    invented = [match[1] for match in things if match and match[1] not in KNOWN]
    assert 10 < len(invented) < 40
    assert len(set(invented)) > 0.9 * len(invented)


def test_animals_stay_where_their_legs_are_counted() -> None:
    rng = np.random.default_rng(1)
    changed = {vary(rng, "Tom has 3 rabbits and 2 parrots. How many legs do they have?") for _ in range(50)}
    assert len(changed) > 10
    assert all(text.endswith("has 3 rabbits and 2 parrots. How many legs do they have?") for text in changed)
