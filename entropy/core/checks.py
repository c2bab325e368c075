"""Checks of input: an error names the field and the row; doubtful input yields a warning.

A field's path follows the JSON, for example ``scores.3.1`` for the second number of the fourth row; rows count from 0.
"""

from collections.abc import Iterable, Sequence, Sized
from typing import Any

import numpy as np
from pydantic import ValidationError

from epf.core.complaints import explain
from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray

SAMPLES_PER_VALUE = 5
"""With fewer samples per distinct value, a plug-in entropy is much too low."""

SUM_TOLERANCE = 1e-5
"""Maximum difference of a distribution's sum from 1; probabilities printed with six digits stay within it."""


def refuse(field: str, complaint: str, fix: str) -> InvalidRequest:
    """Returns the error to raise, such as "`scores.3` is empty: give at least one number."."""
    return InvalidRequest(f"`{field}` {complaint}: {fix}.", param=field)


def exclusive(field: str, other: str) -> InvalidRequest:
    """Returns the error to raise if both of two inputs are given that replace each other."""
    return refuse(field, f"cannot be combined with {other}", "give one or the other")


def matrix(field: str, rows: Sequence[Sequence[float]] | FloatArray, *, max_values: int) -> FloatArray:
    """Rows of equal length as an array ``(n, k)`` with n, k >= 1.

    Raises:
        InvalidRequest: There are no rows, rows of different lengths, more than ``max_values`` numbers, NaN or infinity.
    """
    if len(rows) == 0 or len(rows[0]) == 0:
        raise refuse(field, "is empty", "give at least one row with one number")
    k = len(rows[0])
    for i, row in enumerate(rows):
        if len(row) != k:
            raise refuse(f"{field}.{i}", f"has {number_of(len(row), 'number')}, but row 0 has {k}", "give rows of equal length")
    at_most(field, len(rows) * k, max_values, "numbers")
    return finite(field, np.asarray(rows, dtype=np.float64))


def distributions(field: str, rows: Sequence[Sequence[float]] | FloatArray, *, max_values: int) -> FloatArray:
    """Rows that are probability distributions, ``(n, k)``.

    Raises:
        InvalidRequest: :func:`matrix` refuses the rows, a number is negative, or a row does not sum to 1 within 1e-5.
    """
    p = matrix(field, rows, max_values=max_values)
    for i, j in np.argwhere(p < 0)[:1]:
        raise refuse(f"{field}.{i}.{j}", f"is {p[i, j]:g}", "a probability is at least 0")
    sums = p.sum(axis=1)
    for (i,) in np.argwhere(np.abs(sums - 1.0) > SUM_TOLERANCE)[:1]:
        raise refuse(f"{field}.{i}", f"sums to {sums[i]:.9g}", "the probabilities of a row must sum to 1")
    return p


def finite(field: str, values: FloatArray) -> FloatArray:
    """Returns the values. Raises ``InvalidRequest`` for the first one that is NaN or infinite."""
    for index in np.argwhere(~np.isfinite(values))[:1]:
        raise refuse(path_of(field, index), f"is {values[tuple(index)]}", "give a finite number")
    return values


def number_of(n: int, noun: str) -> str:
    """A number with its noun, such as ``1 item`` or ``3 items``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def path_of(field: str, index: Iterable[object]) -> str:
    """Path of one item of a nested list."""
    return ".".join(map(str, (field, *index)))


def same_length(field: str, values: Sized, other_field: str, other: Sized) -> None:
    """Raises ``InvalidRequest`` if two fields that need the same number of items differ."""
    if len(values) != len(other):
        raise refuse(field, f"has {number_of(len(values), 'item')}, but `{other_field}` has {len(other)}", "give one for each")


def at_most(field: str, n: int, limit: int, what: str) -> None:
    """Raises ``InvalidRequest`` if ``n``, a number of ``what``, is above the limit."""
    if n > limit:
        raise refuse(field, f"has {n} {what}, more than {limit}", "send fewer")


def too_few(what: str, n_samples: int, n_values: int) -> list[str]:
    """A warning if the samples are few: plug-in entropies are then too low, and an apparent dependence may be chance."""
    if n_samples >= SAMPLES_PER_VALUE * n_values:
        return []
    samples, values = number_of(n_samples, "sample"), number_of(n_values, "distinct value")
    return [
        f"{what}: {samples} of {values}, fewer than {SAMPLES_PER_VALUE} per value; the entropy is "
        "underestimated and dependencies look stronger than they are."
    ]


def first_error(error: ValidationError, fields: Iterable[str], prefix: str = "") -> InvalidRequest:
    """Converts the first of pydantic's errors about a file with these ``fields``; the input is not quoted.

    ``prefix`` is put in front of the message.
    """
    first: Any = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"]:
        return InvalidRequest(f"{prefix}{first['msg']}.")
    message, param, _ = explain({**first, "loc": ("file", *first["loc"])}, fields, of="this input", nested="")
    return InvalidRequest(prefix + message, param=param)
