"""Limits of the file in which ended searches are kept."""

from pydantic import BaseModel, ConfigDict, Field


class StoreLimits(BaseModel):
    """When there are too many searches, or they are too large, the oldest of the caller with most bytes is deleted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_searches: int = Field(10_000, ge=1, le=1_000_000, description="Maximum number of searches, over all callers.")
    max_days: float = Field(30.0, gt=0, le=36_500, description="Age at which a search is deleted, in days.")
    max_bytes: int = Field(2**30, ge=2**20, description="Maximum size of all searches in the file, in bytes.")
