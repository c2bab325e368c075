"""Tokens, calls and seconds that a search uses."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from epf.core.generator import Step
from epf.core.reward_model import Score
from epf.search.result import Usage

Activity = Literal["generating", "scoring", "resampling", "waiting"]
_FIRST_COUNTS: tuple[Activity, ...] = ("generating", "scoring", "resampling", "waiting")


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
        self.prompt_tokens: int | None = None
        """Number of tokens of the prompt as the generator's server counted them."""
        self.generated_tokens = 0
        self.wasted_tokens = 0
        """Number of tokens that particles sampled ahead and nobody took."""
        self.prm_tokens: Counter[str] = Counter()
        """Tokens that each PRM computed, by name."""
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

    def count_scored(self, score: Score, model: str) -> None:
        """Count the tokens of a score of ``model``, which may be a product of several."""
        self.prm_tokens.update(dict(score.n_tokens_of or [(model, score.n_tokens)]))

    def usage(self, prompt_tokens: int, final_steps: Iterable[Step]) -> Usage:
        """The usage so far. ``final_steps`` are those of all final particles; a step that copies share counts once.

        ``prompt_tokens`` is the length of the prompt unless the generator's server counted it.
        """
        self._book()
        useful = sum(len(step.token_ids) for step in {id(step): step for step in final_steps}.values())
        return Usage(
            prompt_tokens=prompt_tokens if self.prompt_tokens is None else self.prompt_tokens,
            generated_tokens=self.generated_tokens + self.wasted_tokens,
            discarded_tokens=self.generated_tokens + self.wasted_tokens - useful,
            prm_tokens=self.prm_tokens.total(),
            prm_tokens_of=dict(self.prm_tokens),
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
