"""One reasoning trace: the common format from which tools that accept traces take what they need."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from epf.core.errors import InvalidRequest
from epf.entropy.core.checks import same_length
from epf.entropy.core.schema import Label, Number, Strict

MAX_STEPS = 10_000

Probability = Annotated[float, Field(ge=0, le=1)]
PerToken = Annotated[list[list[Number]], Field(max_length=MAX_STEPS)]
LogProbs = Annotated[list[list[Number | None]], Field(max_length=MAX_STEPS)]
TopLogProbs = Annotated[list[list[list[Number]]], Field(max_length=MAX_STEPS)]


class Trace(Strict):
    """One solution of a problem, complete or not. Omit what is unknown, or set it to null."""

    problem: str | None = Field(None, description="Text of the problem. Traces of the same problem have the same text.")
    steps: list[str] = Field([], max_length=MAX_STEPS, description="Texts of the steps in order.")
    token_ids: list[list[Annotated[int, Field(ge=0)]]] | None = Field(
        None, max_length=MAX_STEPS, description="Token ids of each step."
    )
    logprobs: LogProbs | None = Field(
        None, description="Log probability of each token of each step, in nats; null for a token without one."
    )
    top_logprobs: TopLogProbs | None = Field(
        None, description="Log probabilities of the most likely tokens at each token of each step, in nats."
    )
    entropies: PerToken | None = Field(None, description="Entropy of the model's distribution at each token, in nats.")
    scores: list[Probability] | None = Field(
        None, max_length=MAX_STEPS, description="The reward model's probability after each step, or one for the whole trace."
    )
    judges: dict[str, Number] = Field(
        {}, description="Scores that other judges give the whole trace, by name; higher is better."
    )
    answer: str | None = Field(None, description="Final answer.")
    correct: bool | None = Field(None, description="Whether the final answer is right.")
    log_weight: Number | None = Field(
        None, description="Log weight of the particle at the end of its search; null for a dead particle."
    )
    labels: dict[str, Label] = Field({}, description="Any other labels of the trace, by name.")

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        """Checks that lists per step have one item per step, and lists per token one per token."""
        with as_pydantic_error():
            per_token = [
                name for name in ("token_ids", "logprobs", "top_logprobs", "entropies") if getattr(self, name) is not None
            ]
            for name in per_token:
                same_length(name, getattr(self, name), "steps", self.steps)
                for i, (items, others) in enumerate(zip(getattr(self, name), getattr(self, per_token[0]), strict=True)):
                    same_length(f"{name}.{i}", items, f"{per_token[0]}.{i}", others)
            check_scores(self.scores, self.steps)
        return self


@contextmanager
def as_pydantic_error() -> Iterator[None]:
    """Turns ``InvalidRequest`` into an error of pydantic, which adds the position of the trace in the request."""
    try:
        yield
    except InvalidRequest as error:
        raise PydanticCustomError("misaligned", "{complaint}", {"complaint": error.message.rstrip(".")}) from None


def check_scores(scores: list[float] | None, steps: Sequence[object]) -> None:
    """Checks that there is one score per step, one for the whole trace, or no score."""
    if scores is not None and len(scores) != 1:
        same_length("scores", scores, "steps", steps)
