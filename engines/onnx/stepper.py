"""Continuous batching: every row samples one step; rows join and leave between iterations.

A row's cache holds all tokens of its prefix except the last, which is the first token that decoding feeds. When a step ends,
its keys and values are added to the prefix cache, so that the next step of any particle with that prefix starts at once.

Tokens are drawn by inverse transform: one uniform number per row decides, independently of the other rows in the batch. The
probabilities of all tokens fill [0, 1) in the order of their ids, so that floating-point noise in the logits changes a draw
only if the uniform number is within that noise of a boundary.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from epf.core.generator import Finish
from epf.engines.onnx.batcher import Job
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.prefix_cache import PrefixCache

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

PROMPT_TOKENS_PER_ITERATION = 512
"""Once this many tokens were computed, new prompts wait, so that they do not hold up the rows that are decoding."""


@dataclass(frozen=True, slots=True)
class StepRequest:
    """One step to sample.

    Attributes:
        prefix: at least one token.
        max_tokens: at least one, and no more than the context has room for.
        n_top: number of most likely tokens to report for each sampled one.
        finish_of: called with each sampled token; returns how it ends the step, None if it does not.
    """

    prefix: tuple[int, ...]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    n_top: int
    finish_of: Callable[[int], Finish | None]


@dataclass(frozen=True, slots=True)
class SampledStep:
    """Tokens as sampled, why the step ended, and the log probability of each token at temperature 1.

    ``top`` has the ids and log probabilities of the most likely tokens at each position, most likely first, if requested.
    """

    ids: tuple[int, ...]
    finish: Finish
    log_probs: tuple[float, ...]
    top: tuple[tuple[tuple[int, float], ...], ...] = ()


StepJob: TypeAlias = Job[StepRequest, SampledStep]


@dataclass(slots=True)
class _Row:
    job: StepJob
    uniforms: NDArray[np.float64]
    length: int
    next_id: int
    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    top: list[tuple[tuple[int, float], ...]] = field(default_factory=list)


class Stepper:
    """The generator's engine: rows 0 to b - 1 of the decoder's cache are the particles that sample now.

    Attributes:
        n_computed: number of prompt and step tokens that the model has computed so far.
        n_iterations: number of decoding iterations so far.
    """

    def __init__(self, decoder: Decoder, prefixes: PrefixCache, max_rows: int, forbidden: NDArray[np.int64]) -> None:
        self._decoder = decoder
        self._prefixes = prefixes
        self._max_rows = max_rows
        self._forbidden = forbidden
        self._waiting: deque[StepJob] = deque()
        self._rows: list[_Row] = []
        self.n_computed = 0
        self.n_iterations = 0

    def advance(self, arrived: list[StepJob]) -> bool:
        """Drop cancelled rows, admit waiting ones and sample one token of each row."""
        self._waiting.extend(arrived)
        self._remove([i for i, row in enumerate(self._rows) if row.job.cancelled])
        self._admit()
        if self._rows:
            self._sample()
        return bool(self._rows or self._waiting)

    def clear(self) -> list[StepJob]:
        """Forget all open jobs and return them."""
        jobs = [row.job for row in self._rows] + list(self._waiting)
        self._rows.clear()
        self._waiting.clear()
        return jobs

    def _admit(self) -> None:
        enough = self.n_computed + PROMPT_TOKENS_PER_ITERATION
        while self._waiting and len(self._rows) < self._max_rows and self.n_computed < enough:
            job = self._waiting[0]
            if not job.cancelled:
                self._start(job)
            self._waiting.popleft()

    def _start(self, job: StepJob) -> None:
        """Fill the next free row with the job's prefix: copy what is cached, compute and cache the rest."""
        *known, last = job.request.prefix
        ids = tuple(known)
        slot = len(self._rows)
        path = self._prefixes.find(ids)
        for node in path:
            self._decoder.write(slot, node.end - len(node.ids), self._prefixes.content(node))
        done = path[-1].end if path else 0
        if done < len(ids):
            self._decoder.extend(slot, done, ids[done:])
            self.n_computed += len(ids) - done
            self._prefixes.insert(ids, lambda start, end: self._decoder.read(slot, start, end))
        uniforms = np.random.default_rng(job.request.seed).random(job.request.max_tokens)
        self._rows.append(_Row(job, uniforms, len(ids), last))

    def _sample(self) -> None:
        rows = self._rows
        lengths = np.array([row.length for row in rows])
        logits = self._decoder.decode(np.array([row.next_id for row in rows]), lengths)
        allowed = logits.copy()
        allowed[:, self._forbidden] = -np.inf
        ids = draw(
            allowed,
            np.array([row.job.request.temperature for row in rows]),
            np.array([row.job.request.top_p for row in rows]),
            np.array([row.uniforms[len(row.ids)] for row in rows]),
        )
        log_totals = log_total(logits)
        log_probs = logits[np.arange(len(ids)), ids].astype(np.float64) - log_totals
        self.n_computed += len(rows)
        self.n_iterations += 1
        ended = []
        for i, (row, id_, log_prob) in enumerate(zip(rows, ids.tolist(), log_probs.tolist(), strict=True)):
            row.length += 1
            row.next_id = id_
            row.ids.append(id_)
            row.log_probs.append(log_prob)
            request = row.job.request
            if request.n_top:
                row.top.append(most_likely(logits[i], request.n_top, log_totals[i]))
            finish = request.finish_of(id_) or ("length" if len(row.ids) == request.max_tokens else None)
            if finish is not None:
                self._finish(i, finish)
                ended.append(i)
        self._remove(ended)

    def _finish(self, slot: int, finish: Finish) -> None:
        row = self._rows[slot]
        if finish != "eos":
            computed = row.job.request.prefix + tuple(row.ids[:-1])
            self._prefixes.insert(computed, lambda start, end: self._decoder.read(slot, start, end))
        row.job.finish(SampledStep(tuple(row.ids), finish, tuple(row.log_probs), tuple(row.top)))

    def _remove(self, slots: list[int]) -> None:
        """Remove rows from the batch; the last rows take their places."""
        for slot in reversed(slots):
            last = self._rows.pop()
            if slot < len(self._rows):
                self._decoder.move(len(self._rows), slot, last.length)
                self._rows[slot] = last


