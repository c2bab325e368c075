"""The knee of a falling curve: the point where it flattens."""

import numpy as np
from numpy.typing import ArrayLike

_FLAT = 1e-12
"""A curve that lies less than this below the line between its ends, relative to its largest value, has no knee."""


def knee(x: ArrayLike, y: ArrayLike) -> int:
    """Index of the point of a curve that lies furthest below the straight line between its ends.

    ``x``, ascending, and ``y`` are ``(n,)``. Returns 0 if no point lies below the line. This is the rule of "Kneedle" (Satopaa
    et al. 2011) without its smoothing. Like any such rule, it depends on where the curve begins and ends.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    spread = x[-1] - x[0]
    along = (x - x[0]) / spread if spread > 0 else np.zeros_like(x)
    below = y[0] + along * (y[-1] - y[0]) - y
    return int(np.argmax(below)) if below.max() > _FLAT * np.abs(y).max() else 0
