"""The loss of weighted conditional flow matching over torch tensors; see :mod:`epf.entropy.coupling.maths` for its source."""

from collections.abc import Callable

import torch

VelocityField = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Maps times ``(n, 1)`` and positions ``(n, d)`` to velocities ``(n, d)``."""


def flow_matching_loss(
    field: VelocityField, x: torch.Tensor, y: torch.Tensor, t: torch.Tensor, *, eps: float | None = None
) -> torch.Tensor:
    """Mean over pairs of w(x, y) ||v(t, (1 - t) x + t y) - (y - x)||^2, a scalar.

    Args:
        field: the velocity field v to train.
        x: start points, ``(n, d)``, drawn independently of the end points.
        y: end points, ``(n, d)``.
        t: times in [0, 1], ``(n, 1)``.
        eps: scale of the weights w = exp(-||x - y|| / eps), which are not normalised; None for w = 1, the plain loss.
    """
    error = (field(t, (1.0 - t) * x + t * y) - (y - x)).square().sum(dim=1)
    return (error if eps is None else gibbs_weights(x, y, eps) * error).mean()


def gibbs_weights(x: torch.Tensor, y: torch.Tensor, eps: float) -> torch.Tensor:
    """Returns exp(-||x - y|| / eps) of each pair, ``(n,)``, without gradient."""
    return torch.exp(-(y - x).detach().norm(dim=1) / eps)
