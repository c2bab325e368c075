"""Which answers are mathematically the same."""

from collections.abc import Sequence


class AnswerChecker:
    """Decides which answers are the same."""

    def __init__(self, *, limit_s: float = 5.0, n_workers: int = 2) -> None:
        raise NotImplementedError

    async def classes(self, answers: Sequence[str | None]) -> tuple[int, ...]:
        """Class index of each answer, 0.. in order of first occurrence; -1 for None, ``(len(answers),)``."""
        raise NotImplementedError

    async def equal(self, a: str, b: str) -> bool:
        """Whether two answers are the same."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Kill the workers."""
        raise NotImplementedError
