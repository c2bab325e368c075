"""STEER's weighted policy loss over torch tensors; see :mod:`epf.entropy.tokens.maths` for the formulas and their sources.

The loss is that of PPO with clipping, without the bound that some implementations put on the ratio of tokens with negative
advantage (dual clip). Gradients flow into all logits.
"""

import torch

from epf.entropy.tokens.maths import SCALE_FLOOR, Clip, Form, WeightMap

PUBLISHED = Clip()
"""The clipping of the authors' runs."""


def clipped(log_ratio: torch.Tensor, advantage: torch.Tensor, clip: Clip) -> torch.Tensor:
    """Mask of the tokens whose gradient is stopped by the clipping, same shape."""
    ratio = log_ratio.exp()
    return ((advantage > 0) & (ratio > 1 + clip.high)) | ((advantage < 0) & (ratio < 1 - clip.low))


def entropy_change(
    logits: torch.Tensor, chosen: torch.Tensor, old_log_p: torch.Tensor, advantage: torch.Tensor, *, form: Form, clip: Clip
) -> torch.Tensor:
    """Entropy change per unit of learning rate, ``(...)``, without a gradient.

    Args:
        logits: logits at each token, ``(..., k)``.
        chosen: index of the sampled token, ``(...)``.
        old_log_p: log probability of the token when it was sampled, ``(...)``.
        advantage: advantage of the token, ``(...)``.
        form: form of the change.
        clip: clipping of the ratio, which ``released`` ignores.
    """
    with torch.no_grad():
        log_p_all = torch.log_softmax(logits, dim=-1)
        p_all = log_p_all.exp()
        entropy = -torch.special.xlogy(p_all, p_all).sum(dim=-1)
        log_p = log_p_all.gather(-1, chosen[..., None])[..., 0]
        p, rest, surprise = log_p.exp(), -torch.expm1(log_p), log_p + entropy
        pushed = advantage * (log_p - old_log_p).exp()
        if form == "released":
            return -pushed * rest * surprise
        flows = pushed.masked_fill(clipped(log_p - old_log_p, advantage, clip), 0.0)
        if form == "theorem":
            return -flows * p * rest * surprise
        spread = (p_all**2 * (log_p_all + entropy[..., None])).sum(dim=-1)
        return -flows * (p * surprise - spread)


def steer_weights(change: torch.Tensor, mask: torch.Tensor, kind: WeightMap, *, low: float, high: float) -> torch.Tensor:
    """Weight of each token, same shape, without a gradient; 0 where ``mask`` is false, and the others are one batch."""
    with torch.no_grad():
        size = change.abs()
        if not mask.any():
            return torch.zeros_like(size)
        least, most = size[mask].min(), size[mask].max()
        if kind == "exponential":
            rate = torch.log(torch.tensor(low, dtype=size.dtype, device=size.device)) / most.clamp(min=SCALE_FLOOR)
            weight = (rate * size).exp().clamp(low, 1.0)
        elif most == least:
            weight = torch.full_like(size, (low + high) / 2)
        else:
            weight = high - (high - low) * ((size - least) / (most - least))
        return weight.masked_fill(~mask, 0.0)


def steer_loss(
    logits: torch.Tensor,
    chosen: torch.Tensor,
    old_log_p: torch.Tensor,
    advantage: torch.Tensor,
    mask: torch.Tensor,
    *,
    form: Form = "theorem",
    weights: WeightMap = "linear",
    low: float = 0.8,
    high: float = 1.2,
    clip: Clip = PUBLISHED,
) -> torch.Tensor:
    """Mean over the tokens in ``mask``, ``(...)``, of PPO's clipped loss times STEER's weight; 0 if the mask is empty."""
    change = entropy_change(logits, chosen, old_log_p, advantage, form=form, clip=clip)
    weight = steer_weights(change, mask, weights, low=low, high=high)
    log_p = torch.log_softmax(logits, dim=-1).gather(-1, chosen[..., None])[..., 0]
    ratio = (log_p - old_log_p).exp()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip.low, 1 + clip.high) * advantage)
    return -(weight * gain).sum() / mask.sum().clamp(min=1)
