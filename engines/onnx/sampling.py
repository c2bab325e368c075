"""Inverse transform sampling: one uniform number per row decides, independently of the other rows in the batch.

The probabilities of all tokens fill [0, 1) in the order of their ids, so that floating-point noise in the logits changes a draw
only if the uniform number is within that noise of a boundary.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


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


def log_probabilities(logits: Floats, ids: NDArray[np.int64]) -> Doubles:
    """Log probability of one id per row at temperature 1, in nats, ``(b,)``."""
    highest = logits.max(axis=1)
    log_total = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    chosen: Floats = logits[np.arange(len(ids)), ids]
    result: Doubles = chosen.astype(np.float64) - log_total
    return result
