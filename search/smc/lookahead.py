r"""Look-ahead: score a particle by one drawn successor, as an auxiliary particle filter does (Pitt & Shephard 1999).

Ancestors are drawn by a guide instead of the log weight. The guide moves the share ``lam`` of the newest log odds l_t to those
of a successor, l_succ. With log_weight = l_t it is (1 - lam) l_t + lam l_succ; lam = 0 is no look-ahead. A survivor keeps the
second-stage weight log_weight - guide, which the kernel carries over, so that the guide steers and the target stays.

- ``redraw``: every survivor draws a fresh successor. Successors are then auxiliary variables, and the filter is exact.
- ``reuse``: the first copy of an ancestor continues with the successor that is already drawn, further copies draw afresh, so
  that only successors of pruned particles are wasted. Ours, and a heuristic: exact where no particle expects more than one
  copy, and with lam = 0. Otherwise successors that raised the expected number of copies of their particle above one count for
  too little, since that correction is shared with copies that drew afresh.

The ePF paper (arXiv 2510.05825) calls its version look-ahead modulation. Its exact equation was not available to us; this is
the textbook auxiliary filter with a one-step guide, not a claim about the paper's.
"""

import numpy as np

from epf.search.smc.weights import BoolArray, FloatArray


def guide(
    log_weights: FloatArray, logits: FloatArray, successor_logits: FloatArray, lam: float, finished: BoolArray
) -> FloatArray:
    """First-stage log weights ``(n,)``: log_weights + lam * (successor_logits - logits), unchanged for finished particles."""
    return np.where(finished, log_weights, log_weights + lam * (successor_logits - logits))
