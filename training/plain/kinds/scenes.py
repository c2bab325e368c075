"""Scenes with several quantities: one or two people, one or two kinds of things, changes, and a question about some of it.

The question decides which numbers matter; the solution has only the lines that it needs. The other numbers distract.
"""

from dataclasses import dataclass, field

import numpy as np

from epf.training.plain.kinds.form import Form, realise
from epf.training.plain.problem import PlainProblem

Key = tuple[str, str]
"""Who has it and what it is, as slots: ("A", "items")."""

_HAS = ("{who} [has|had|owns|owned|started with] {n} {what}", "{who} [has|had] {n} {what} [in a {box}|at home|]")
_ALSO = ("{who} [also|] [has|had] {n} {what}", "{who} [has|had] {n} {what}[ as well| too|]")
_MORE = ("{who} has {n} more {what} than {other}", "{who} has {n} {what} more than {other}")
_FEWER = ("{who} has {n} fewer {what} than {other}", "{who} has {n} [fewer|less] {what} than {other}")
_TIMES = ("{who} has {n} times as many {what} as {other}",)
_GAINS = (
    "{who} [buys|bought|gets|got|found] {n} more {what}",
    "{who} [received|got|was given] {n} {what} [from {C}|as a gift|]",
    "{who} [made|collected|picked up] [another {n}|{n} more] {what}",
)
_LOSSES = (
    "{who} [gives|gave] {n} {what} to {C}",
    "{who} [loses|lost|sold|sells] {n} [of {his}|] {what}",
    "{who} [used|gave away|threw away|broke] {n} {what}",
)
_TRANSFER = ("{who} [gives|gave|hands|handed] {other} {n} {what}", "{other} [gets|got|takes|took] {n} {what} from {who}")
_JOINS = (". ", ". ", ". ", ", and ", " and ", ", while ")
_THEN = (". ", ". ", ". Then ", ". Later ", ". After that ", ". On {day} ", ", and then ")
_NOW = (
    "How many {what} does {who} have [now|left|in the end|]?",
    "[What is the number of {what} that {who} has|How many {what} does {who} end up with]?",
)
_TOGETHER = (
    "How many {what} do {A} and {B} have [together|in all|altogether|in total]?",
    "How many {what} do [they|the two] have [together|altogether|in total]?",
)
_BOTH = ("How many [things|pieces|{items} and {items2}] does {who} have [in all|altogether|in total]?",)
_MORE_THAN = ("How many more {what} does {who} have than {other}?", "By how many {what} does {who} have more than {other}?")
_MORE_KINDS = ("How many more {what} than {what2} does {who} have?",)


@dataclass
class _Scene:
    """What has been written so far, the numbers to draw, and the name of the current value of each quantity."""

    rng: np.random.Generator
    text: str = ""
    numbers: list[str] = field(default_factory=list)
    steps: dict[str, str] = field(default_factory=dict)
    current: dict[Key, str] = field(default_factory=dict)
    count: int = 0

    def say(self, forms: tuple[str, ...], joins: tuple[str, ...], **slots: str) -> None:
        """Add a clause; slots are names of slots, ``n`` that of a number."""
        form = forms[int(self.rng.integers(len(forms)))]
        for name, slot in slots.items():
            form = form.replace("{" + name + "}", "{" + slot + "}")
        self.text += (joins[int(self.rng.integers(len(joins)))] if self.text else "") + form

    def number(self, kind: str) -> str:
        """Draw another number and return its name."""
        self.count += 1
        self.numbers.append(f"n{self.count}:{kind}")
        return f"n{self.count}"

    def compute(self, a: str, op: str, b: str) -> str:
        """Compute a value from two others and return its name."""
        self.count += 1
        name = f"v{self.count}"
        self.steps[name] = f"{a}{op}{b}"
        self.numbers.append(f"{name}={a}{op}{b}")
        return name

    def lines(self, target: str) -> str:
        """Return the operations that lead to a value, in the order in which they were written."""
        needed, open_ = set(), [target]
        while open_:
            name = open_.pop()
            if name in self.steps and name not in needed:
                needed.add(name)
                open_ += [part for part in self.steps if part in _operands(self.steps[name])]
        return ";".join(f"{name}={step}" for name, step in self.steps.items() if name in needed)


def _operands(step: str) -> list[str]:
    for op in "+-*/":
        step = step.replace(op, " ")
    return step.split()


