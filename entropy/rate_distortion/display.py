"""The conclusion, the tables and the picture of ``rate-distortion``."""

from typing import TYPE_CHECKING

from epf.entropy.rate_distortion.schema import RateDistortionOutput
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def conclusion(found: RateDistortionOutput) -> str:
    """How many bits the decision needs, by the knee."""
    knee = found.steps[found.knee]
    return f"{knee.bits:.3g} bits per row are enough: with them {knee.agreement:.0%} of the decisions do not change."


def tables(found: RateDistortionOutput) -> list[Table]:
    """Lists the step sizes."""
    marks = {found.best: "best", found.knee: "knee"} if found.best != found.knee else {found.knee: "knee, best"}
    steps = Table(
        f"{found.n_rows} rows of {found.n_columns} numbers, {found.prior} prior: error of {found.decides} {found.error:.3g} "
        f"before rounding, {found.blind_error:.3g} without vectors",
        ("step", "bits per row", "coded", "MSE", "distortion", "agreement", "error", f"weights' KL, {found.unit}", ""),
        tuple(
            (s.delta, s.bits, s.coded_bits, s.mse, s.distortion, s.agreement, s.error, s.weight_divergence, marks.get(i, ""))
            for i, s in enumerate(found.steps)
        ),
    )
    return [steps]


def plot(found: RateDistortionOutput, figure: "Figure") -> None:
    """Draws distortion and agreement against bits."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    bits = [step.bits for step in found.steps]
    left.plot(bits, [step.distortion for step in found.steps], "o-")
    left.set_ylabel("distortion of the decision")
    right.plot(bits, [step.agreement for step in found.steps], "o-", label="unchanged decisions")
    right.plot([step.coded_bits for step in found.steps], [step.agreement for step in found.steps], "k+", label="range coder")
    right.set_ylim(top=1.02)
    for axes in (left, right):
        axes.axvline(bits[found.knee], color="grey", linewidth=1)
        axes.set_xlabel("bits per row")
    left.set_title(f"knee at {bits[found.knee]:.3g} bits, step {found.steps[found.knee].delta:.3g}")
    right.legend(frameon=False)
