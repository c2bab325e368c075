"""The number of particles that ``reasoning_effort`` stands for."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much to search, in the words of the OpenAI API."""


class EffortParticles(BaseModel):
    """Number of particles of each effort, at most as many as a request may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    none: int = Field(1, ge=1, description="Number of particles of the reasoning effort none.")
    minimal: int = Field(2, ge=1, description="Number of particles of the reasoning effort minimal.")
    low: int = Field(4, ge=1, description="Number of particles of the reasoning effort low.")
    medium: int = Field(8, ge=1, description="Number of particles of the reasoning effort medium.")
    high: int = Field(16, ge=1, description="Number of particles of the reasoning effort high.")
    xhigh: int = Field(32, ge=1, description="Number of particles of the reasoning effort xhigh.")
    max: int = Field(64, ge=1, description="Number of particles of the reasoning effort max.")

    def of(self, effort: Effort, limit: int) -> int:
        """Number of particles of ``effort``, at most ``limit``."""
        n_particles: int = getattr(self, effort)
        return min(n_particles, limit)
