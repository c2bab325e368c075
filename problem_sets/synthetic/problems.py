"""Grade-school word problems with their exact solutions.

A problem is a story told in order about one running amount: a start, events that change it, now and then a comparison or a
grouping at the end, and facts that do not matter. Its solution is one line of arithmetic per step ("37 + 12 = 49.").

Held out from training are (a) every problem whose **graph of quantities** (which numbers are joined by which operations, in order,
without the words) hashes into the held-out part, and (b) the wordings of :func:`epf.problem_sets.synthetic.wordings.held_out`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from epf.problem_sets.synthetic import wordings as w
from epf.problem_sets.synthetic import words
from epf.problem_sets.synthetic.telling import Telling

MAX_STEPS = 8
LARGEST = 999
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Problem:
    """A story, its lines of arithmetic and its answer. ``graph`` is the lines' numbers and operations joined."""

    text: str
    lines: tuple[str, ...]
    answer: int

    @property
    def n_steps(self) -> int:
        """Lines of arithmetic, the closing line with the answer not counted."""
        return len(self.lines)

    @property
    def graph(self) -> str:
        """The quantities and how they are joined, without the words."""
        return ";".join(self.lines)

    @property
    def solution(self) -> tuple[str, ...]:
        """All steps, the last one with the boxed answer."""
        return (*self.lines, f"The answer is \\boxed{{{self.answer}}}.")


def held_out_graph(graph: str) -> bool:
    """Whether a graph of quantities belongs to the held-out tenth."""
    return hashlib.blake2b(graph.encode(), digest_size=2).digest()[0] % 10 == 0


