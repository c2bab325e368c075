"""The stochastic bottleneck with a learned prior, for training vectors that can be sent in few bits.

It is part of the entropic student (Matsubara et al., arXiv 2108.11898), which takes the prior from Ballé et al., "Variational
image compression with a scale hyperprior" (arXiv 1802.01436, section 6.1): a monotone net per channel is the logit of the
cumulative distribution c, and p(z) = c(z + 1/2) - c(z - 1/2). The training loss is the task's loss plus beta times the bits.
Our change: medians are found by bisection, where the papers learn them with a separate loss.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (1, 3, 3, 3, 3, 1)
INITIAL_SCALE = 10.0
LEAST_LIKELIHOOD = 1e-9
_BISECTIONS = 60


class FactorisedPrior(nn.Module):
    """A learned density for each of ``channels`` channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self._matrices, self._biases, self._gates = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        shrink = INITIAL_SCALE ** (1 / (len(WIDTHS) - 1))
        for i, (n_in, n_out) in enumerate(pairwise(WIDTHS)):
            start = math.log(math.expm1(1 / shrink / n_out))
            self._matrices.append(nn.Parameter(torch.full((channels, n_out, n_in), start)))
            self._biases.append(nn.Parameter(torch.empty(channels, n_out, 1).uniform_(-0.5, 0.5)))
            if i < len(WIDTHS) - 2:
                self._gates.append(nn.Parameter(torch.zeros(channels, n_out, 1)))

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        """Logit of c at ``(n, channels)``, increasing in each channel; same shape."""
        h = z.T[:, None, :]
        for i, (matrix, bias) in enumerate(zip(self._matrices, self._biases, strict=True)):
            h = functional.softplus(matrix) @ h + bias
            if i < len(self._gates):
                h = h + torch.tanh(self._gates[i]) * torch.tanh(h)
        return h[:, 0, :].T

    def likelihood(self, z: torch.Tensor) -> torch.Tensor:
        """Probability of the interval of length 1 around each value, ``(n, channels)``, at least 1e-9."""
        low, high = self.logits(z - 0.5), self.logits(z + 0.5)
        # The difference is taken on the side where both values are small; otherwise it vanishes far out.
        side = torch.where(low + high > 0, -1.0, 1.0).to(z.dtype).detach()
        p = (torch.sigmoid(side * high) - torch.sigmoid(side * low)).abs()
        return p.clamp(min=LEAST_LIKELIHOOD)

    @torch.no_grad()
    def medians(self) -> torch.Tensor:
        """The points where c is 1/2, ``(channels,)``."""
        low, high = (torch.full_like(self._biases[0][None, :, 0, 0], bound) for bound in (-1.0, 1.0))
        while (self.logits(low) > 0).any() or (self.logits(high) < 0).any():
            low, high = 2 * low, 2 * high
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            above = self.logits(middle) > 0
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return ((low + high) / 2)[0]


class StochasticBottleneck(nn.Module):
    """A quantiser: it adds noise in training, so that gradients pass, and rounds in evaluation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.prior = FactorisedPrior(channels)

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the quantised ``(n, channels)`` and the bits of each row, ``(n,)``, under the prior.

        The quantised values are z + U(-1/2, 1/2) in training and round(z - median) + median in evaluation.
        """
        if self.training:
            coarse = z + torch.rand_like(z) - 0.5
        else:
            medians = self.prior.medians()
            coarse = torch.round(z - medians) + medians
        return coarse, -torch.log2(self.prior.likelihood(coarse)).sum(dim=1)
