"""Distils a stronger reward model's ranking: the solutions of a row are the candidates, ranked by their last scores.

The loss is PLD (arXiv 2506.12542, see :mod:`epf.entropy.ranking.maths`) with the right solution first. We add it to the
cross-entropy of the labels, because PLD ignores a shift of all logits and a score must remain a probability.
"""

from pathlib import Path

import torch
from transformers import LlamaForSequenceClassification

from epf.entropy.ranking.loss import pld_loss
from epf.training.reward_model.examples import Batch, hidden_states


class Teacher:
    """A reward model with the student's tokenizer, from its Hugging Face directory."""

    def __init__(self, directory: Path, device: str) -> None:
        self._model = LlamaForSequenceClassification.from_pretrained(directory).to(device).eval().requires_grad_(False)
        self._model.config._attn_implementation = "sdpa"
        self._device = device

    @torch.no_grad()
    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the log odds of each solution at its end, ``(b, s)``."""
        return self._model.score(at_ends(hidden_states(self._model.model, batch, self._device), batch))[..., 0]


def at_ends(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return ``values`` ``(b, t, ...)`` at the end of each solution, ``(b, s, ...)``; arbitrary where there is no solution."""
    rows = torch.arange(len(values), device=values.device)[:, None]
    return values[rows, batch.ends.clamp(min=0).to(values.device)]


def ranking_loss(student: torch.Tensor, teacher: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the mean PLD over rows of log odds ``(b, s)``; first is the right solution that the teacher scores highest."""
    present = (batch.ends >= 0).to(student.device)
    right = present & (at_ends(batch.labels, batch) == 1).to(student.device)
    candidates = torch.where(right.any(dim=1, keepdim=True), right, present)
    first = teacher.masked_fill(~candidates, -torch.inf).argmax(dim=1)
    return pld_loss(student, teacher, first, present=present).mean()
