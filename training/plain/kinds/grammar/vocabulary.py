"""The word lists in ``words/``: nouns by what can be done to them, verbs by what they do to a quantity, people and places."""

import re
from dataclasses import dataclass
from pathlib import Path

from epf.training.plain.kinds.grammar.things import Thing

_WORDS = Path(__file__).parent / "words"
_VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb with an object, and what may follow the object; a phrasal verb keeps its particle: ``give away``."""

    base: str
    past: str
    participle: str
    tails: tuple[str, ...]

    @property
    def third(self) -> str:
        """The present of the third person: gives away."""
        return " ".join([third(self.base.split()[0]), *self.base.split()[1:]])

    @property
    def gerund(self) -> str:
        """Giving away."""
        return " ".join([gerund(self.base.split()[0]), *self.base.split()[1:]])


def third(verb: str) -> str:
    """Return the third person of a verb in the present."""
    if verb in ("be", "have"):
        return {"be": "is", "have": "has"}[verb]
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ies"
    return verb + ("es" if re.search(r"(s|x|z|ch|sh|o)$", verb) else "s")


def gerund(verb: str) -> str:
    """Return the form in -ing."""
    if verb == "be":
        return "being"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return (verb + verb[-1] if _doubles(verb) else verb) + "ing"


def _regular_past(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ied"
    return (verb + verb[-1] if _doubles(verb) else verb) + "ed"


def _doubles(verb: str) -> bool:
    """Whether the last consonant doubles: one syllable that ends in one vowel and one consonant."""
    return bool(re.fullmatch(r"[^aeiou]+[aeiou][^aeiouwxy]", verb))


def _rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (_WORDS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


def _noun(text: str) -> Thing:
    """``cherry/cherries`` or, with a regular plural, ``plum``."""
    one, _, many = text.replace("_", " ").partition("/")
    return Thing(one, many or one + ("es" if re.search(r"(s|x|ch|sh)$", one) else "s"))


def _verb(forms: str, tails: str) -> Verb:
    base, *irregular = (form.replace("_", " ") for form in forms.split("/"))
    head, _, particle = base.partition(" ")
    past = irregular[0] if irregular else " ".join([_regular_past(head), *particle.split()])
    return Verb(base, past, irregular[1] if len(irregular) > 1 else past, tuple(tails.split("|")))


CLASSES: dict[str, tuple[Thing, ...]] = {}
"""Things by class."""
WHOLES: dict[str, str] = {}
"""What several kinds of things of a class are called together: apples and pears are pieces of fruit."""
for _name, _whole, _nouns in _rows("nouns"):
    CLASSES[_name], WHOLES[_name] = tuple(_noun(noun) for noun in _nouns.split()), _whole
OWNED: tuple[str, ...] = (
    *("toy", "collectable", "school", "fruit", "vegetable", "baked", "sweet", "craft", "book", "clothes", "house", "document"),
    "drink",
)
"""Classes of what anybody may have."""

VERBS: dict[tuple[str, str, str], tuple[Verb, ...]] = {}
"""Verbs by effect (gain or loss), agent (p for people, b for businesses) and class of the thing."""
for _effect, _agents, _classes, _forms, _tails in _rows("verbs"):
    for _agent in _agents:
        for _class in [*CLASSES] if _classes == "*" else _classes.split():
            _key = (_effect, _agent, _class)
            VERBS[_key] = (*VERBS.get(_key, ()), _verb(_forms, _tails))

_PEOPLE = _rows("people")
NAMES = {pronoun: tuple(name for row in _PEOPLE if row[0] == pronoun for name in row[1].split()) for pronoun in ("he", "she")}
"""First names by the pronoun that goes with them."""
PRONOUNS = {name: pronoun for pronoun, names in NAMES.items() for name in names}
_LISTS = {row[0]: row[1] for row in [*_rows("lists"), *(row for row in _PEOPLE if row[0] not in NAMES)]}


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in _LISTS[name].split())


PLACES, ROOMS, SHOPS = _words("place"), _words("room"), _words("shop")
DAYS, MONTHS = _words("day"), _words("month")
RELATIVES, ROLES, GROUPS, BUSINESSES = _words("relative"), _words("role"), _words("group"), _words("business")
CONTAINERS = {
    name: tuple(_noun(word) for word in _LISTS[name].split()) for name in ("small", "food", "large", "animal", "plant")
}
CONTAINERS_OF = {
    **dict.fromkeys(("fruit", "vegetable", "baked", "meal", "drink"), "food"), "plant": "plant",
    **dict.fromkeys(("farm_animal", "pet", "wild_animal"), "animal"),
    **dict.fromkeys(("book", "clothes", "house", "tool", "device", "vehicle", "hardware"), "large"),
}  # fmt: skip
"""The containers that things of a class come in; other classes have small ones."""
CROWDS = tuple(_noun(word) for word in _LISTS["crowd"].split())
ATTRIBUTES = {name: _words(name) for name in ("colour", "size", "state", "taste", "ripe")}
ATTRIBUTES_OF = {
    "fruit": ("size", "ripe"), "vegetable": ("size", "ripe"), "baked": ("size", "taste"), "sweet": ("colour", "size"),
    "meal": ("size",), "farm_animal": ("size",), "pet": ("size",), "wild_animal": ("size",), "plant": ("size", "colour"),
    "drink": ("size",), "book": ("state", "size"), "document": ("colour", "size"), "device": ("state", "size"), "money": (), "measure": (),
}  # fmt: skip
"""What distinguishes things of a class; other classes have colour, size and state."""
ANY_ATTRIBUTES = ("colour", "size", "state")
OWN, GIVE = _verb("own", ""), _verb("give/gave/given", "")
NEED, SELL, MAKE = _verb("need", ""), _verb("sell/sold", ""), _verb("make/made", "")
SHARE, SPLIT, DIVIDE, PACK, FILL = (
    _verb("share", ""),
    _verb("split/split", ""),
    _verb("divide", ""),
    _verb("pack", ""),
    _verb("fill", ""),
)
