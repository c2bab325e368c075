"""A family of process reward models: how a trace becomes token ids, and how the model's output becomes a probability.

Every family's prompt **ends at the token where the newest step's score is read**. The models are causal, so what their
published code puts after that token (the end of a turn, the rest of the solution) cannot change the score. Omitting it lets an
engine's prefix cache serve every earlier step.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from epf.core.errors import RewardModelError

Read = Literal["sequence", "tokens", "next_token"]
"""Where an engine reads the output: from a classification head at the last token, from a head at every token, of which the last
counts, or from the language model's own logits of two answer tokens."""


@dataclass(frozen=True, slots=True)
class Family:
    """One family, bound to the tokenizer of one model.

    Attributes:
        name: name in the registry.
        prompt: renders ``(problem, steps)``, with at least one step, to token ids; the newest step is scored at the last one.
        read: where the output is read.
        n_values: number of values that the head outputs there, before any activation: 1 (sigmoid) or 2 (softmax).
        right: index of the value for "right".
        answers: for ``next_token``, the two answer tokens as the vocabulary spells them, in the order of the values.
        answer_ids: ids of these tokens.
    """

    name: str
    prompt: Callable[[str, Sequence[str]], tuple[int, ...]]
    read: Read = "sequence"
    n_values: int = 1
    right: int = 0
    answers: tuple[str, ...] = ()
    answer_ids: tuple[int, ...] = ()

    def probability(self, values: Sequence[float]) -> float:
        """Return the probability of "right" for the head's raw values (logits, or log probabilities of the answers).

        Raises:
            RewardModelError: the number of values is not the family's, or a value is not finite.
        """
        if len(values) != self.n_values:
            raise RewardModelError(
                f"{self.name}: the model returned {len(values)} values for a step instead of {self.n_values}."
            )
        if not all(isinstance(value, float | int) and math.isfinite(value) for value in values):
            raise RewardModelError(f"{self.name}: the model returned a value that is not a finite number.")
        gap = values[0] if self.n_values == 1 else values[self.right] - values[1 - self.right]
        return sigmoid(gap)


def sigmoid(logit: float) -> float:
    """Logistic function, without overflow for any finite logit."""
    return 0.5 * (1.0 + math.tanh(0.5 * logit))
