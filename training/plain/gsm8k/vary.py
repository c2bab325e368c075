"""Other names and things in a text, each replaced by one of its kind everywhere in the text."""

import re

import numpy as np

from epf.problem_sets.synthetic import words

_NAME_SHARE, _THING_SHARE = 0.8, 0.4
_AMBIGUOUS = frozenset("orange lime seal ring nail screw block bat match case".split())  # noqa: SIM905
_THINGS = tuple(
    tuple(noun for noun in nouns if "_" not in noun and noun not in _AMBIGUOUS)
    for nouns in (words.THINGS, words.FOODS, words.ANIMALS, words.PLANTS)
)
_KIND_OF = {
    form: (kind, number)
    for kind, nouns in enumerate(_THINGS)
    for noun in nouns
    for number, form in enumerate((noun, words.plural(noun)))
}
_NAMES = frozenset(words.NAMES)
_KNOWN = re.compile(rf"\b({'|'.join(sorted([*_KIND_OF, *_NAMES], key=len, reverse=True))})\b")


def vary(rng: np.random.Generator, text: str) -> str:
    """Return the text with other names, and with other things of the same kinds."""
    change_things = rng.random() < _THING_SHARE
    found = set(_KNOWN.findall(text))
    other: dict[str, str] = {}
    for word in sorted(found & _NAMES):
        if rng.random() < _NAME_SHARE:
            other[word] = words.NAMES[int(rng.integers(len(words.NAMES)))]
    for word in sorted(found - _NAMES):
        if not change_things or word in other:
            continue
        kind, _ = _KIND_OF[word]
        nouns = _THINGS[kind]
        old = next(noun for noun in nouns if word in (noun, words.plural(noun)))
        new = nouns[int(rng.integers(len(nouns)))]
        other |= {old: new, words.plural(old): words.plural(new)}
    if len(set(other.values())) < len(other) or found & set(other.values()):
        return text
    changed = _KNOWN.sub(lambda match: other.get(match[1], match[1]), text)
    return (
        re.sub(r"\b([Aa])n? (?=(\w))", lambda match: match[1] + ("n " if match[2] in "aeiou" else " "), changed)
        if other
        else text
    )
