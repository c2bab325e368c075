"""What symbols cost: exactly, by the probabilities that an entropy coder works with, and in its output.

A coder needs probabilities that are multiples of 2^-24 and none zero. They are rounded here, once, and both figures are taken
from the same table; so the coder's output is never shorter than the information content, and longer only by its own waste.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from epf.core.extras import needed
from epf.entropy.core.information import FloatArray, IntArray

PRECISION = 24
"""Bits of the coder's probabilities."""

MAX_SYMBOLS = 4096
"""Of one alphabet: so few that rounding to at least 2^-24 each takes less than 0.03 % of the probability from the others."""


def table(p: FloatArray) -> IntArray:
    """Probabilities ``(k,)`` in units of 2^-24, each at least 1; they sum to 2^24. k <= 4096."""
    cumulative = np.floor(np.cumsum(p) * ((2**PRECISION - p.size) / p.sum()))
    cumulative[-1] = 2**PRECISION - p.size
    return np.asarray(np.diff(cumulative, prepend=0.0) + 1, dtype=np.intp)


def information(symbols: IntArray, frequencies: IntArray) -> FloatArray:
    """Information content of each symbol in bits, same shape as ``symbols``, by a :func:`table`."""
    return np.asarray((PRECISION - np.log2(frequencies))[symbols])


def encode(parts: Iterable[tuple[IntArray, IntArray]]) -> NDArray[np.uint32]:
    """One stream of symbols ``(n,)``, each part with its own table, as a range coder writes it: words of 32 bits."""
    constriction = needed("constriction", "entropy")
    encoder = constriction.stream.queue.RangeEncoder()
    for symbols, frequencies in parts:
        encoder.encode(symbols.astype(np.int32), model(frequencies))
    return np.asarray(encoder.get_compressed(), dtype=np.uint32)


def model(frequencies: IntArray) -> object:
    """Constriction's model with exactly these frequencies, of at least two symbols.

    It shares 2^24 - k among the symbols in proportion to what it is given and adds 1 to each, which is undone before.
    """
    constriction = needed("constriction", "entropy")
    return constriction.stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)
