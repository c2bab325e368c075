"""A problem while it is composed: its world, its clauses so far, its question, and the drawing of words and numbers for them."""

import re
from random import Random

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Clause, Question
from epf.training.plain.kinds.grammar.things import Thing
from epf.training.plain.kinds.grammar.world import World

_SCALES = ((2, 12), (4, 30), (10, 99), (100, 999), (1000, 20_000))
_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")


class Scene:
    """Composes a problem sentence by sentence. Numbers are written as ``#7#``, the quantity 7 of the world, until the end."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.world = rng, World()
        self.clauses: list[Clause] = []
        self.tense = "past" if rng.random() < 0.6 else "present"
        self.asks_now = "past" if self.tense == "past" and rng.random() < 0.5 else "present"
        self.question: Question | None = None
        self.target = -1
        self.scale = rng.choices(_SCALES, (0.2, 0.25, 0.38, 0.14, 0.03))[0]
        self._names: set[str] = set()
        self.hopeless = False
        self.appositions: dict[str, str] = {}
        self.lessened: set[int] = set()
        self.shared_pronouns: set[str] = set()

    def chance(self, share: float) -> bool:
        """Return true in a share of the calls."""
        return self.rng.random() < share

    def fill(self, text: str, **slots: str) -> str:
        """Choose one of the wordings in each ``[x|y]`` and fill the slots; unnamed ones are drawn: {other}, {place}, {day}, ..."""
        while "[" in text:
            text = _CHOICE.sub(lambda match: self.rng.choice(match[1].split("|")), text)
        if "{" in text:
            text = _SLOT.sub(lambda match: slots[match[1]] if match[1] in slots else self.word(match[1]), text)
        return re.sub(" +(?=[ ,.?])", "", text).strip()

    def word(self, slot: str) -> str:
        """Draw a word of a kind."""
        if slot == "other":
            return self.person().name
        lists = {"place": v.PLACES, "room": v.ROOMS, "shop": v.SHOPS, "day": v.DAYS, "month": v.MONTHS, "relative": v.RELATIVES}
        if slot in lists:
            return self.rng.choice(lists[slot])
        if slot == "item":
            return self.rng.choice(v.CLASSES[self.rng.choice(("toy", "book", "clothes", "tool", "device", "house"))]).one
        raise KeyError(f"There are no words for the slot {slot!r}.")

    def person(self) -> Agent:
        """Draw somebody by name who is not in the text yet."""
        while True:
            pronoun = self.rng.choice(("he", "she"))
            name = self.rng.choice(v.NAMES[pronoun])
            if name not in self._names:
                self._names.add(name)
                return Agent(name, pronoun, name)

    def say(self, agent: Agent | None, predicate: str, *, event: bool = False, lead: str = "", alone: bool = False) -> None:
        """Add a clause."""
        self.clauses.append(Clause(agent, predicate, event, lead, alone))

    def tell(self, text: str, **slots: str) -> None:
        """Add a clause without an agent: a sentence with choices and slots."""
        self.say(None, self.fill(text, **slots))

    def tell_end(self, quantity: int, things: str, were: str, where: str) -> None:
        """Add how many things there are in the end, as a sentence of its own."""
        when = self.fill("[now|in the end]")
        are = "are" if when == "now" else were
        text = "[{when} there {are} {a} {things} {where}|there {are} {a} {things} {where} {when}]"
        self.say(None, self.fill(text, when=when, are=are, a=n(quantity), things=things, where=where), alone=True)

    def put(self, question: Question, target: int) -> None:
        """Set the question and the quantity that it asks for."""
        self.question, self.target = question, target

    def value(self, quantity: int) -> float:
        """Return the true value of a quantity."""
        return self.world.values[quantity]

    def number(self, low: int = 0, high: int = 0) -> int:
        """Add a quantity from ``low`` to ``high``, or else of the size of the other numbers of the scene."""
        if not high:
            low, high = self.scale
            if self.chance(0.2):
                low, high = 2, 20
        return self.world.quantity(self.rng.randint(low, high))

    def below(self, quantity: int) -> int:
        """Add a quantity that leaves at least 2 of another one.

        Raises:
            ValueError: the other one is too small.
        """
        most = int(self.value(quantity)) - 2
        if most < 2:
            raise ValueError("Too few are there for some to go.")
        return self.world.quantity(self.rng.randint(2, most if self.chance(0.6) else max(2, most // 2)))

    def container(self, kind: str) -> Thing:
        """Draw a container for things of a class."""
        return self.rng.choice(v.CONTAINERS[v.CONTAINERS_OF.get(kind, "small")])

    def minus(self, a: int, b: int) -> int:
        """Add a difference, of which a text may say that it is left."""
        left = self.world.minus(a, b)
        self.lessened.add(left)
        return left

    def divisor(self, quantity: int, most: int = 12) -> int:
        """Add a quantity that divides another one.

        Raises:
            ValueError: no number from 2 to ``most`` leaves at least 2.
        """
        value = self.value(quantity)
        if value != int(value):
            raise ValueError("An amount that is not whole is not shared.")
        fitting = [n for n in range(2, most + 1) if int(value) % n == 0 and value >= 2 * n]
        if not fitting:
            raise ValueError(f"{value} has no divisor up to {most}.")
        return self.world.quantity(self.rng.choice(fitting))


def n(quantity: int) -> str:
    """Write a quantity as it stands in a text until the end."""
    return f"#{quantity}#"
