"""What a search may spend and has spent: a deadline that can be set while searches run, and a meter of tokens and seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

from epf.core.generator import Step
from epf.search.result import Usage

Activity = Literal["generating", "scoring", "resampling", "waiting"]
_FIRST_COUNTS: tuple[Activity, ...] = ("generating", "scoring", "resampling", "waiting")


class Deadline:
    """A time by which several searches must end, as when a server stops. Until it is set it limits nothing."""

    def __init__(self) -> None:
        self._at_s: float | None = None
        self._timeouts: dict[asyncio.Timeout, float] = {}

    @property
    def over(self) -> bool:
        """Whether the time has come."""
        return self._at_s is not None and asyncio.get_running_loop().time() >= self._at_s

    def set(self, at_s: float) -> None:
        """Set or move the deadline, on the event loop's clock."""
        self._at_s = at_s
        for timeout, grace_s in self._timeouts.items():
            if not timeout.expired():
                timeout.reschedule(at_s + grace_s)

    @asynccontextmanager
    async def limit(self, grace_s: float = 0.0) -> AsyncIterator[None]:
        """Cancel the block and raise ``TimeoutError`` when the deadline is ``grace_s`` seconds past."""
        async with asyncio.timeout_at(None if self._at_s is None else self._at_s + grace_s) as timeout:
            self._timeouts[timeout] = grace_s
            try:
                yield
            finally:
                del self._timeouts[timeout]


class UsageMeter:
    """Counts tokens, calls and seconds while a search runs.

    Activities overlap. Each second counts for the first activity under way, in the order generating, scoring, resampling,
    waiting.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started_s = self._since_s = clock()
        self._under_way = dict.fromkeys(_FIRST_COUNTS, 0)
        self._under_way["waiting"] = 1
        self._seconds = dict.fromkeys(_FIRST_COUNTS, 0.0)
        self.generated_tokens = 0
        self.prm_tokens = 0
        self.prm_calls = 0

    @contextmanager
    def measure(self, activity: Activity) -> Iterator[None]:
        """Count the time of the block, which may overlap with other blocks."""
        self._book()
        self._under_way[activity] += 1
        try:
            yield
        finally:
            self._book()
            self._under_way[activity] -= 1

    def usage(self, prompt_tokens: int, final_steps: Iterable[Step]) -> Usage:
        """The usage so far. ``final_steps`` are those of all final particles; a step that copies share counts once."""
        self._book()
        useful = sum(len(step.token_ids) for step in {id(step): step for step in final_steps}.values())
        return Usage(
            prompt_tokens=prompt_tokens,
            generated_tokens=self.generated_tokens,
            discarded_tokens=self.generated_tokens - useful,
            prm_tokens=self.prm_tokens,
            prm_calls=self.prm_calls,
            generating_s=self._seconds["generating"],
            scoring_s=self._seconds["scoring"],
            resampling_s=self._seconds["resampling"],
            waiting_s=self._seconds["waiting"],
            total_s=self._since_s - self._started_s,
        )

    def _book(self) -> None:
        now_s = self._clock()
        activity = next(a for a in _FIRST_COUNTS if self._under_way[a])
        self._seconds[activity] += now_s - self._since_s
        self._since_s = now_s
