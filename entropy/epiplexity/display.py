"""The conclusion, the tables and the picture of ``epiplexity``."""

from typing import TYPE_CHECKING

from epf.entropy.epiplexity.schema import EpiplexityOutput
from epf.entropy.tooling.labels import label
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def conclusion(found: EpiplexityOutput) -> str:
    """How much of the data is structure to the best learner, and how much is noise."""
    learned = f"The best learner, {found.best}, finds {found.structure:.4g} {found.unit} of structure"
    if found.noise is None:
        return f"{learned}; the noise is not known."
    return f"{learned} and leaves {found.noise:.4g} as noise."


def tables(found: EpiplexityOutput) -> list[Table]:
    """Lists the shortest code, all models, the frontier over compute, and the overhead of messages."""
    whole = None if found.noise is None else found.structure + found.noise
    per_token = None if found.noise is None else found.noise / found.test_tokens
    shortest = Table(
        f"Shortest two-part code ({found.estimator}), in {found.unit}: {found.best}",
        ("tokens", "structure", "noise", "noise per token", "share of structure"),
        ((_whole(found.test_tokens), found.structure, found.noise, per_token, found.structure / whole if whole else None),),
    )
    models = Table(
        f"Models, in {found.unit}",
        ("model", "parameters", "trained on", "structure", "noise", "total"),
        tuple((m.name, _whole(m.parameters), _whole(m.tokens), m.structure, m.noise, m.total) for m in found.models),
    )
    if found.estimator not in ("prequential", "requential"):
        return [shortest, models]
    by_compute = Table(
        f"Shortest code by compute, in {found.unit}",
        ("FLOPs", "model", "trained on", "structure", "noise", "total"),
        tuple((p.compute, found.models[p.model].name, _whole(p.tokens), p.structure, p.noise, p.total) for p in found.frontier),
    )
    coded = Table(
        f"Length of the model including the overhead of each step's message, in {found.unit}",
        ("model", "KL alone", "KL + log2(1 + KL) + 4", "KL + 2 log2(1 + KL) + 5.21"),
        tuple((m.name, m.structure, m.structure_coded, m.structure_coded_universal) for m in found.models),
    )
    return [shortest, models, *([by_compute] if found.frontier else []), *([coded] if found.estimator == "requential" else [])]


def _whole(value: float | None) -> float | int | None:
    """A count as an integer, if it is small enough to be printed in full."""
    return int(value) if value is not None and value < 1e9 and value == int(value) else value


def plot(found: EpiplexityOutput, figure: "Figure") -> None:
    """Draws structure and noise of every model, and the frontier or the learning curve."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    positions = range(len(found.models))
    left.bar(positions, [model.noise or 0.0 for model in found.models], label="noise", color="0.75")
    left.bar(
        positions,
        [model.structure for model in found.models],
        bottom=[model.noise or 0.0 for model in found.models],
        label="structure",
    )
    left.set_xticks(positions, [label(model.name) for model in found.models], rotation=30, ha="right")
    left.set_ylabel(found.unit)
    left.set_title(f"shortest: {label(found.best)}")
    left.legend(frameon=False)
    if found.curve:
        right.step([point.tokens for point in found.curve], [point.loss for point in found.curve], label="while learning")
        if found.noise is not None:
            right.axhline(found.noise / found.test_tokens, color="0.5", ls="--", label="after learning")
        right.set_xlabel("tokens")
        right.set_ylabel(f"{found.unit} per token")
        right.legend(frameon=False)
    else:
        compute = [point.compute for point in found.frontier]
        right.plot(compute, [point.structure for point in found.frontier], "o-", label="structure")
        right.set_xlabel("compute, FLOPs")
        right.set_ylabel(f"structure, {found.unit}")
    if found.curve or found.frontier:
        right.set_xscale("log")