def scene_problem(rng: np.random.Generator) -> PlainProblem:
    """Draw a scene and a question about it.

    Raises:
        ValueError: the numbers that were drawn do not work out; draw again.
    """
    scene = _Scene(rng)
    people = ("A", "B") if rng.random() < 0.6 else ("A",)
    things = ("items", "items2") if len(people) == 1 or rng.random() < 0.35 else ("items",)
    for who in people:
        for what in things:
            _state(scene, who, what)
    for _ in range(int(rng.choice(3, p=(0.2, 0.5, 0.3)))):
        _change(scene, people)
    ask, target = _question(scene, people, things)
    return realise(rng, Form(f"{scene.text}. {ask}", " ".join(scene.numbers), scene.lines(target)))


def _state(scene: _Scene, who: str, what: str) -> None:
    """Say how many somebody has, now and then compared with somebody else."""
    other, kind = ("A", what), scene.rng.random()
    if who == "B" and kind < 0.35:
        base = scene.current[other]
        if kind < 0.15:
            n = scene.number("N")
            scene.say(_MORE, _JOINS, who=who, what=what, other="A", n=n)
            scene.current[who, what] = scene.compute(base, "+", n)
        elif kind < 0.28:
            n = scene.number(f"<{base}")
            scene.say(_FEWER, _JOINS, who=who, what=what, other="A", n=n)
            scene.current[who, what] = scene.compute(base, "-", n)
        else:
            n = scene.number("F")
            scene.say(_TIMES, _JOINS, who=who, what=what, other="A", n=n)
            scene.current[who, what] = scene.compute(base, "*", n)
    else:
        n = scene.number("N" if scene.rng.random() < 0.5 else "M")
        scene.say(_ALSO if scene.current else _HAS, _JOINS, who=who, what=what, n=n)
        scene.current[who, what] = n


def _change(scene: _Scene, people: tuple[str, ...]) -> None:
    """Say that somebody gets, loses or hands over some things."""
    keys = list(scene.current)
    who, what = keys[int(scene.rng.integers(len(keys)))]
    before, kind = scene.current[who, what], scene.rng.random()
    if kind < 0.4:
        n = scene.number("T" if scene.rng.random() < 0.5 else "M")
        scene.say(_GAINS, _THEN, who=who, what=what, n=n)
        scene.current[who, what] = scene.compute(before, "+", n)
        return
    n = scene.number(f"<{before}")
    scene.current[who, what] = scene.compute(before, "-", n)
    if len(people) == 2 and kind < 0.65:
        other = people[people[0] == who]
        scene.say(_TRANSFER, _THEN, who=who, what=what, other=other, n=n)
        scene.current[other, what] = scene.compute(scene.current[other, what], "+", n)
    else:
        scene.say(_LOSSES, _THEN, who=who, what=what, n=n)


def _question(scene: _Scene, people: tuple[str, ...], things: tuple[str, ...]) -> tuple[str, str]:
    """Return the question and the name of the value that it asks for."""
    rng, kind = scene.rng, scene.rng.random()
    who, what = people[int(rng.integers(len(people)))], things[int(rng.integers(len(things)))]
    if len(people) == 2 and kind < 0.5:
        first, second = scene.current["A", what], scene.current["B", what]
        if kind < 0.3:
            return _asked(rng, _TOGETHER, what=what), scene.compute(first, "+", second)
        other = people[people[0] == who]
        value = scene.compute(scene.current[who, what], "-", scene.current[other, what])
        return _asked(rng, _MORE_THAN, what=what, who=who, other=other), value
    if len(things) == 2 and kind < 0.75:
        first, second = scene.current[who, "items"], scene.current[who, "items2"]
        if kind < 0.65:
            return _asked(rng, _BOTH, who=who), scene.compute(first, "+", second)
        return _asked(rng, _MORE_KINDS, who=who, what="items", what2="items2"), scene.compute(first, "-", second)
    value = scene.current[who, what]
    if value not in scene.steps:
        raise ValueError("The answer stands in the text.")
    return _asked(rng, _NOW, who=who, what=what), value


def _asked(rng: np.random.Generator, forms: tuple[str, ...], **slots: str) -> str:
    form = forms[int(rng.integers(len(forms)))]
    for name, slot in slots.items():
        form = form.replace("{" + name + "}", "{" + slot + "}")
    return form
