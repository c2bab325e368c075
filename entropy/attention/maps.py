"""Entropies of heads and rows, from maps or from entropies where maps are too large to send."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from epf.entropy.attention.maths import ceiling, row_ceilings, row_entropies
from epf.entropy.attention.schema import SUM_TOLERANCE, AttentionInput
from epf.entropy.core.checks import at_most, number_of, path_of, refuse, same_length
from epf.entropy.core.information import FloatArray

MAX_NUMBERS = 4_000_000
MASKED = 1e-6
"""Attention to a later token up to this value counts as masked."""
ROUNDING = 0.01
"""Maximum excess over the ceiling of an entropy that was printed with two digits."""


@dataclass(frozen=True, slots=True)
class Entropies:
    """Entropies of heads, ``(l, h)``, on ``length`` tokens, and of their rows, ``(l, h, t)``, if known; in nats."""

    heads: FloatArray
    rows: FloatArray | None
    length: int


def entropies_of(given: AttentionInput) -> Entropies:
    """Checks the input and returns its entropies. Raises ``InvalidRequest`` for values that no attention has."""
    forms = [name for name in ("attentions", "row_entropies", "head_entropies") if getattr(given, name)]
    if len(forms) != 1:
        raise refuse("attentions", "is one of three forms", "give exactly one of attentions, row_entropies, head_entropies")
    (form,) = forms
    if given.head_entropies:
        if given.length is None:
            raise refuse("length", "is missing", "give the number of tokens")
        heads = _regular(form, given.head_entropies, 2)
        _below(form, heads, np.array(ceiling(given.length, causal=given.causal)), given.causal)
        for name, value in (("step_of", given.step_of), ("granularity", given.granularity == "query")):
            if value:
                raise refuse(name, "needs rows", "give attentions or row_entropies")
        return Entropies(heads, None, given.length)
    if given.length is not None:
        raise refuse("length", f"cannot be combined with {form}", "leave it out; it is the number of rows")
    if given.attentions:
        rows = row_entropies(_maps(given.attentions, given.causal))
    else:
        rows = _regular(form, given.row_entropies, 3)
        _below(form, rows, row_ceilings(rows.shape[-1], causal=given.causal), given.causal)
    length = rows.shape[-1]
    if length < 2:
        raise refuse(form, "has one query", "give at least two tokens")
    if given.step_of:
        same_length("step_of", given.step_of, "queries", range(length))
    return Entropies(rows.mean(axis=-1), rows, length)


def _maps(nested: Sequence[Any], causal: bool) -> FloatArray:
    maps = _regular("attentions", nested, 4)
    n_queries, n_keys = maps.shape[2:]
    if n_queries != n_keys:
        raise refuse("attentions.0.0", f"has {n_queries} queries and {n_keys} keys", "give complete maps, one query per token")
    sums = maps.sum(axis=-1)
    for index in np.argwhere(np.abs(sums - 1) > SUM_TOLERANCE)[:1]:
        raise refuse(path_of("attentions", index), f"sums to {sums[tuple(index)]:.6g}", "a row of attention must sum to 1")
    if causal:
        for index in np.argwhere(np.triu(maps, 1) > MASKED)[:1]:
            raise refuse(path_of("attentions", index), "attends to a later token", "set causal to false if this is intended")
    return maps


def _below(field: str, values: FloatArray, ceilings: FloatArray, causal: bool) -> None:
    for index in np.argwhere(values > ceilings + ROUNDING)[:1]:
        highest = float(np.broadcast_to(ceilings, values.shape)[tuple(index)])
        kind = "causal attention" if causal else "attention"
        complaint = f"is {values[tuple(index)]:.6g} nats, more than the {highest:.6g} of uniform {kind}"
        raise refuse(path_of(field, index), complaint, "give entropies in nats, and check causal")


def _regular(field: str, nested: Sequence[Any], depth: int) -> FloatArray:
    """Nested lists as an array of ``depth`` dimensions. Raises ``InvalidRequest`` for empty lists and unequal lengths."""
    shape = []
    inner: Any = nested
    for _ in range(depth):
        if not inner:
            raise refuse(field, "has an empty list", "give at least one layer, head and token")
        shape.append(len(inner))
        inner = inner[0]
    at_most(field, int(np.prod(shape)), MAX_NUMBERS, "numbers")
    _check_shape(field, nested, shape)
    return np.array(nested, dtype=np.float64)


def _check_shape(path: str, nested: Sequence[Any], shape: list[int]) -> None:
    if len(nested) != shape[0]:
        n_items = number_of(len(nested), "item")
        raise refuse(path, f"has {n_items}, but the first list has {shape[0]}", "give lists of equal length")
    if len(shape) > 1:
        for i, part in enumerate(nested):
            _check_shape(f"{path}.{i}", part, shape[1:])
