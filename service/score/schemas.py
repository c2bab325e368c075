"""Requests and responses of ``POST /score``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast, Field

from epf.service.http.body import at_most
from epf.service.solve.schemas import REQUEST_ID, NonBlank, ProblemText


class ScoreRequest(BaseModel):
    """A problem and the steps of a solution to score."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    problem: ProblemText
    steps: Annotated[list[NonBlank], FailFast(), at_most("max_steps")] = Field(
        min_length=1,
        description="Steps of the solution in order, as a search splits them, without separators.",
        examples=[["45 - 17 = 28.", "The answer is \\boxed{28}."]],
    )


class ScoreResponse(BaseModel):
    """The score after each step."""

    id: str = Field(description=REQUEST_ID)
    model: str = Field(description="Name of the reward model.")
    scores: list[float] = Field(description="Probability after each step that all steps so far are correct, in [0, 1].")
    prm_tokens: int = Field(description="Tokens that the reward model computed, without cached ones.")
