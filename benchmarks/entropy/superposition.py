"""Features in superposition: ``python -m benchmarks.entropy.superposition`` writes ``benchmarks/results/superposition.md``.

How well the number of features that ``features`` counts in hidden states follows the number that a model really holds. The toy
is that of Elhage et al., "Toy Models of Superposition" (arXiv 2209.10652), as in the paper of the tool (arXiv 2512.13568).
"""

import argparse
import math
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.entropy.core.information import FloatArray
from epf.entropy.features.autoencoder import fit
from epf.entropy.features.maths import effective_features
from epf.entropy.features.schema import FeaturesInput

COMMAND = "python -m benchmarks.entropy.superposition"
DENSITIES = (1.0, 0.25, 0.05, 0.01)
EPOCHS = 800


def superposed(density: float, seed: int) -> tuple[FloatArray, float]:
    """Hidden states of a toy model that holds up to 40 features in 14 neurons, and the number of features that it represents.

    x' = relu(W^T W x + b) learns to reconstruct x, whose 40 features are each active with probability ``density``. The dense
    model keeps no more features than it has neurons; the sparser the features, the more of them it holds in superposition. It
    represents sum min(1, |W_i|^2).
    """
    n, m, batch, rate = 40, 14, 256, 3e-3
    rng = np.random.default_rng(seed)

    def draw(size: int) -> FloatArray:
        return rng.random((size, n)) * (rng.random((size, n)) < density)

    weights, bias = rng.normal(size=(m, n)) * 0.5 / math.sqrt(m), np.zeros(n)
    mean, square = [np.zeros((m, n)), np.zeros(n)], [np.zeros((m, n)), np.zeros(n)]
    for t in range(1, 1501):
        x = draw(batch)
        hidden = x @ weights.T
        output = hidden @ weights + bias
        by_output = np.where(output > 0, np.maximum(output, 0) - x, 0) * (2 / batch)
        gradients = hidden.T @ by_output + weights @ by_output.T @ x, by_output.sum(axis=0)
        for k, gradient in enumerate(gradients):  # Adam
            mean[k] = 0.9 * mean[k] + 0.1 * gradient
            square[k] = 0.999 * square[k] + 0.001 * gradient**2
            change = rate * mean[k] / (1 - 0.9**t) / (np.sqrt(square[k] / (1 - 0.999**t)) + 1e-8)
            if k == 0:
                weights = weights - change
            else:
                bias = bias - change
    return draw(3000) @ weights.T, float(np.minimum(1, (weights**2).sum(axis=0)).sum())


def counted(density: float, seed: int) -> tuple[float, float]:
    """Number of features that a model represents, and the number that the tool counts in its states."""
    hidden, n_features = superposed(density, seed)
    found = fit(hidden, width=4 * hidden.shape[1], sparsity=FeaturesInput().sparsity, epochs=EPOCHS, seed=seed)
    return n_features, effective_features(found.codes, resamples=0, rng=np.random.default_rng(0)).number


def correlation(pairs: list[tuple[float, float]]) -> float:
    """Pearson's r of truth and count."""
    return float(np.corrcoef(np.array(pairs).T)[0, 1])


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    cells: list[dict[str, Any]] = []
    for seed in range(args.seeds):
        pairs = [counted(density, seed) for density in DENSITIES]
        cells.append({"seed": seed, "pairs": pairs, "r": correlation(pairs)})
    rows = [
        f"| {cell['seed']} | {' | '.join(f'{truth:.1f} / {count:.1f}' for truth, count in cell['pairs'])} | {cell['r']:.3f} |"
        for cell in cells
    ]
    table = [
        f"| seed | {' | '.join(f'density {density:g}' for density in DENSITIES)} | r |",
        f"|{' --- |' * (len(DENSITIES) + 2)}",
        *rows,
    ]
    note = (
        "Features that a toy model represents / features that `epf entropy features` counts in its hidden states at its "
        f"default sparsity, and Pearson's r of the two over the densities. `{COMMAND}` measures it again."
    )
    page = "\n".join(["# Features in superposition", "", *table, "", note, ""])
    save(RESULTS / "superposition", {"command": COMMAND, "densities": DENSITIES, "cells": cells}, page)


if __name__ == "__main__":
    main()
