"""The conclusion, the tables and the picture of ``reconstruction``."""

from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.checks import number_of
from epf.entropy.reconstruction.schema import ReconstructionOutput
from epf.entropy.tooling.labels import label
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PAIRS = 10
"""Maximum number of pairs in the table."""


def conclusion(found: ReconstructionOutput) -> str:
    """Whether the columns determine the target, what is enough, and what is missing."""
    enough = ", ".join(found.sufficient) or "nothing"
    if found.verdict == "exact":
        return f"The columns determine `{found.target}`; what is enough: {enough}."
    why = "the distances prove that they cannot" if found.verdict == "impossible" else "although the distances would allow it"
    return (
        f"The columns do not determine `{found.target}` ({why}): {found.unknown:.3g} of {found.target_entropy:.3g} "
        f"{found.unit} are missing, which a label of {number_of(found.missing_values, 'value')} would complete; what carries "
        f"the rest: {enough}."
    )


def tables(found: ReconstructionOutput) -> list[Table]:
    """Lists the verdict, the columns and the nearest pairs."""
    verdict = Table(
        f"`{found.target}` from {len(found.columns)} columns of {found.n_samples} traces: {found.verdict}",
        ("sum of distances", "bound", "delta", f"H(target), {found.unit}", "unknown", "sufficient"),
        (
            (
                found.sum_distance,
                found.bound,
                found.delta,
                found.target_entropy,
                found.unknown,
                ", ".join(found.sufficient) or "none needed",
            ),
        ),
    )
    columns = Table(
        "Columns",
        ("column", "values", f"H, {found.unit}", "distance", "information", "lost without it"),
        tuple((c.name, c.n_values, c.entropy, c.distance, c.tells, c.lost_without) for c in found.columns),
    )
    nearest = sorted(found.pairs, key=lambda pair: pair.rajski)[:MAX_PAIRS]
    pairs = Table(
        "Nearest pairs",
        ("a", "b", "Rajski", f"Shannon, {found.unit}", "information", "common information"),
        tuple((p.a, p.b, p.rajski, p.shannon, p.information, p.meet) for p in nearest),
    )
    return [verdict, columns, pairs]


def plot(found: ReconstructionOutput, figure: "Figure") -> None:
    """Draws the Rajski distances between all columns, and the information of each about the target."""
    names = [*(column.name for column in found.columns), found.target]
    index = {name: i for i, name in enumerate(names)}
    distances = np.zeros((len(names), len(names)))
    for pair in found.pairs:
        distances[index[pair.a], index[pair.b]] = distances[index[pair.b], index[pair.a]] = pair.rajski
    figure.set_size_inches(3.0 + 0.9 * len(names), 1.8 + 0.42 * len(names))
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
    image = left.imshow(distances, vmin=0, vmax=1, cmap="viridis_r")
    labels = [label(name) for name in names]
    left.set_xticks(range(len(names)), labels, rotation=45, ha="right")
    left.set_yticks(range(len(names)), labels)
    left.set_title("Rajski distance")
    figure.colorbar(image, ax=left, shrink=0.8)
    own = range(len(found.columns))
    right.barh(own, [column.tells for column in found.columns], color="0.8", label="mutual information")
    right.barh(own, [column.lost_without for column in found.columns], height=0.4, label="lost without it")
    right.set_yticks(own, labels[:-1])
    right.axvline(found.target_entropy, color="0.4", ls=":", lw=1)
    right.invert_yaxis()
    right.legend(frameon=False)
    right.set_xlabel(f"information about `{label(found.target)}`, {found.unit}")
    right.set_title(f"{found.verdict}: {found.unknown:.3g} of {found.target_entropy:.3g} {found.unit} unknown")
