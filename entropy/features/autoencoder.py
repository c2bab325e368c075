"""A small sparse autoencoder that splits hidden states into features, in plain numpy; fitting takes seconds on a CPU.

The design is that of the code of "Superposition as Lossy Compression" (arXiv 2512.13568): one dictionary W ``(d, m)`` of m
features encodes and decodes, z = relu(x W + b), x' = z W^T. Adam with a learning rate of 1e-3 and batches of 128 minimises the
squared error plus l times the sum of z, until the loss has not fallen for 10 epochs. Our changes: states are first scaled to a
mean squared length of 1, and both terms are sums over a state, where that code has means, so that l has the same meaning for
every model and width; and the stopping rule uses the loss on a tenth of the states, which is held out. The mean of the states
stays in them, as in that code: where all features are active at once, little but the mean can be distinguished, and one feature
that encodes it shows that. Without the mean, the count was as high as for sparse features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray

Float32 = NDArray[np.float32]

BATCH = 128
LEARNING_RATE = 1e-3
PATIENCE = 10
HELD_OUT = 10
"""One in this number of states is held out."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """An autoencoder that was fitted to states ``(s, d)``.

    Attributes:
        codes: z of all states, ``(s, m)``.
        explained: part of the held-out states' mean squared length that is reconstructed.
        per_state: mean number of active features per state.
        epochs: number of passes over the states.
    """

    codes: FloatArray
    explained: float
    per_state: float
    epochs: int


def fit(states: FloatArray, *, width: int, sparsity: float, epochs: int, seed: int) -> Fitted:
    """Fits ``width`` features to ``states``, ``(s, d)`` with s >= 2, in up to ``epochs`` passes; ``sparsity`` is l."""
    rng = np.random.default_rng(seed)
    x = states.astype(np.float32)
    x /= max(float(np.sqrt(np.mean((x**2).sum(axis=1)))), 1e-12)
    order = rng.permutation(len(x))
    held_out, training = np.split(x[order], [max(1, len(x) // HELD_OUT)])
    dictionary, bias = _start(x.shape[1], width, rng)
    best, least, since, epoch = (dictionary, bias), np.inf, 0, 0
    adam = _Adam(dictionary, bias)
    while epoch < epochs and since < PATIENCE:
        epoch += 1
        for batch in np.array_split(rng.permutation(training), max(1, len(training) // BATCH)):
            _, gradients = loss_and_gradients(batch, dictionary, bias, sparsity)
            adam.step(gradients)
        loss, _ = loss_and_gradients(held_out, dictionary, bias, sparsity)
        since += 1
        if loss < least:
            best, least, since = (dictionary.copy(), bias.copy()), loss, 0
    dictionary, bias = best
    rest = held_out - encode(held_out, dictionary, bias) @ dictionary.T
    codes = encode(x, dictionary, bias)
    return Fitted(
        codes.astype(np.float64),
        explained=1.0 - float(np.mean(rest**2) / max(float(np.mean(held_out**2)), 1e-12)),
        per_state=float((codes > 0).sum(axis=1).mean()),
        epochs=epoch,
    )


def encode(x: NDArray[np.floating], dictionary: NDArray[np.floating], bias: NDArray[np.floating]) -> NDArray[np.floating]:
    """Codes ``(s, m)`` of states ``(s, d)``."""
    return np.asarray(np.maximum(0, x @ dictionary + bias))


def loss_and_gradients(
    x: NDArray[np.floating], dictionary: NDArray[np.floating], bias: NDArray[np.floating], sparsity: float
) -> tuple[float, tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """The loss of states ``(s, d)``, and its gradients with respect to dictionary ``(d, m)`` and bias ``(m,)``."""
    z = encode(x, dictionary, bias)
    rest = z @ dictionary.T - x
    n = len(x)
    loss = float((np.sum(rest**2) + sparsity * np.sum(z)) / n)
    by_output = rest * (2 / n)
    by_z = np.where(z > 0, by_output @ dictionary + sparsity / n, 0).astype(x.dtype)
    return loss, (x.T @ by_z + by_output.T @ z, by_z.sum(axis=0))


def _start(d: int, width: int, rng: np.random.Generator) -> tuple[Float32, Float32]:
    """Random directions of length 1, and a bias of 0."""
    dictionary = rng.normal(size=(d, width))
    return (dictionary / np.linalg.norm(dictionary, axis=0)).astype(np.float32), np.zeros(width, np.float32)


class _Adam:
    """Adam (Kingma and Ba 2015) with its usual constants; updates the parameters in place."""

    def __init__(self, *parameters: Float32) -> None:
        self._parameters = parameters
        self._mean = [np.zeros_like(part) for part in parameters]
        self._square = [np.zeros_like(part) for part in parameters]
        self._steps = 0

    def step(self, gradients: tuple[NDArray[np.floating], ...]) -> None:
        self._steps += 1
        rate = LEARNING_RATE * np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps)
        for part, gradient, mean, square in zip(self._parameters, gradients, self._mean, self._square, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            part -= (rate * mean / (np.sqrt(square) + 1e-8)).astype(np.float32)
