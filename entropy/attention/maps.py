"""What ``attention`` reads: maps, or the entropies of their rows or heads where maps are too heavy to send."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from epf.entropy.attention.maths import Granularity, ceiling, row_ceilings, row_entropies
from epf.entropy.core.checks import at_most, refuse, same_length
from epf.entropy.core.information import FloatArray
from epf.entropy.core.schema import Strict, example

MAX_NUMBERS = 4_000_000
SUM_TOLERANCE = 1e-3
"""So far from one may a row sum that was computed with 16 bits."""
MASKED = 1e-6
"""Attention to later tokens up to this is none."""
ROUNDING = 0.01
"""So far above its ceiling may an entropy lie that was printed with two digits."""

Part = Annotated[float, Field(ge=0, le=1 + SUM_TOLERANCE)]
Entropy = Annotated[float, Field(ge=0, le=100)]


class AttentionInput(Strict):
    """Attention of one text: layers of heads of maps, or of row entropies, or head entropies."""

    model_config = example(
        row_entropies=[[[0.0, 0.69, 1.09, 1.38], [0.0, 0.1, 0.0, 0.05]], [[0.0, 0.5, 0.6, 0.7], [0.0, 0.3, 0.9, 1.1]]],
        step_of=[None, 0, 0, 1],
    )

    attentions: list[list[list[list[Part]]]] = Field(
        [], description="Maps: layers, heads, queries, keys; each row of keys sums to 1."
    )
    row_entropies: list[list[list[Entropy]]] = Field(
        [], description="In place of maps: entropy of each row in nats; layers, heads, queries."
    )
    head_entropies: list[list[Entropy]] = Field(
        [], description="In place of both: mean of the rows' entropies; layers, heads. Needs length."
    )
    length: int | None = Field(None, ge=2, le=10_000_000, description="Number of tokens, of head entropies only.")
    causal: bool = Field(True, description="No token attends to a later one.")
    step_of: list[Annotated[int, Field(ge=0, le=10_000_000)] | None] = Field(
        [], description="Of each query the number of its step; null for none, as in the prompt. Means are told for each step."
    )
    theta: float = Field(0.5, ge=0, le=1, description="Entropy that the regulariser wants, as a part of ln T.")
    gamma: float = Field(0.2, ge=0, le=1, description="Its tolerance, as a part of ln T.")
    granularity: Granularity = Field(
        "head", description="What the regulariser charges: the mean of a head's rows, as in the paper, or each query."
    )


@dataclass(frozen=True, slots=True)
class Entropies:
    """Of heads ``(l, h)`` on ``length`` tokens, and of their rows ``(l, h, t)`` where these are known; nats."""

    heads: FloatArray
    rows: FloatArray | None
    length: int


def entropies_of(given: AttentionInput) -> Entropies:
    """The entropies, checked. Raises ``InvalidRequest`` for what is no attention."""
    ways = [name for name in ("attentions", "row_entropies", "head_entropies") if getattr(given, name)]
    if len(ways) != 1:
        raise refuse("attentions", "is one of three ways", "give attentions, row_entropies or head_entropies")
    (way,) = ways
    if given.head_entropies:
        if given.length is None:
            raise refuse("length", "is missing", "give the number of tokens")
        heads = _regular(way, given.head_entropies, 2)
        _below(way, heads, np.array(ceiling(given.length, causal=given.causal)), given.causal)
        for name, value in (("step_of", given.step_of), ("granularity", given.granularity == "query")):
            if value:
                raise refuse(name, "needs rows", "give attentions or row_entropies")
        return Entropies(heads, None, given.length)
    if given.length is not None:
        raise refuse("length", f"is given beside {way}", "leave it out: their rows are counted")
    if given.attentions:
        rows = row_entropies(_maps(given.attentions, given.causal))
    else:
        rows = _regular(way, given.row_entropies, 3)
        _below(way, rows, row_ceilings(rows.shape[-1], causal=given.causal), given.causal)
    length = rows.shape[-1]
    if length < 2:
        raise refuse(way, "has one query", "give at least two tokens")
    if given.step_of:
        same_length("step_of", given.step_of, "queries", range(length))
    return Entropies(rows.mean(axis=-1), rows, length)


def _maps(nested: Sequence[Any], causal: bool) -> FloatArray:
    maps = _regular("attentions", nested, 4)
    n_queries, n_keys = maps.shape[2:]
    if n_queries != n_keys:
        raise refuse("attentions.0.0", f"has {n_queries} queries and {n_keys} keys", "give whole maps, one query per token")
    sums = maps.sum(axis=-1)
    for place in np.argwhere(np.abs(sums - 1) > SUM_TOLERANCE)[:1]:
        raise refuse(_path("attentions", place), f"sums to {sums[tuple(place)]:.6g}", "a row of attention must sum to 1")
    if causal:
        for place in np.argwhere(np.triu(maps, 1) > MASKED)[:1]:
            raise refuse(_path("attentions", place), "attends to a later token", "set causal to false if that is right")
    return maps


def _below(field: str, values: FloatArray, most: FloatArray, causal: bool) -> None:
    for place in np.argwhere(values > most + ROUNDING)[:1]:
        highest = float(np.broadcast_to(most, values.shape)[tuple(place)])
        kind = "causal attention" if causal else "attention"
        complaint = f"is {values[tuple(place)]:.6g} nats, more than the {highest:.6g} of uniform {kind}"
        raise refuse(_path(field, place), complaint, "give nats, and set causal as it is")


def _path(field: str, place: Sequence[int]) -> str:
    return ".".join(map(str, (field, *place)))


def _regular(field: str, nested: Sequence[Any], depth: int) -> FloatArray:
    """Nested lists as an array of ``depth`` dimensions. Raises ``InvalidRequest`` for empty lists and unlike ones."""
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
        raise refuse(path, f"has {len(nested)} items, but the first of its kind {shape[0]}", "give lists of one length")
    if len(shape) > 1:
        for i, part in enumerate(nested):
            _check_shape(f"{path}.{i}", part, shape[1:])