class _Amount:
    """The running amount and the lines that lead to it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.value = 0

    def do(self, a: int, op: str, b: int) -> int:
        c = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[op]
        self.lines.append(f"{a} {op} {b} = {c}.")
        return c

    def small(self, high: int) -> int:
        """A number in 2..high (1 where high is 1), small ones more often."""
        top = max(high, 2) if self.rng.random() < 0.5 else min(max(high, 2), 30)
        return min(max(high, 1), int(self.rng.integers(2, top + 1)))

    def factor_pair(self, most: int) -> tuple[int, int] | None:
        """Two factors in 2..12 (one may be larger) whose product is at most ``most``."""
        k = int(self.rng.integers(2, 13))
        high = min(most // k, 60 if self.rng.random() < 0.25 else 12)
        return (k, int(self.rng.integers(2, high + 1))) if high >= 2 else None

    def divisor(self) -> int | None:
        """A divisor of the value in 2..12."""
        options = [k for k in range(2, 13) if self.value % k == 0 and self.value // k >= 2]
        return int(options[self.rng.integers(len(options))]) if options else None


@dataclass(frozen=True, slots=True)
class _Scene:
    """Which sentence forms tell a story of one kind."""

    start: tuple[str, ...]
    start_groups: tuple[str, ...]
    gain: tuple[str, ...]
    lose: tuple[str, ...]
    gain_groups: tuple[str, ...]
    lose_groups: tuple[str, ...]
    times: tuple[str, ...]
    halve: tuple[str, ...]
    ask: tuple[str, ...]
    kind: str


_OWN = _Scene(
    w.OWN_START, w.OWN_START_GROUPS, w.OWN_GAIN, w.OWN_LOSE, w.OWN_GAIN_GROUPS, w.OWN_LOSE_GROUPS, w.OWN_TIMES, w.OWN_HALVE, w.OWN_ASK, "own"
)  # fmt: skip
_PLACE = _Scene(
    w.PLACE_START, w.PLACE_START_GROUPS, w.PLACE_GAIN, w.PLACE_LOSE, w.PLACE_GAIN_GROUPS, w.PLACE_LOSE_GROUPS, w.PLACE_TIMES, w.PLACE_HALVE,
    w.PLACE_ASK, "place",
)  # fmt: skip
_MONEY = _Scene(
    w.MONEY_START, w.MONEY_START_GROUPS, w.MONEY_GAIN, w.MONEY_LOSE, w.MONEY_GAIN_GROUPS, w.MONEY_LOSE_GROUPS, w.MONEY_TIMES, w.MONEY_HALVE,
    w.MONEY_ASK, "money",
)  # fmt: skip
_WHERE = {
    "animal": ("on a wire", "in a field", "on a farm", "in the pond", "in the yard", "by the river", "in a cage", "at the zoo", "in a tree", "on the roof"),
    "people": ("on a bus", "at a party", "in a room", "in the park", "in a class", "at the museum", "on a train", "in the library", "at the beach", "in line"),
    "vehicle": ("in a parking lot", "on the street", "in a garage", "at the station", "in front of the school"),
    "plant": ("in the garden", "in the park", "in a field", "behind the house", "in the greenhouse"),
    "thing": ("on the table", "in a box", "in a jar", "on the shelf", "in the basket", "in a bag", "on a plate", "in a drawer"),
}  # fmt: skip
_FLY = ("fly away", "flew away", "swim away", "run away", "ran away", "hop off", "walk away", "leave")


def _nouns(telling: Telling) -> tuple[_Scene, str]:
    """Choose a kind of story and what it counts."""
    kind = telling.rng.choice(
        ["thing", "food", "money", "animal", "people", "vehicle", "plant", "own_other"],
        p=[0.27, 0.2, 0.2, 0.09, 0.08, 0.04, 0.04, 0.08],
    )
    if kind in ("thing", "food", "money"):
        telling.item, telling.items = telling.a_noun(words.FOODS if kind == "food" else words.THINGS)
        if kind == "thing" and telling.rng.random() < 0.15:
            return _PLACE, "thing"
        return (_MONEY if kind == "money" else _OWN), kind
    if kind == "own_other":
        telling.item, telling.items = telling.a_noun(telling.pick_list((words.ANIMALS, words.PLANTS, words.VEHICLES)))
        return _OWN, "thing"
    lists = {"animal": words.ANIMALS, "people": words.PEOPLE, "vehicle": words.VEHICLES, "plant": words.PLANTS}
    telling.item, telling.items = telling.a_noun(lists[str(kind)])
    return _PLACE, str(kind)


def _begin(telling: Telling, amount: _Amount, scene: _Scene, where: dict[str, str], steps: int) -> None:
    """Tell the start; uses at most one line."""
    rng = telling.rng
    choice = rng.random()
    if steps >= 2 and choice < 0.16 and (pair := amount.factor_pair(400)):
        k, m = pair
        telling.say(scene.start_groups, k=k, m=m, **where)
        amount.value = amount.do(max(k, m), "*", min(k, m))
    elif steps >= 2 and choice < 0.26 and scene.kind == "own":
        a, b = amount.small(150), amount.small(150)
        telling.say(w.OWN_START_TWO, a=a, b=b)
        amount.value = amount.do(a, "+", b)
    elif steps >= 3 and choice < 0.36 and scene.kind == "own":
        other = amount.small(120) + 1
        name, friend = telling.name, telling.friend
        telling.sentences.append(
            f"{friend[0].upper()}{friend[1:]} {'had' if telling.past else 'has'} {telling.number(other)} {telling.items}"
        )
        has = "had" if telling.past else ("have" if name == "I" or telling.pronoun == "they" else "has")
        subject = name
        telling.named = True
        if rng.random() < 0.5:
            k = int(rng.integers(2, 7))
            telling.sentences.append(f"{subject} {has} {telling.times(k)} as many {telling.items} as {friend}")
            amount.value = amount.do(other, "*", k)
        elif rng.random() < 0.5 or other < 4:
            n = amount.small(60)
            telling.sentences.append(f"{subject} {has} {telling.number(n)} more {telling.items} than {friend}")
            amount.value = amount.do(other, "+", n)
        else:
            n = 1 + int(rng.integers(other - 1))
            telling.sentences.append(f"{subject} {has} {telling.number(n)} fewer {telling.items} than {friend}")
            amount.value = amount.do(other, "-", n)
        telling.friend = telling.a_name()
    else:
        amount.value = amount.small(200 if rng.random() < 0.9 else LARGEST) + 1
        telling.say(scene.start, n=amount.value, **where)


def _event(telling: Telling, amount: _Amount, scene: _Scene, kind: str, where: dict[str, str], steps: int) -> None:
    """Tell one change of the amount; uses one or two lines."""
    rng = telling.rng
    value = amount.value
    choice = rng.random()
    if steps >= 2 and choice < 0.14 and (pair := amount.factor_pair(min(200, LARGEST - value))):
        k, m = pair
        telling.say(scene.gain_groups, k=k, m=m, **where)
        product = amount.do(max(k, m), "*", min(k, m))
        amount.value = amount.do(value, "+", product)
    elif steps >= 2 and choice < 0.28 and (pair := amount.factor_pair(value - 1)):
        k, m = pair
        telling.say(scene.lose_groups, k=k, m=m, **where)
        product = amount.do(max(k, m), "*", min(k, m))
        amount.value = amount.do(value, "-", product)
    elif choice < 0.36 and value <= 120:
        form, _, factor = telling.form(scene.times).rpartition(":")
        k = int(factor) or int(rng.integers(2, 6))
        telling.sentences.append(telling.fill(form, times=telling.times(k), **where))
        amount.value = amount.do(value, "*", k)
    elif choice < 0.44 and value % 2 == 0 and value >= 4:
        telling.say(scene.halve, **where)
        amount.value = amount.do(value, "/", 2)
    elif choice < 0.47 and scene.kind == "own" and (k2 := amount.divisor()):
        telling.say(w.OWN_SPLIT, k=k2)
        amount.value = amount.do(value, "/", k2)
    elif steps >= 2 and choice < 0.50 and scene.kind == "own":
        options = [(k3, name) for k3, name in ((3, "third"), (4, "quarter"), (5, "fifth")) if value % k3 == 0 and value > k3]
        if options:
            k3, name = options[rng.integers(len(options))]
            telling.say(w.OWN_FRACTION, fraction=name)
            part = amount.do(value, "/", k3)
            amount.value = amount.do(value, "-", part)
            return
        _gain_or_lose(telling, amount, scene, kind, where)
    else:
        _gain_or_lose(telling, amount, scene, kind, where)


def _gain_or_lose(telling: Telling, amount: _Amount, scene: _Scene, kind: str, where: dict[str, str]) -> None:
    rng, value = telling.rng, amount.value
    gains = value < 3 or (rng.random() < 0.5 and value < 800)
    if gains:
        n = amount.small(min(200, LARGEST - value))
        telling.say(scene.gain, n=n, **where)
        amount.value = amount.do(value, "+", n)
        return
    n = amount.small(value - 1)
    forms = scene.lose
    if kind == "food" and rng.random() < 0.5:
        forms = w.EAT
    elif kind == "animal" and rng.random() < 0.4:
        forms = w.FLY_LOSE
    telling.say(forms, n=n, fly=telling.pick(_FLY), **where)
    amount.value = amount.do(value, "-", n)


def _distract(telling: Telling, where: dict[str, str]) -> None:
    """Tell a fact that does not matter."""
    nouns = telling.pick_list((words.THINGS, words.FOODS, words.ANIMALS))
    _, others = telling.a_noun(nouns)
    if others.split(" ")[-1] != telling.items.split(" ")[-1]:
        telling.say(
            w.DISTRACTORS, n=int(telling.rng.integers(2, 100 if telling.rng.random() < 0.3 else 20)), others=others, **where
        )


def _end(telling: Telling, amount: _Amount, scene: _Scene, where: dict[str, str], start: int, steps: int) -> str:
    """Choose the question that uses exactly ``steps`` (0..2) further lines; returns it without its question mark."""
    rng, value = telling.rng, amount.value
    if steps == 0:
        return telling.fill(telling.form(scene.ask), **where)
    if steps == 2:
        extra = value
        roll = rng.random()
        if roll < 0.4 and 2 * value <= LARGEST:
            k = int(rng.integers(2, max(3, min(8, LARGEST // value))))
            telling.say(w.COMPARE_TIMES, times=telling.times(k))
            extra = amount.do(value, "*", k)
        elif roll < 0.55 and value % 2 == 0:
            telling.say(w.COMPARE_HALF)
            extra = amount.do(value, "/", 2)
        else:
            extra = _compare(telling, amount)
        amount.value = amount.do(value, "+", extra)
        return telling.fill(telling.form(w.TOGETHER_ASK))
    options = ["compare", "sell", "goal"] if scene.kind == "own" else (["goal"] if scene.kind == "money" else [])
    divisor = amount.divisor()
    if scene.kind == "own":
        options += ["pack", "fill"] if divisor else []
        options += ["change"] if value != start and amount.lines else []
    option = options[rng.integers(len(options))]
    if option == "compare":
        if rng.random() < 0.35 and value <= 200:
            k = int(rng.integers(2, 6))
            telling.say(w.COMPARE_TIMES, times=telling.times(k))
            amount.value = amount.do(value, "*", k)
        elif rng.random() < 0.2 and value % 2 == 0:
            telling.say(w.COMPARE_HALF)
            amount.value = amount.do(value, "/", 2)
        else:
            amount.value = _compare(telling, amount)
        return telling.fill(telling.form(w.COMPARE_ASK))
    if option in ("pack", "fill"):
        assert divisor is not None
        amount.value = amount.do(value, "/", divisor)
        return telling.fill(telling.form(w.PACK_ASK if option == "pack" else w.FILL_ASK), k=divisor)
    if option == "sell":
        k = int(rng.integers(2, max(3, min(12, LARGEST // value) + 1)))
        amount.value = amount.do(value, "*", k)
        return telling.fill(telling.form(w.SELL_ASK), k=k)
    if option == "goal":
        goal = value + amount.small(300)
        amount.value = amount.do(goal, "-", value)
        return telling.fill(telling.form(w.MONEY_GOAL_ASK if scene.kind == "money" else w.GOAL_ASK), goal=goal)
    up = value > start
    amount.value = amount.do(value, "-", start) if up else amount.do(start, "-", value)
    return telling.fill(telling.form(w.CHANGE_UP_ASK if up else w.CHANGE_DOWN_ASK))


def _compare(telling: Telling, amount: _Amount) -> int:
    """Another person has some more or fewer; one line."""
    value = amount.value
    if telling.rng.random() < 0.5 or value < 3:
        n = amount.small(100)
        telling.say(w.COMPARE_MORE, n=n)
        return amount.do(value, "+", n)
    n = amount.small(value - 1)
    telling.say(w.COMPARE_FEWER, n=n)
    return amount.do(value, "-", n)


def story(rng: np.random.Generator, n_steps: int, split: str) -> Problem | None:
    """A story whose solution has exactly ``n_steps`` lines, or None where the draw did not work out."""
    telling = Telling(rng, split)
    amount = _Amount(rng)
    scene, kind = _nouns(telling)
    where_text = telling.pick(_WHERE.get(kind, _WHERE["thing"]))
    where = {"where": where_text, "W": where_text[0].upper() + where_text[1:]}
    closing = (
        int(rng.choice([0, 1, 2], p=[0.66, 0.22, 0.12]))
        if scene.kind == "own"
        else int(rng.random() < 0.1 and scene.kind == "money")
    )
    closing = min(closing, n_steps)
    _begin(telling, amount, scene, where, n_steps - closing)
    start = amount.value
    start_lines = len(amount.lines)
    if closing and rng.random() < 0.5 and start_lines == 0 and closing == n_steps:
        closing = n_steps
    distractors = int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))
    while len(amount.lines) < n_steps - closing:
        if distractors and rng.random() < 0.3:
            _distract(telling, where)
            distractors -= 1
        _event(telling, amount, scene, kind, where, n_steps - closing - len(amount.lines))
    if distractors and rng.random() < 0.5:
        _distract(telling, where)
    if not 1 <= amount.value <= LARGEST:
        return None
    question = _end(telling, amount, scene, where, start, closing)
    if len(amount.lines) != n_steps or not 0 <= amount.value <= 12 * LARGEST:
        return None
    return Problem(telling.text(question), tuple(amount.lines), amount.value)


def problem(rng: np.random.Generator, n_steps: int, split: str) -> Problem:
    """Draw a problem of ``n_steps`` lines.

    ``split``: "train"; "test" (held-out graphs, training wordings); "wordings" (held-out graphs and mostly held-out wordings).
    """
    from epf.problem_sets.synthetic.puzzles import puzzle

    while True:
        short = n_steps <= 3 and rng.random() < (0.5 if n_steps <= 2 else 0.3)
        drawn = puzzle(rng, n_steps, split) if short else story(rng, n_steps, split)
        if drawn is not None and held_out_graph(drawn.graph) == (split != "train"):
            return drawn


def problems(seed: int, split: str, min_steps: int = 1, max_steps: int = MAX_STEPS) -> Iterator[Problem]:
    """An endless seeded stream with step counts drawn evenly."""
    rng = np.random.default_rng(seed)
    while True:
        yield problem(rng, int(rng.integers(min_steps, max_steps + 1)), split)
