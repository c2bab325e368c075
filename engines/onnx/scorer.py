"""The reward model's engine, which computes only what no earlier call has computed for the same trace."""

import math
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from epf.engines.onnx.batcher import Job
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.prefix_cache import Node, PrefixCache


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A trace to score at its last token.

    Attributes:
        ids: tokens of prompt and steps.
        boundaries: lengths of the prefixes that other traces may share, ascending; the last one is ``len(ids)``.
    """

    ids: tuple[int, ...]
    boundaries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """Probability in [0, 1] (or NaN, if the model outputs NaN), and the number of tokens that were computed for it."""

    probability: float
    n_tokens: int


ScoreJob: TypeAlias = Job[ScoreRequest, ScoreResult]


class Scorer:
    """Scores traces one after the other in row 0 of the decoder's cache.

    A row of a dozen new tokens already keeps the cores busy: measured on two cores, eight rows one by one take about as long as
    the same eight in one padded batch. Equal traces cost one computation, since the second finds the result of the first.
    """

    def __init__(self, decoder: Decoder, prefixes: PrefixCache) -> None:
        self._decoder = decoder
        self._prefixes = prefixes
        self._waiting: deque[ScoreJob] = deque()

    def advance(self, arrived: list[ScoreJob]) -> bool:
        """Score the trace that has waited longest."""
        self._waiting.extend(arrived)
        if self._waiting:
            job = self._waiting[0]
            if not job.cancelled:
                job.finish(self._score(job.request))
            self._waiting.popleft()
        return bool(self._waiting)

    def clear(self) -> list[ScoreJob]:
        """Forget all open jobs and return them."""
        jobs = list(self._waiting)
        self._waiting.clear()
        return jobs

    def _score(self, request: ScoreRequest) -> ScoreResult:
        ids = request.ids
        path = self._prefixes.find(ids)
        if path and path[-1].end == len(ids):
            if path[-1].logit is not None:
                return ScoreResult(_sigmoid(path[-1].logit), 0)
            path = path[:-1]
        for node in path:
            self._decoder.write(0, node.end - len(node.ids), self._prefixes.content(node))
        done = path[-1].end if path else 0
        logit = float(self._decoder.extend(0, done, ids[done:])[0])
        self._remember(request, done, logit)
        return ScoreResult(_sigmoid(logit), len(ids) - done)

    def _remember(self, request: ScoreRequest, done: int, logit: float) -> None:
        node: Node | None = None
        for end in request.boundaries:
            if end > done:
                node = self._prefixes.insert(request.ids[:end], lambda start, end: self._decoder.read(0, start, end))
        assert node is not None
        node.logit = logit


def _sigmoid(logit: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * logit))
