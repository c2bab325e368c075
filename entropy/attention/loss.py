"""The regulariser of attention entropy over torch tensors; see :mod:`epf.entropy.attention.maths` for its source."""

import math

import torch

from epf.entropy.attention.maths import Granularity


def row_entropies(attention: torch.Tensor) -> torch.Tensor:
    """Entropy of each query, ``(..., t)``, of maps ``(..., t, t)``; masked keys contribute neither value nor gradient."""
    logs = attention.clamp(min=torch.finfo(attention.dtype).tiny).log()
    return -torch.where(attention > 0, attention * logs, 0.0).sum(dim=-1)


def attention_penalty(
    attention: torch.Tensor, theta: torch.Tensor, *, gamma: float = 0.2, granularity: Granularity = "head"
) -> torch.Tensor:
    """Value of the regulariser, a scalar, to be added to the loss times lambda; gradients flow into both tensors.

    Args:
        attention: maps, ``(..., l, h, t, t)`` with t >= 2; the result is the mean over all leading dimensions.
        theta: target entropy of each head as a part of ln T, ``(l, h)`` or a scalar; learnable.
        gamma: tolerance as a part of ln T, within which the charge is 0.
        granularity: whether heads or single queries are charged.
    """
    entropies, uniform = row_entropies(attention), math.log(attention.shape[-1])
    charged = entropies.mean(dim=-1, keepdim=True) if granularity == "head" else entropies
    deviation = charged - theta[..., None] * uniform
    return torch.where(deviation.abs() > gamma * uniform, deviation**2, 0.0).mean()
