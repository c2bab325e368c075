"""Things that are counted, and money and amounts that are measured, with the phrases for a number of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thing:
    """A noun; ``money`` has no number of pieces, but an amount in dollars."""

    one: str
    many: str
    kind: str = ""

    @property
    def is_money(self) -> bool:
        """Whether amounts are written in dollars."""
        return self.kind == "money"

    def amount(self, number: str, more: str = "") -> str:
        """``5 pears``, ``5 more pears``, ``$5``, ``$5 more``."""
        if self.is_money:
            return f"${number}{' ' if more else ''}{more}"
        return f"{number} {more}{' ' if more else ''}{self.many}"

    @property
    def some(self) -> str:
        """An amount that is not stated."""
        return "some money" if self.is_money else f"some {self.many}"

    @property
    def how(self) -> str:
        """The beginning of a question."""
        return "how much money" if self.is_money else f"how many {self.many}"


MONEY = Thing("dollar", "dollars", "money")
