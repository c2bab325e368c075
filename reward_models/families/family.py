"""A family of process reward models: how a trace becomes token ids, and the model's output a probability.

Every family's prompt **ends at the token where the newest step's score is read**. The models are causal, so what their
published code puts after that token (the end of a turn, the rest of the solution) cannot change the score; leaving it out is
what lets an engine's prefix cache serve every earlier step.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from epf.core.errors import RewardModelError

Read = Literal["sequence", "tokens", "next_token"]
"""Where an engine finds the output: a classification head at the last token, a head at every token, of which the last one
counts, or the language model's own logits of two answer tokens."""


@dataclass(frozen=True, slots=True)
class Family:
    """One family, bound to the tokenizer of one model.

    Attributes:
        name: as in the registry.
        prompt: ``(problem, steps)``, at least one step, to token ids; the last one is where the newest step is judged.
        read: where the output is found.
        n_values: numbers that the head gives there, before any activation: 1 (sigmoid) or 2 (softmax).
        right: index of the value that means "right".
        answers: for ``next_token``, the two answer tokens as the vocabulary spells them, in the order of the values.
        answer_ids: their ids.
    """

    name: str
    prompt: Callable[[str, Sequence[str]], tuple[int, ...]]
    read: Read = "sequence"
    n_values: int = 1
    right: int = 0
    answers: tuple[str, ...] = ()
    answer_ids: tuple[int, ...] = ()

    def probability(self, values: Sequence[float]) -> float:
        """Probability of "right" from the head's raw values (logits, or log-probabilities of the answers).

        Raises:
            RewardModelError: not as many values as the family has, or one that is not finite.
        """
        if len(values) != self.n_values:
            raise RewardModelError(
                f"{self.name}: the model gave {len(values)} values for a step, the family has {self.n_values}"
            )
        if not all(isinstance(value, float | int) and math.isfinite(value) for value in values):
            raise RewardModelError(f"{self.name}: the model gave a value that is not a finite number")
        gap = values[0] if self.n_values == 1 else values[self.right] - values[1 - self.right]
        return sigmoid(gap)


def sigmoid(logit: float) -> float:
    """Without overflow for any finite logit."""
    return 0.5 * (1.0 + math.tanh(0.5 * logit))
