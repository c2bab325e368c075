"""A synthetic problem with its exact solution, and the graphs of quantities that are held out from training."""

import hashlib
from dataclasses import dataclass

MAX_STEPS = 8
LARGEST = 999
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class SyntheticProblem:
    """The text of a problem, one line of arithmetic per solution step, and the answer."""

    text: str
    lines: tuple[str, ...]
    answer: int

    @property
    def n_steps(self) -> int:
        """Number of lines of arithmetic; the closing line with the answer does not count."""
        return len(self.lines)

    @property
    def graph(self) -> str:
        """The graph of quantities: which numbers are joined by which operations, in order, without the words."""
        return ";".join(self.lines)

    @property
    def solution(self) -> tuple[str, ...]:
        """All steps, the last one with the boxed answer."""
        return (*self.lines, f"The answer is \\boxed{{{self.answer}}}.")


def held_out_graph(graph: str) -> bool:
    """Whether a graph of quantities belongs to the tenth that is held out from training, by the hash of its text."""
    return hashlib.blake2b(graph.encode(), digest_size=2).digest()[0] % 10 == 0
