"""The quantities of a problem, what they truly are, and how those that the text does not state follow from those it does.

The true values are computed forwards while the story is stated. The solution is found the other way round: from relations among
the quantities and from the numbers that the text states, whichever of them these are. So the same events make problems with an
unknown result, an unknown change and an unknown start, and one without a number that it needs turns out to have no solution.
"""

from dataclasses import dataclass

from epf.training.plain.problem import compute

_INVERSE = {"+": "-", "*": "/"}


@dataclass(frozen=True, slots=True)
class Relation:
    """``whole = left op right`` with + or *, among quantities by number."""

    whole: int
    left: int
    op: str
    right: int


@dataclass(frozen=True, slots=True)
class Step:
    """An operation of a solution: ``result = left op right``, among quantities by number."""

    left: int
    op: str
    right: int
    result: int


class World:
    """True values of quantities, how they came about (``formulas``), and the relations among them."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.relations: list[Relation] = []
        self.constants: set[int] = set()
        self.formulas: dict[int, tuple[int, str, int]] = {}

    def quantity(self, value: float) -> int:
        """Add a quantity and return its number."""
        self.values.append(round(float(value), 6))
        return len(self.values) - 1

    def constant(self, value: float) -> int:
        """Add a number that everybody knows, such as the 2 of "twice"."""
        number = self.quantity(value)
        self.constants.add(number)
        return number

    def plus(self, a: int, b: int) -> int:
        """Add the sum of two quantities."""
        return self._related(self._new(a, "+", b), a, "+", b)

    def minus(self, a: int, b: int) -> int:
        """Add the difference of two quantities."""
        difference = self._new(a, "-", b)
        self._related(a, difference, "+", b)
        return difference

    def times(self, a: int, b: int) -> int:
        """Add the product of two quantities."""
        return self._related(self._new(a, "*", b), a, "*", b)

    def over(self, a: int, b: int) -> int:
        """Add the quotient of two quantities."""
        quotient = self._new(a, "/", b)
        self._related(a, quotient, "*", b)
        return quotient

    def value_if(self, target: int, given: int, value: float) -> float:
        """Return what a quantity would be if another one, from which it came about or not, had another value.

        Raises:
            ZeroDivisionError: a division by zero.
        """
        if target == given or target not in self.formulas:
            return value if target == given else self.values[target]
        a, op, b = self.formulas[target]
        return compute(self.value_if(a, given, value), op, self.value_if(b, given, value))

    def _new(self, a: int, op: str, b: int) -> int:
        number = self.quantity(compute(self.values[a], op, self.values[b]))
        self.formulas[number] = (a, op, b)
        return number

    def _related(self, whole: int, a: int, op: str, b: int) -> int:
        self.relations.append(Relation(whole, a, op, b))
        return whole

    def solve(self, places: dict[int, int], target: int) -> list[Step] | None:
        """Return steps from the stated quantities, by their places in the text, to the target; ``None`` if no steps do.

        The first operand of a sum or product is the one that the text states first; a result stands where the last of its
        operands does.
        """
        known: dict[int, float] = {number: float(place) for number, place in places.items()}
        known |= dict.fromkeys(self.constants, float("inf"))
        steps: dict[int, Step] = {}
        new = True
        while new and target not in steps:
            new = False
            for relation in self.relations:
                step = _step(relation, known)
                if step is not None and step.result not in known:
                    steps[step.result], new = step, True
                    last = [known[side] for side in (step.left, step.right) if side not in self.constants]
                    known[step.result] = max(last, default=0.0) + 0.5
        return _needed(steps, target) if target in steps else None


def _step(relation: Relation, known: dict[int, float]) -> Step | None:
    """Return the operation that a relation allows; ``None`` if not exactly one of its quantities is unknown."""
    whole, left, right = relation.whole, relation.left, relation.right
    if whole in known:
        if left in known and right not in known:
            return Step(whole, _INVERSE[relation.op], left, right)
        if right in known and left not in known:
            return Step(whole, _INVERSE[relation.op], right, left)
        return None
    if left in known and right in known:
        first, second = (left, right) if known[left] <= known[right] else (right, left)
        return Step(first, relation.op, second, whole)
    return None


def _needed(steps: dict[int, Step], target: int) -> list[Step]:
    needed, open_ = set(), [target]
    while open_:
        number = open_.pop()
        if number in steps and number not in needed:
            needed.add(number)
            open_ += [steps[number].left, steps[number].right]
    return [step for number, step in steps.items() if number in needed]
