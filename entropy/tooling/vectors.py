"""Vectors that represent traces, built from their scores, log probabilities or words.

These representations are ours. If you have embeddings or hidden states, give those instead.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal
from zlib import crc32

import numpy as np

from epf.entropy.core.checks import refuse
from epf.entropy.core.information import FloatArray
from epf.entropy.traces import Trace

Kind = Literal["scores", "logprobs", "words"]

N_POINTS = 16
"""Number of points, from the first to the last step, at which a curve over the steps of a trace is read."""

N_BUCKETS = 512
"""Number of buckets in which words are counted, by a checksum of the word."""

_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|[^\w\s]")


def vectors_of(traces: Sequence[Trace], rows: Sequence[int], kind: Kind) -> FloatArray:
    """Returns one vector for each of the traces with these numbers, ``(n, k)``.

    ``scores`` are the reward model's scores along the steps (k = 16). ``logprobs`` are the mean log probabilities of each
    step's tokens, read at the same number of points. ``words`` are the counts of each word, number and sign, scaled to length 1
    (k = 512); out of 100 different words, about 18 share a bucket with another.

    Raises:
        InvalidRequest: A trace does not have the requested data.
    """
    return np.array([_VECTOR[kind](traces[i], f"traces.{i}") for i in rows])


def _scores(trace: Trace, field: str) -> FloatArray:
    if not trace.scores:
        raise refuse(f"{field}.scores", "is empty or missing", "give the reward model's scores, or choose other vectors")
    return _curve(trace.scores)


def _logprobs(trace: Trace, field: str) -> FloatArray:
    known = [[value for value in step if value is not None] for step in trace.logprobs or ()]
    means = [float(np.mean(step)) for step in known if step]
    if not means:
        raise refuse(
            f"{field}.logprobs", "is empty or missing", "give log probabilities of its tokens, or choose other vectors"
        )
    return _curve(means)


def _words(trace: Trace, field: str) -> FloatArray:
    counts = np.zeros(N_BUCKETS)
    for step in trace.steps:
        for word in _WORD.findall(step.lower()):
            counts[crc32(word.encode()) % N_BUCKETS] += 1
    length = np.linalg.norm(counts)
    if length == 0:
        raise refuse(f"{field}.steps", "has no words", "give the texts of its steps, or choose other vectors")
    return np.asarray(counts / length)


def _curve(values: Sequence[float]) -> FloatArray:
    """Interpolates linearly between evenly spaced values; a single value gives a constant curve."""
    return np.asarray(np.interp(np.linspace(0, 1, N_POINTS), np.linspace(0, 1, len(values)), values))


_VECTOR: dict[Kind, Callable[[Trace, str], FloatArray]] = {"scores": _scores, "logprobs": _logprobs, "words": _words}
