"""``tokens`` as a tool."""

from itertools import product
from typing import Literal, TypeVar

import numpy as np

from epf.entropy.core.checks import refuse, same_length
from epf.entropy.core.information import FloatArray
from epf.entropy.tokens.display import conclusion, plot, tables
from epf.entropy.tokens.maths import Clip, Drawn, entropy_change, steer_weights
from epf.entropy.tokens.rows import ROUNDING, drawn_of, from_traces, log_ratio_of, without_logprob
from epf.entropy.tokens.schema import ForkOut, QuadrantOut, RowOut, TokensInput, TokensOutput
from epf.entropy.tooling.tool import Tool

MAX_FORKS = 12
"""Maximum number of tokens that the output lists as forks."""

T = TypeVar("T")


def run(given: TokensInput) -> TokensOutput:
    """Computes :mod:`epf.entropy.tokens.maths`."""
    if given.weights == "exponential" and "wmax" in given.model_fields_set:
        raise refuse("wmax", "applies to linear weights only", "leave it out; exponential weights are at most 1")
    sizes = [len(row) for row in given.logits or given.logprobs]
    drawn, other = drawn_of(given)
    advantage = np.repeat(_per_row(given, "advantages", given.advantages, [1.0] * len(sizes)), sizes)
    log_ratio = log_ratio_of(given, drawn)
    clip = Clip(given.clip_low, given.clip_high)

    def changes(of: Drawn) -> FloatArray:
        return entropy_change(of, advantage, log_ratio, form=given.form, clip=clip) + 0.0  # no negative zeros

    change = changes(drawn)
    weight = steer_weights(change, given.weights, low=given.wmin, high=given.wmax)
    clipped = clip.stops(log_ratio, advantage)
    highest = None if other is None else changes(Drawn(drawn.log_p, other))
    names = _per_row(given, "names", given.names, [str(i) for i in range(len(sizes))])
    row_of = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.cumsum([0, *sizes])
    size = np.sort(np.abs(change))[::-1]
    warnings = []
    undecided = 0 if highest is None else int((np.sign(highest) != np.sign(change)).sum())
    if given.top_logprobs and highest is None:
        warnings.append(
            "Entropies are lower bounds. Give `vocabulary` for the upper bounds, which show the signs that are certain."
        )
    if n_without := without_logprob(given.gathered()):
        warnings.append(f"{n_without} tokens have no log probability and are left out; positions count the others.")
    if given.advantage != "reinforce" and (n_equal := sum(value == 0 for value in given.advantages)):
        warnings.append(
            f"{n_equal} of {len(sizes)} rows have no advantage, because it is the mean of their problem: they change nothing."
        )
    p = np.exp(drawn.log_p)
    at_least = -p * drawn.log_p - (1 - p) * np.log1p(-np.minimum(p, 1 - 1e-12))
    if (n_low := int((drawn.entropy < at_least - ROUNDING).sum())) and not given.top_logprobs:
        warnings.append(
            f"{n_low} of {change.size} tokens have a lower entropy than any distribution with their probability. Check that "
            "logprobs and entropies are at the same temperature."
        )
    return TokensOutput(
        form=given.form,
        n_tokens=change.size,
        n_clipped=int(clipped.sum()),
        n_undecided=undecided,
        change=float(change.sum()),
        mean_size=float(size.mean()),
        half_in=int(np.searchsorted(np.cumsum(size), size.sum() / 2)) + 1 if size[0] > 0 else 0,
        quadrants=_quadrants(advantage, change),
        forks=[
            ForkOut(
                name=names[row_of[i]],
                position=int(i - starts[row_of[i]]),
                logprob=float(drawn.log_p[i]),
                entropy=float(drawn.entropy[i]),
                change=float(change[i]),
                weight=float(weight[i]),
            )
            for i in np.argsort(-np.abs(change), kind="stable")[:MAX_FORKS]
        ],
        rows=[
            RowOut(
                name=name,
                advantage=float(advantage[a]),
                change=float(change[a:b].sum()),
                mean_weight=float(weight[a:b].mean()),
                changes=change[a:b].tolist(),
                weights=weight[a:b].tolist(),
                clipped=np.flatnonzero(clipped[a:b]).tolist(),
                other_changes=None if highest is None else highest[a:b].tolist(),
            )
            for name, a, b in zip(names, starts, starts[1:], strict=False)
        ],
        warnings=warnings,
    )


def _per_row(given: TokensInput, field: str, values: list[T], otherwise: list[T]) -> list[T]:
    """One value per row."""
    if not values:
        return otherwise
    same_length(field, values, "logits" if given.logits else "logprobs", otherwise)
    return values


PUSHED: dict[Literal["up", "down"], int] = {"up": 1, "down": -1}
EFFECTS: dict[Literal["opens", "collapses"], int] = {"collapses": -1, "opens": 1}


def _quadrants(advantage: FloatArray, change: FloatArray) -> list[QuadrantOut]:
    found = []
    for (pushed, sign), (effect, direction) in product(PUSHED.items(), EFFECTS.items()):
        here = (np.sign(advantage) == sign) & (np.sign(change) == direction)
        found.append(QuadrantOut(pushed=pushed, effect=effect, n_tokens=int(here.sum()), change=float(change[here].sum())))
    return found


TOOL = Tool(
    name="tokens",
    question="Which tokens of these traces would open or collapse the policy, and which training weight would STEER give each?",
    paper="Rethinking Entropy Interventions in RLVR: An Entropy Change Perspective (arXiv 2510.10150)",
    input=TokensInput,
    arrays=("logprobs", "logits"),
    output=TokensOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
    one_of=True,
)