def draw(logits: Floats, temperature: Doubles, top_p: Doubles, uniform: Doubles) -> NDArray[np.int64]:
    """Draw one token id per row, ``(b,)``.

    Args:
        logits: ``(b, vocabulary)``; -inf is never drawn.
        temperature: ``(b,)``; 0 takes the most likely token, with the lowest id among equals.
        top_p: ``(b,)`` in (0, 1]: draw from the smallest set of most likely tokens with this mass at that temperature, and from
            those that are as likely as the least likely of them.
        uniform: ``(b,)`` in [0, 1).
    """
    greedy = temperature == 0
    scale = np.where(greedy, 1.0, temperature).astype(np.float32)
    mass = np.exp((logits - logits.max(axis=1, keepdims=True)) / scale[:, None]).astype(np.float64)
    if (nuclear := top_p < 1).any():
        mass[nuclear] = _nucleus(mass[nuclear], top_p[nuclear])
    cumulative = np.cumsum(mass, axis=1)
    drawn = np.argmax(cumulative > (uniform * cumulative[:, -1])[:, None], axis=1)
    result: NDArray[np.int64] = np.where(greedy, np.argmax(logits, axis=1), drawn)
    return result


def _nucleus(mass: Doubles, top_p: Doubles) -> Doubles:
    """``mass``, ``(b, vocabulary)``, set to zero outside the nucleus with ``top_p`` of each row."""
    ranked = np.sort(mass, axis=1)[:, ::-1]
    cumulative = np.cumsum(ranked, axis=1)
    inside = cumulative - ranked < top_p[:, None] * cumulative[:, -1:]
    least = np.where(inside, ranked, np.inf).min(axis=1, keepdims=True)
    return np.where(mass >= least, mass, 0.0)


def log_total(logits: Floats) -> Floats:
    """Logarithm of the sum of exp(logits) of each row, ``(b,)``: what a logit exceeds its log probability by."""
    highest = logits.max(axis=1)
    result: Floats = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    return result


def most_likely(logits: Floats, n: int, log_total: float) -> tuple[tuple[int, float], ...]:
    """Ids and log probabilities of the ``n`` most likely tokens, most likely first; ``logits`` are ``(vocabulary,)``."""
    n = min(n, len(logits))
    ids = np.argpartition(-logits, n - 1)[:n]
    ids = ids[np.lexsort((ids, -logits[ids]))]
    return tuple(zip(ids.tolist(), (logits[ids].astype(np.float64) - log_total).tolist(), strict=True))
