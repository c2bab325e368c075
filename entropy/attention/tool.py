"""``attention`` as a tool."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.attention.display import conclusion, plot, tables
from epf.entropy.attention.maps import entropies_of
from epf.entropy.attention.maths import N_BINS, bins_of, ceiling, penalties, row_ceilings
from epf.entropy.attention.schema import (
    BINS,
    COLLAPSED,
    SATURATED,
    AttentionInput,
    AttentionOutput,
    HeadOut,
    LayerOut,
    StepOut,
)
from epf.entropy.core.information import FloatArray
from epf.entropy.tooling.tool import Tool


def run(given: AttentionInput) -> AttentionOutput:
    """Computes :mod:`epf.entropy.attention.maths`."""
    found = entropies_of(given)
    heads, uniform, highest = found.heads, math.log(found.length), ceiling(found.length, causal=given.causal)
    charged = heads if given.granularity == "head" or found.rows is None else found.rows
    charges = penalties(charged, found.length, theta=given.theta, gamma=given.gamma)
    bins = bins_of(heads)
    per_head = charges if charges.ndim == 2 else charges.mean(axis=-1)
    counts = np.bincount(bins.ravel(), minlength=N_BINS)
    return AttentionOutput(
        length=found.length,
        uniform=uniform,
        ceiling=highest,
        largest=float(heads.max()),
        bins=counts.tolist(),
        shares=(counts / heads.size).tolist(),
        n_saturated=int((heads >= SATURATED * highest).sum()),
        n_collapsed=int((heads <= COLLAPSED * highest).sum()),
        penalty=float(charges.mean()),
        heads=[
            HeadOut(
                layer=layer,
                head=head,
                entropy=float(heads[layer, head]),
                of_uniform=float(heads[layer, head] / uniform),
                of_ceiling=float(heads[layer, head] / highest),
                bin=BINS[bins[layer, head]],
                saturated=bool(heads[layer, head] >= SATURATED * highest),
                collapsed=bool(heads[layer, head] <= COLLAPSED * highest),
                charge=float(per_head[layer, head]),
            )
            for layer, head in np.ndindex(*heads.shape)
        ],
        layers=[
            LayerOut(
                layer=layer,
                entropy=float(heads[layer].mean()),
                bins=np.bincount(bins[layer], minlength=N_BINS).tolist(),
            )
            for layer in range(len(heads))
        ],
        queries=[] if found.rows is None else found.rows.mean(axis=(0, 1)).tolist(),
        steps=[] if found.rows is None else _steps(found.rows, given.step_of, given.causal),
        warnings=[],
    )


def _steps(rows: FloatArray, steps: Sequence[int | None], causal: bool) -> list[StepOut]:
    queries = np.array([query for query, step in enumerate(steps) if step is not None], dtype=np.intp)
    known, index = np.unique([step for step in steps if step is not None], return_inverse=True)
    n = np.bincount(index)
    entropy = np.bincount(index, rows.mean(axis=(0, 1))[queries]) / n
    highest = np.bincount(index, row_ceilings(rows.shape[-1], causal=causal)[queries]) / n
    return [
        StepOut(
            step=int(step),
            n_queries=int(n[i]),
            entropy=float(entropy[i]),
            of_ceiling=float(entropy[i] / highest[i]) if highest[i] > 0 else None,
        )
        for i, step in enumerate(known)
    ]


TOOL = Tool(
    name="attention",
    question="Which attention heads have collapsed, which are overloaded, and how much would the regulariser charge them?",
    paper="Entropy-Guided Attention for Private LLMs (arXiv 2501.03489)",
    input=AttentionInput,
    arrays=("attentions", "row_entropies", "head_entropies"),
    output=AttentionOutput,
    run=run,
    from_traces=None,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
    one_of=True,
)
