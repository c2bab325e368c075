"""What is read as an answer, and which readings are equal: a few strings, so that no comparison needs a worker process."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from epf.search.answers.units import agree


class Reading(NamedTuple):
    """What one answer means.

    Attributes:
        key: what the answer is. Equal keys mean equal answers, units apart.
        also: keys of other answers that this one equals as well. ``y = 2x + 1`` is an equation and also the expression
            ``2x + 1``; so this relation is not transitive, and a class needs every pair of its members to be equal.
        units: words, signs and units after the value. An answer without units equals one with any; ``5 cm`` is not ``5 kg``.
    """

    key: str
    also: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()

    def to_json(self) -> list[Any]:
        """Return what :meth:`from_json` reads."""
        return [self.key, list(self.also), sorted(self.units)]

    @classmethod
    def from_json(cls, parts: Iterable[Any]) -> "Reading":
        """Return the reading whose :meth:`to_json` is ``parts``."""
        key, also, units = parts
        return cls(key, tuple(also), frozenset(units))


def same(a: Reading, b: Reading) -> bool:
    """Whether two answers are equal. Reflexive and symmetric."""
    if a == b:
        return True
    if not agree(a.units, b.units):
        return False
    if "%" in a.units and "%" in b.units:  # both are read the same way: 100 % is not 1 %
        return a.key == b.key
    return a.key == b.key or a.key in b.also or b.key in a.also
