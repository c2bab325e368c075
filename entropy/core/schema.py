"""What the models of all inputs and outputs have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema


class Strict(BaseModel):
    """Immutable; an unknown field, a wrong type, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def example(**fields: Any) -> ConfigDict:
    """For ``model_config``: a whole request that can be sent as it stands, shown in the schema and tried by the tests."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class _OneComplaint:
    """Of a union: one message in place of one for each arm, which would name the arm as if it were a field."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return {**handler(source), "custom_error_type": "wrong_type", "custom_error_message": self._message}


Number = Annotated[float, Field(ge=-1e9, le=1e9)]
"""A score, logit or log probability: so far from what overflows that sums and squares need no care."""

Label = Annotated[str | bool | int, _OneComplaint("must be a string, a whole number, true or false")]
"""What a trace is labelled with."""


class Result(Strict):
    """What a tool found out."""

    warnings: list[str] = Field(description="What to keep in mind about these figures; empty if nothing.")
