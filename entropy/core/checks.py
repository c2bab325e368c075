"""Input is checked at the door: what is refused names the row and the field, what is doubtful becomes a warning.

A field's path is written as in JSON, ``scores.3.1`` for the second number of the fourth row; rows count from 0.
"""

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np
from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray

SAMPLES_PER_VALUE = 5
"""Below so many samples per distinct value a plug-in entropy is much too low."""

SUM_TOLERANCE = 1e-5
"""So far from one may the sum of a distribution be, as what was written with six digits is."""


def refuse(field: str, complaint: str, fix: str) -> InvalidRequest:
    """The error to raise: "`scores.3` is empty: give at least one number."."""
    return InvalidRequest(f"`{field}` {complaint}: {fix}.", param=field)


def matrix(field: str, rows: Sequence[Sequence[float]] | FloatArray, *, max_values: int) -> FloatArray:
    """Rows of one length as an array ``(n, k)`` with n, k >= 1.

    Raises:
        InvalidRequest: no rows, rows of different lengths, more than ``max_values`` numbers, NaN or infinity.
    """
    if len(rows) == 0 or len(rows[0]) == 0:
        raise refuse(field, "is empty", "give at least one row with one number")
    k = len(rows[0])
    for i, row in enumerate(rows):
        if len(row) != k:
            raise refuse(f"{field}.{i}", f"has {len(row)} numbers, but row 0 has {k}", "give rows of one length")
    at_most(field, len(rows) * k, max_values, "numbers")
    return finite(field, np.asarray(rows, dtype=np.float64))


def distributions(field: str, rows: Sequence[Sequence[float]] | FloatArray, *, max_values: int) -> FloatArray:
    """Rows that are probability distributions, ``(n, k)``.

    Raises:
        InvalidRequest: as :func:`matrix`; a negative number; a row that does not sum to one within 1e-5.
    """
    p = matrix(field, rows, max_values=max_values)
    for i, j in np.argwhere(p < 0)[:1]:
        raise refuse(f"{field}.{i}.{j}", f"is {p[i, j]:g}", "a probability is at least 0")
    sums = p.sum(axis=1)
    for (i,) in np.argwhere(np.abs(sums - 1.0) > SUM_TOLERANCE)[:1]:
        raise refuse(f"{field}.{i}", f"sums to {sums[i]:.9g}", "the probabilities of a row must sum to 1")
    return p


def finite(field: str, values: FloatArray) -> FloatArray:
    """The values, none of which is NaN or infinite. Raises ``InvalidRequest`` for the first that is."""
    for place in np.argwhere(~np.isfinite(values))[:1]:
        path = ".".join(map(str, (field, *place)))
        raise refuse(path, f"is {values[tuple(place)]}", "give a finite number")
    return values


def same_length(field: str, values: Sized, other_field: str, other: Sized) -> None:
    """Refuse two fields that must have as many items as each other and do not."""
    if len(values) != len(other):
        raise refuse(field, f"has {len(values)} items, but `{other_field}` has {len(other)}", "give one for each")


def at_most(field: str, n: int, limit: int, what: str) -> None:
    """Refuse more than ``limit`` of something."""
    if n > limit:
        raise refuse(field, f"has {n} {what}, more than {limit}", "send fewer")


def too_few(what: str, n_samples: int, n_values: int) -> list[str]:
    """A warning, or none: plug-in entropies of few samples are biased down, and what looks determined may be chance."""
    if n_samples >= SAMPLES_PER_VALUE * n_values:
        return []
    return [
        f"{what}: {n_samples} samples of {n_values} distinct values, fewer than {SAMPLES_PER_VALUE} per value; its entropy is "
        "underestimated and dependencies look stronger than they are."
    ]


def explained(error: ValidationError, where: str = "") -> InvalidRequest:
    """The first complaint of pydantic as an error of ours, ``where`` in front of it; the input is not quoted."""
    first: Any = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    named = f"`{field}`: " if field else ""
    return InvalidRequest(f"{where}{named}{first['msg']}.", param=field or None)
