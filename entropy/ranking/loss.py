"""PLD as a loss over torch tensors; see :mod:`epf.entropy.ranking.maths` for the formula and its source."""

import torch

_ABSENT = -1e30
"""Logit of an absent candidate: far below any real logit, but finite, so that gradients are finite."""


def pld_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    right: torch.Tensor,
    *,
    tau: float = 1.0,
    present: torch.Tensor | None = None,
) -> torch.Tensor:
    """Loss of each problem, ``(n,)``, in nats. Gradients flow into the student only.

    Args:
        student: logits, ``(n, c)``.
        teacher: logits, ``(n, c)``.
        right: index of the candidate that must come first, ``(n,)``.
        tau: temperature of the teacher's weights.
        present: which candidates are present, ``(n, c)``, including the right one; None for all.
    """
    teacher = teacher.detach()
    if present is not None:
        student, teacher = student.masked_fill(~present, _ABSENT), teacher.masked_fill(~present, _ABSENT)
    first = teacher.scatter(1, right[:, None], torch.inf)
    order = torch.argsort(first, dim=1, descending=True, stable=True)
    s = student.gather(1, order)
    alpha = torch.softmax(teacher / tau, dim=1).gather(1, order)
    log_left = torch.logcumsumexp(s.flip(1), dim=1).flip(1)
    return (alpha * (log_left - s)).sum(dim=1)
