"""Types that the inputs and outputs of the tools share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema


def _failing_fast(schema: Any) -> Any:
    if isinstance(schema, dict):
        copy = {name: _failing_fast(part) for name, part in schema.items()}
        return {**copy, "fail_fast": True} if schema.get("type") == "list" else copy
    return [_failing_fast(part) for part in schema] if isinstance(schema, list) else schema


class StopsEarly(BaseModel):
    """A model whose lists are read up to their first item that is refused: a large body has room for a million of them."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema, in which every list has ``fail_fast``."""
        schema: CoreSchema = _failing_fast(handler(source))
        return schema


class Strict(StopsEarly):
    """An immutable model that refuses unknown fields, wrong types, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def example(**fields: Any) -> ConfigDict:
    """Returns a ``model_config`` with a complete request, which the schema shows and the tests send."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class _OneMessage:
    """Gives a union one error message instead of one per arm, which would name the arm as if it were a field."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return {**handler(source), "custom_error_type": "wrong_type", "custom_error_message": self._message}


Number = Annotated[float, Field(ge=-1e9, le=1e9)]
"""A score, logit or log probability; the limits keep sums and squares far from overflow."""

Positive = Annotated[float, Field(ge=1e-9, le=1e9)]
"""A scale, such as a temperature or a step size."""

Count = Annotated[float, Field(ge=0, le=1e12)]
"""A number of occurrences, or a weight that need not be normalised."""

Row = Annotated[list[Number], Field(min_length=1)]
"""A vector."""

Label = Annotated[str | bool | int, _OneMessage("must be a string, a whole number, true or false")]
"""A label of a trace, a step or a group."""


class Result(Strict):
    """The output of a tool."""

    warnings: list[str] = Field(description="Caveats about these results; an empty list means no caveats.")
