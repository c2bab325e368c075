"""The length of symbols: their information content under an entropy coder's probabilities, and the length of its output.

A coder needs positive probabilities that are multiples of 2^-24. They are rounded here, once, and both lengths use the same
table, so that the coder's output is never shorter than the information content, and longer only by the coder's own overhead.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from epf.core.extras import import_extra
from epf.entropy.core.information import FloatArray, IntArray

PRECISION = 24
"""Bits of the coder's probabilities."""

MAX_SYMBOLS = 4096
"""Maximum size of an alphabet; the minimum of 2^-24 per symbol then takes less than 0.03 % of the total probability."""


def table(p: FloatArray) -> IntArray:
    """Probabilities ``(k,)``, k <= 4096, as integers in units of 2^-24, each at least 1, that sum to 2^24."""
    cumulative = np.floor(np.cumsum(p) * ((2**PRECISION - p.size) / p.sum()))
    cumulative[-1] = 2**PRECISION - p.size
    return np.asarray(np.diff(cumulative, prepend=0.0) + 1, dtype=np.intp)


def information(symbols: IntArray, frequencies: IntArray) -> FloatArray:
    """Information content of each symbol in bits, same shape as ``symbols``, by a :func:`table`."""
    return np.asarray((PRECISION - np.log2(frequencies))[symbols])


def encode(parts: Iterable[tuple[IntArray, IntArray]]) -> NDArray[np.uint32]:
    """Encodes symbols ``(n,)``, each part with its own table, into one stream of a range coder, in words of 32 bits."""
    constriction = import_extra("constriction", "entropy")
    encoder = constriction.stream.queue.RangeEncoder()
    for symbols, frequencies in parts:
        encoder.encode(symbols.astype(np.int32), model(frequencies))
    return np.asarray(encoder.get_compressed(), dtype=np.uint32)


def model(frequencies: IntArray) -> object:
    """Constriction's model with exactly these frequencies of at least two symbols.

    Constriction distributes 2^24 - k in proportion to its input and adds 1 to each symbol, so this subtracts 1 first.
    """
    constriction = import_extra("constriction", "entropy")
    return constriction.stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)
