"""The conclusion, the tables and the picture of ``tokens``."""

from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.checks import number_of
from epf.entropy.tokens.schema import TokensOutput
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 12
"""Maximum number of rows in the table."""
MAX_POSITIONS = 24
"""Maximum number of positions of a row in the picture."""


def conclusion(found: TokensOutput) -> str:
    """In how many tokens the change is concentrated, and in which direction it goes."""
    if found.half_in == 0:
        return f"None of these {number_of(found.n_tokens, 'token')} changes the policy's entropy."
    direction = "collapse" if found.change < 0 else "open"
    return (
        f"Half of all change is in {found.half_in} of {number_of(found.n_tokens, 'token')}; together they {direction} the "
        f"policy by {abs(found.change):.3g} nats per unit of learning rate."
    )


def tables(found: TokensOutput) -> list[Table]:
    """Lists the four kinds of tokens, and the tokens and rows with the largest changes."""
    quadrants = Table(
        f"{found.n_tokens} tokens, half of all change in {found.half_in}",
        ("advantage", "effect on the policy", "tokens", "change, nats"),
        tuple((q.pushed, q.effect, q.n_tokens, q.change) for q in found.quadrants),
    )
    forks = Table(
        "Tokens with the largest changes, for a learning rate of 1",
        ("row", "token", "log probability", "entropy", "change, nats", "weight"),
        tuple((f.name, f.position, f.logprob, f.entropy, f.change, f.weight) for f in found.forks),
    )
    largest = sorted(found.rows, key=lambda row: -abs(row.change))[:MAX_ROWS]
    rows = Table(
        "Rows with the largest changes",
        ("row", "advantage", "tokens", "clipped", "change, nats", "mean weight"),
        tuple((r.name, r.advantage, len(r.changes), len(r.clipped), r.change, r.mean_weight) for r in largest),
    )
    return [quadrants, forks, rows]


def plot(found: TokensOutput, figure: "Figure") -> None:
    """Draws the cumulative change over tokens, and the change by position in a row."""
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
    left.set_xlabel("tokens, by falling change")
    left.set_ylabel("sum of changes, nats")
    left.legend(frameon=False, loc="upper left")
    positions = np.concatenate([np.arange(len(row.changes)) for row in found.rows])
    shown = min(MAX_POSITIONS, int(positions.max()) + 1)
    for sign in (-1, 1):
        here = (np.sign(changes) == sign) & (positions < shown)
        right.bar(np.arange(shown), np.bincount(positions[here], changes[here], minlength=shown))
    right.axhline(0, color="grey", linewidth=0.6)
    right.set_xlabel("position of the token in its row")
    right.set_ylabel("sum of changes, nats")
