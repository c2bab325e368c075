"""The running amount of a problem, and the random numbers that change it."""

import numpy as np


class RunningAmount:
    """The current value and the lines of arithmetic that led to it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.value = 0

    def do(self, a: int, op: str, b: int) -> int:
        """Write the line ``a op b = c.`` and return c."""
        c = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[op]
        self.lines.append(f"{a} {op} {b} = {c}.")
        return c

    def small(self, high: int) -> int:
        """Draw a number from 2 to ``high`` (1 if ``high`` is 1), small ones more often."""
        top = max(high, 2) if self.rng.random() < 0.5 else min(max(high, 2), 30)
        return min(max(high, 1), int(self.rng.integers(2, top + 1)))

    def factor_pair(self, largest: int) -> tuple[int, int] | None:
        """Draw two factors from 2 to 12 (one may be larger) whose product is at most ``largest``."""
        k = int(self.rng.integers(2, 13))
        high = min(largest // k, 60 if self.rng.random() < 0.25 else 12)
        return (k, int(self.rng.integers(2, high + 1))) if high >= 2 else None

    def divisor(self) -> int | None:
        """Draw a divisor of the value from 2 to 12 that leaves a quotient of at least 2."""
        options = [k for k in range(2, 13) if self.value % k == 0 and self.value // k >= 2]
        return int(options[self.rng.integers(len(options))]) if options else None
