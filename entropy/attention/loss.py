"""The regulariser of attention entropy over torch tensors; what is the paper's: :mod:`epf.entropy.attention.maths`."""

import math

import torch

from epf.entropy.attention.maths import Granularity


def row_entropies(attention: torch.Tensor) -> torch.Tensor:
    """Entropy of each query, ``(..., t)``, of maps ``(..., t, t)``; keys that are masked out add nothing, nor a gradient."""
    logs = attention.clamp(min=torch.finfo(attention.dtype).tiny).log()
    return -torch.where(attention > 0, attention * logs, 0.0).sum(dim=-1)


def attention_penalty(
    attention: torch.Tensor, theta: torch.Tensor, *, gamma: float = 0.2, granularity: Granularity = "head"
) -> torch.Tensor:
    """Value of the regulariser, a scalar, to be added to the loss times lambda; gradients flow into both tensors.

    Args:
        attention: maps, ``(..., l, h, t, t)`` with t >= 2; the mean is taken over all that stands before t.
        theta: wanted entropy of each head as a part of ln T, ``(l, h)`` or a scalar; learnable.
        gamma: tolerance as a part of ln T, within which nothing is charged.
        granularity: what is charged.
    """
    entropies, most = row_entropies(attention), math.log(attention.shape[-1])
    charged = entropies.mean(dim=-1, keepdim=True) if granularity == "head" else entropies
    deviation = charged - theta[..., None] * most
    return torch.where(deviation.abs() > gamma * most, deviation**2, 0.0).mean()
