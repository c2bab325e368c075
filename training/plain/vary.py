"""Other names and things in a text, each replaced by one of its kind, or by an invented word, everywhere in the text."""

import re

import numpy as np

from epf.problem_sets.synthetic import words
from epf.training.plain.kinds.grammar.vocabulary import CLASSES, NAMES

_NAME_SHARE, _THING_SHARE, _INVENTED_SHARE = 0.95, 0.7, 0.1
_AMBIGUOUS = frozenset(
    """orange lime date seal ring nail screw block bat match case pin token saw drill top tie patch cap belt pan fan rose mint
    ruler folder marker bead ball box chip roll cup glass bowl plate tray spoon rake brush plum bolt bush lily violet jar basket
    bottle ticket game key disc lamp chair book pie cracker pepper egg sandwich seed tree leaf feather chicken cow fish bird bee
    ant horse puppy kitten chick badge card photo album page brick bean shell flag pillow blanket towel mug crystal stone rock
    shovel hammer binder dress coat painting pig sheep goat hen duck goose dog mushroom pumpkin coconut pineapple""".split()  # noqa: SIM905
)
"""Words that often mean something else or belong to a phrase: an orange shirt, a pot pie, a bus ticket."""
_NO_NAMES = frozenset(("Will", "June", "Georgia", "Milan"))
"""Names that are often no names in these texts."""
_OF_ANIMALS = re.compile(r"\b(legs?|wings?|paws?|hooves|horns?|fins?|arms|tentacles|eyes|ears|feathers)\b", re.IGNORECASE)
"""Words that ask for knowledge of an animal: where they occur, no thing becomes another."""
_GROUPS = (
    (words.THINGS, ("toy", "collectable", "school", "craft")),
    ((), ("fruit",)),
    ((), ("vegetable",)),
    ((), ("baked", "sweet")),
    (words.ANIMALS, ("pet", "wild_animal")),
    (words.PLANTS, ("plant",)),
    ((), ("clothes",)),
    ((), ("tool",)),
)


def _forms(nouns: tuple[str, ...], classes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return singular and plural of the nouns of one kind that are one word and mean one thing."""
    forms = {(words.singular(noun), words.plural(noun)) for noun in nouns}
    forms |= {(thing.one, thing.many) for name in classes for thing in CLASSES[name]}
    return tuple(sorted(form for form in forms if form[0].isalpha() and form[0] not in _AMBIGUOUS and form[0] != form[1]))


_THINGS = tuple(_forms(*group) for group in _GROUPS)
_KIND_OF = {form: (kind, noun) for kind, nouns in enumerate(_THINGS) for noun in nouns for form in noun}
_LIKE = {name: tuple(words.NAMES) for name in words.NAMES if name not in _NO_NAMES}
_LIKE |= {name: names for names in NAMES.values() for name in names if name not in _NO_NAMES}
"""The names that may stand for a name: those with the same pronoun, or any if it goes with both."""
_KNOWN = re.compile(rf"\b(?:([Aa])n? )?({'|'.join(sorted([*_KIND_OF, *_LIKE], key=len, reverse=True))})\b")
"""A known word with its article, if it has one."""


def _invented(rng: np.random.Generator) -> tuple[str, str]:
    """Return singular and plural of a word that nobody knows: what it is does not matter to the numbers."""
    word = words.invented_word(rng).rstrip("s")
    return word, word + "s"


def vary(rng: np.random.Generator, text: str) -> str:
    """Return the text with other names, and with other things of the same kinds."""
    change_things = rng.random() < _THING_SHARE and not _OF_ANIMALS.search(text)
    found = {word for _, word in _KNOWN.findall(text)}
    other: dict[str, str] = {}
    for name in sorted(found & _LIKE.keys()):
        if rng.random() < _NAME_SHARE:
            other[name] = _LIKE[name][int(rng.integers(len(_LIKE[name])))]
    for word in sorted(found & _KIND_OF.keys()):
        if change_things and word not in other:
            kind, old = _KIND_OF[word]
            alike = _THINGS[kind]
            new = _invented(rng) if rng.random() < _INVENTED_SHARE else alike[int(rng.integers(len(alike)))]
            other |= dict(zip(old, new, strict=True))
    if len(set(other.values())) < len(other) or found & set(other.values()):
        return text
    return _KNOWN.sub(lambda match: _with_article(match[1], other[match[2]]) if match[2] in other else match[0], text)


def _with_article(article: str | None, word: str) -> str:
    return word if article is None else f"{article}{'n' if word[0] in 'aeiou' else ''} {word}"
