"""What pydantic refuses, in plain words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epf.core.errors import InvalidRequest

NO_JSON_OBJECT = "The body must be a JSON object, sent with content-type application/json."


def explain(
    error: Mapping[str, Any],
    fields: Iterable[str],
    *,
    of: str = "this request",
    nested: str = " See /docs for the supported fields.",
) -> tuple[str, str | None, str]:
    """Message, param and code of one pydantic error. The message names the field, its limit and the fix, never the input.

    Args:
        error: its location begins with where the input was, such as ``body``.
        fields: the fields of the input, which the message lists if one is unknown.
        of: what has these fields.
        nested: what the message adds if a field within another is unknown.
    """
    location: Sequence[str | int] = error["loc"][1:]
    kind, context = error["type"], error.get("ctx", {})
    if kind == "json_invalid":
        return f"The body is not valid JSON ({context['error']} at character {location[0]}).", None, "invalid_json"
    if not location:
        return NO_JSON_OBJECT, None, "invalid_json"
    field = ".".join(map(str, location))
    match kind:
        case "missing":
            return f"`{field}` is required: add it.", field, "missing_field"
        case "extra_forbidden":
            known = f" The fields are {', '.join(fields)}." if len(location) == 1 else nested
            return f"`{field}` is not a field of {of}: remove it.{known}", field, "unknown_field"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            name, bound = next(iter(context.items()))
            words = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}[name]
            return f"`{field}` must be {words} {bound}: change it.", field, InvalidRequest.code
        case "string_too_long":
            return f"`{field}` may have at most {context['max_length']} characters: shorten it.", field, InvalidRequest.code
        case "string_too_short" | "string_pattern_mismatch":
            return f"`{field}` must not be empty: fill it in, or leave it out where it is optional.", field, InvalidRequest.code
        case "literal_error" if isinstance(error.get("input", ""), str):
            return f"`{field}` must be one of {context['expected']}: choose one.", field, InvalidRequest.code
        case "int_type" | "int_from_float":
            return f"`{field}` must be a whole number, without quotes.", field, "invalid_type"
        case "float_type" | "finite_number":
            return f"`{field}` must be a finite number, without quotes.", field, "invalid_type"
        case "bool_type":
            return f"`{field}` must be true or false, without quotes.", field, "invalid_type"
        case "string_type" | "literal_error":
            return f"`{field}` must be a string.", field, "invalid_type"
        case "string_unicode":
            message = f"`{field}` has half of a surrogate pair, which is no character: remove it, or send the whole pair."
            return message, field, InvalidRequest.code
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"`{field}` must be an object.", field, InvalidRequest.code
        case "list_type" | "tuple_type":
            return f"`{field}` must be a list.", field, InvalidRequest.code
        case "too_short":
            items = "1 item" if context["min_length"] == 1 else f"{context['min_length']} items"
            return f"`{field}` must have at least {items}: add what is missing.", field, InvalidRequest.code
        case "too_long":
            return f"`{field}` may have at most {context['max_length']} items: shorten it.", field, InvalidRequest.code
    return f"`{field}`: {error['msg']}.", field, InvalidRequest.code
