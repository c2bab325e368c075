"""``tokens`` for HTTP and command line."""

from itertools import product
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import refuse, same_length
from epf.entropy.core.information import FloatArray
from epf.entropy.core.schema import Result, Strict
from epf.entropy.tokens.maths import Clip, Drawn, Form, entropy_change, steer_weights
from epf.entropy.tokens.rows import ROUNDING, TokensInput, drawn_of, from_traces, log_ratio_of
from epf.entropy.tooling.tool import Table, Tool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 12
"""Tokens and rows in the tables."""
MOST_PLACES = 24
"""Places of a row in the picture."""

T = TypeVar("T")


class RowOut(Strict):
    """One row: all tokens of a step."""

    name: str
    advantage: float
    change: float = Field(description="Sum over its tokens of the change of entropy per unit of learning rate.")
    mean_weight: float
    changes: list[float] = Field(description="Of each token; negative collapses the policy.")
    weights: list[float] = Field(description="STEER's weight of each token.")
    clipped: list[int] = Field(description="Tokens of the row, from 0, whose gradient the clipping stops.")
    other_changes: list[float] | None = Field(
        description="Changes at the greatest entropy that top_logprobs allow, where changes are at the least; else null."
    )


class QuadrantOut(Strict):
    """Tokens that are pushed the same way to the same effect."""

    pushed: Literal["up", "down"] = Field(description="Sign of the advantage.")
    effect: Literal["opens", "collapses"]
    n_tokens: int
    change: float = Field(description="Sum of their changes.")


class ForkOut(Strict):
    """One of the tokens that change most."""

    name: str = Field(description="Of its row.")
    position: int = Field(description="In its row, from 0.")
    logprob: float
    entropy: float
    change: float
    weight: float


class TokensOutput(Result):
    """Which tokens open or collapse the policy, and STEER's weights; changes are in nats per unit of learning rate."""

    form: Form
    n_tokens: int
    n_clipped: int
    n_undecided: int = Field(description="Tokens whose entropy is known so badly that the change may have either sign.")
    change: float = Field(description="Sum over all tokens.")
    mean_size: float = Field(description="Mean size of a token's change.")
    half_in: int = Field(description="So many tokens make up half of the sum of all sizes.")
    quadrants: list[QuadrantOut] = Field(description="Tokens that change nothing are in none.")
    forks: list[ForkOut] = Field(description="The tokens that change most.")
    rows: list[RowOut]


def run(given: TokensInput) -> TokensOutput:
    """See :mod:`epf.entropy.tokens.maths`."""
    if given.weights == "exponential" and "wmax" in given.model_fields_set:
        raise refuse("wmax", "is of linear weights only", "leave it out: exponential weights are at most 1")
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
        warnings.append("Entropies are lower bounds: give vocabulary for the upper ones, and to see which signs are certain.")
    p = np.exp(drawn.log_p)
    at_least = -p * drawn.log_p - (1 - p) * np.log1p(-np.minimum(p, 1 - 1e-12))
    if (n_low := int((drawn.entropy < at_least - ROUNDING).sum())) and not given.top_logprobs:
        warnings.append(
            f"{n_low} of {change.size} tokens have a lower entropy than any distribution with their probability: are logprobs "
            "and entropies of the same temperature?"
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
            for i in np.argsort(-np.abs(change), kind="stable")[:MOST_SHOWN]
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
    """One value for each row."""
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


def tables(found: TokensOutput) -> list[Table]:
    """The four kinds of tokens, the tokens and the rows that change most."""
    quadrants = Table(
        f"{found.n_tokens} tokens, half of all change in {found.half_in}",
        ("pushed", "effect on the policy", "tokens", "change, nats"),
        tuple((q.pushed, q.effect, q.n_tokens, q.change) for q in found.quadrants),
    )
    forks = Table(
        "Tokens that change most, for a learning rate of 1",
        ("row", "token", "log probability", "entropy", "change, nats", "weight"),
        tuple((f.name, f.position, f.logprob, f.entropy, f.change, f.weight) for f in found.forks),
    )
    most = sorted(found.rows, key=lambda row: -abs(row.change))[:MOST_SHOWN]
    rows = Table(
        "Rows that change most",
        ("row", "advantage", "tokens", "clipped", "change, nats", "mean weight"),
        tuple((r.name, r.advantage, len(r.changes), len(r.clipped), r.change, r.mean_weight) for r in most),
    )
    return [quadrants, forks, rows]


def plot(found: TokensOutput, figure: "Figure") -> None:
    """How the change is spread over tokens, and over the rows."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    changes = np.concatenate([row.changes for row in found.rows])
    for sign, name in ((-1, "collapses"), (1, "opens")):
        sizes = np.sort(np.abs(changes[np.sign(changes) == sign]))[::-1]
        left.plot(
            np.arange(1, sizes.size + 1), np.cumsum(sizes), label=f"{name}: {sizes.sum():.3g} nats in {sizes.size} tokens"
        )
    left.set_xscale("log")
    left.margins(y=0.2)  # room for the legend
    left.set_ylim(bottom=0)
    left.set_xlabel("tokens, the largest change first")
    left.set_ylabel("sum of changes, nats")
    left.legend(frameon=False, loc="upper left")
    places = np.concatenate([np.arange(len(row.changes)) for row in found.rows])
    shown = min(MOST_PLACES, int(places.max()) + 1)
    for sign in (-1, 1):
        here = (np.sign(changes) == sign) & (places < shown)
        right.bar(np.arange(shown), np.bincount(places[here], changes[here], minlength=shown))
    right.axhline(0, color="grey", linewidth=0.6)
    right.set_xlabel("place of the token in its row")
    right.set_ylabel("sum of changes, nats")


TOOL = Tool(
    name="tokens",
    question="Which tokens of these traces would open or collapse the policy, and what training weight would STEER give each?",
    paper="Rethinking Entropy Interventions in RLVR: An Entropy Change Perspective (arXiv 2510.10150)",
    input=TokensInput,
    arrays=("logprobs", "logits"),
    output=TokensOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
    one_of=True,
)
