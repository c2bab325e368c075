"""Exact prequential codes of sequences by n-gram models, which learn while they code.

The learner is the Dirichlet n-gram: in a context of k symbols it gives a symbol the probability (n_xc + a) / (n_c + a K), with
n_xc of n_c earlier occurrences of the context followed by it, and K symbols in all; a = 1/2 is Krichevsky and Trofimov's
estimator, a = 1 Laplace's rule. Two-part codes as in Finzi et al. (arXiv 2601.03220, Eq. 8) with both sums exact,

    structure = sum_i [log 1/P_i(Z_i) - log 1/P_M(Z_i)],    noise = sum_i log 1/P_M(Z_i),

where P_i has learned the symbols before i and P_M all. Their sum is a true code length, which a decoder can follow, of these
very sequences. That learners this small stand in for the paper's neural networks, and their orders for model sizes, is ours:
what needs longer contexts, or any understanding, counts as noise.

Structure is never negative: it is at least what was learned, KL(posterior || prior) of the symbol probabilities (by Jensen's
inequality, as the log likelihood is concave), and grows as half the log of the count for each of them. The total is that of a
mixture of all sources of that order, so never below n times the empirical entropy of a symbol given its context.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray, entropy_of_counts
from epf.entropy.core.lattice import join, n_values

ORDERS = (0, 1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Ngram:
    """The code by one order, in nats.

    Attributes:
        n_contexts: contexts that occur.
        n_counts: pairs of context and symbol that occur: what the model stores.
        online: length of each symbol by what was learned before it, ``(n,)``, sequences one after another.
        noise: length of all symbols by the model that has learned them all.
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
        """Length of the two-part code: that of the online code."""
        return float(self.online.sum())

    @property
    def structure(self) -> float:
        """Length of what was learned."""
        return max(0.0, self.total - self.noise)


def ngrams(sequences: Sequence[IntArray], n_symbols: int, *, prior: float = 0.5) -> Iterator[Ngram]:
    """Codes of all orders, of sequences of symbols 0 ... n_symbols - 1; a model remembers earlier sequences.

    A context ends where its sequence begins. Lengths are taken as known. O(n log n) for n symbols in all, of which there is
    at least one.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    symbols = np.concatenate(sequences)
    place = np.arange(symbols.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    context = np.zeros(symbols.size, dtype=np.intp)
    for order in ORDERS:
        if order > 0:
            # One symbol further back; before the beginning stands a symbol of its own.
            back = np.full(symbols.size, n_symbols)
            known = place >= order
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
    """How often each value occurred before, ``(n,)``."""
    order = np.argsort(codes, kind="stable")
    place = np.arange(codes.size)
    first = np.diff(codes[order], prepend=-1) > 0
    seen = np.empty_like(order)
    seen[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return seen
