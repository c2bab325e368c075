"""Exact prequential codes of sequences by n-gram models, which learn while they encode.

The learner is the Dirichlet n-gram: in a context of k symbols it gives a symbol the probability (n_xc + a) / (n_c + a K), with
n_xc of n_c earlier occurrences of the context followed by it, and K symbols in all; a = 1/2 is Krichevsky and Trofimov's
estimator, a = 1 Laplace's rule. Two-part codes as in Finzi et al. (arXiv 2601.03220, Eq. 8) with both sums exact,

    structure = sum_i [log 1/P_i(Z_i) - log 1/P_M(Z_i)],    noise = sum_i log 1/P_M(Z_i),

where P_i has learned the symbols before i and P_M all of them. Their sum is the length of a code of exactly these sequences
that a decoder can follow. Our choice: these small learners replace the paper's neural networks, and their orders replace model
sizes. Regularities that need longer contexts, or any understanding, count as noise.

Structure is never negative: it is at least KL(posterior || prior) of the symbol probabilities (by Jensen's inequality, because
the log likelihood is concave), and grows as half the log of the count of each of them. The total is the code length of a
mixture of all sources of that order, and therefore at least n times the empirical entropy of a symbol given its context.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray, entropy_of_counts
from epf.entropy.core.lattice import join, n_values

ORDERS = (0, 1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Ngram:
    """The code by the model of one order, in nats.

    Attributes:
        order: number of symbols of context.
        n_contexts: number of contexts that occur.
        n_counts: number of pairs of context and symbol that occur, which the model stores.
        online: length of each symbol under the model that has learned the symbols before it, ``(n,)``, for the concatenated
            sequences.
        noise: length of all symbols under the model that has learned all of them.
        empirical: n times the empirical entropy of a symbol given its context; no code of this order is shorter.
    """

    order: int
    n_contexts: int
    n_counts: int
    online: FloatArray
    noise: float
    empirical: float

    @property
    def total(self) -> float:
        """Length of the two-part code, which is that of the online code."""
        return float(self.online.sum())

    @property
    def structure(self) -> float:
        """Length of the model."""
        return max(0.0, self.total - self.noise)


def ngrams(sequences: Sequence[IntArray], n_symbols: int, *, prior: float = 0.5) -> Iterator[Ngram]:
    """Yields the codes of all orders for sequences of symbols 0 ... n_symbols - 1; a model remembers earlier sequences.

    A context does not reach back beyond the start of its sequence. Lengths are taken as known. O(n log n) for n >= 1 symbols in
    total.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    symbols = np.concatenate(sequences)
    position = np.arange(symbols.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    context = np.zeros(symbols.size, dtype=np.intp)
    for order in ORDERS:
        if order > 0:
            # Extend the context by one symbol; a special symbol marks positions before the start of a sequence.
            back = np.full(symbols.size, n_symbols)
            known = position >= order
            back[known] = symbols[np.flatnonzero(known) - order]
            context = join(context, back)
        yield _coded(order, context, symbols, n_symbols, prior)


def _coded(order: int, context: IntArray, symbols: IntArray, n_symbols: int, prior: float) -> Ngram:
    pair = join(context, symbols)
    of_context, of_pair = np.bincount(context), np.bincount(pair)
    online = np.log((_seen_before(context) + prior * n_symbols) / (_seen_before(pair) + prior))
    final = np.log((of_context[context] + prior * n_symbols) / (of_pair[pair] + prior))
    return Ngram(
        order=order,
        n_contexts=n_values(context),
        n_counts=n_values(pair),
        online=online,
        noise=float(final.sum()),
        empirical=symbols.size * max(0.0, entropy_of_counts(of_pair) - entropy_of_counts(of_context)),
    )


def _seen_before(codes: IntArray) -> IntArray:
    """Number of earlier occurrences of each value, ``(n,)``."""
    order = np.argsort(codes, kind="stable")
    position = np.arange(codes.size)
    first = np.diff(codes[order], prepend=-1) > 0
    seen = np.empty_like(order)
    seen[order] = position - np.maximum.accumulate(np.where(first, position, 0))
    return seen
