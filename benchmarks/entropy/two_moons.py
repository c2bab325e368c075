"""Compares weighted, plain and optimal-transport flow matching: ``python -m benchmarks.entropy.two_moons``.

The flows go from a standard Gaussian to two moons in the plane, with the same small net, number of steps and batches. Needs
torch, torchcfm and the extras ``entropy`` and ``plots``; writes docs/entropy/two_moons.md and .png. Wasserstein distances are
exact, by POT. For each eps, the table contains the error of the marginals that the tool predicts before any training.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ot
import torch
from matplotlib.figure import Figure
from torchcfm.conditional_flow_matching import ExactOptimalTransportConditionalFlowMatcher

from epf.entropy.core.information import FloatArray
from epf.entropy.coupling.loss import flow_matching_loss
from epf.entropy.coupling.maths import Coupling, costs, coupling, eps_knee, uniform
from epf.entropy.coupling.tool import DEFAULT_GRID

Loss = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]

OUT = Path(__file__).parents[2] / "docs" / "entropy" / "two_moons"
N_STEPS, BATCH, WIDTH, RATE = 2000, 128, 64, 2e-3
N_SAMPLES = 1000
N_EULER = 100
FEW_EULER = 4


@dataclass(frozen=True, slots=True)
class Version:
    """A loss of a field, starts and ends; ``marginal_gap`` is the tool's, 0 if the pairs keep the marginals."""

    name: str
    marginal_gap: float
    loss: Loss


@dataclass(frozen=True, slots=True)
class Row:
    """The measurements of one version.

    Attributes:
        distance: Wasserstein-2 distance between samples and moons, with many Euler steps. distance_in_few: the same distance
        with few Euler steps. excess_energy: energy of the paths over the minimum that transport needs, minus 1; 0 for straight
        paths of minimum energy. seconds: training time.
    """

    version: Version
    distance: float
    distance_in_few: float
    excess_energy: float
    seconds: float
    paths: FloatArray


def moons(n: int, rng: np.random.Generator) -> FloatArray:
    """Two half circles of radius 2 that interlock, with a little noise, ``(n, 2)``."""
    angle = rng.uniform(0, np.pi, n)
    upper = rng.random(n) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    return np.stack([2.0 * x, 2.0 * y], axis=1) + rng.normal(0, 0.1, (n, 2))


def trained(loss: Loss, seed: int) -> torch.nn.Module:
    """A velocity field trained with this loss of starts and ends."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    layers = torch.nn.Sequential(
        torch.nn.Linear(3, WIDTH), torch.nn.SELU(), torch.nn.Linear(WIDTH, WIDTH), torch.nn.SELU(),
        torch.nn.Linear(WIDTH, WIDTH), torch.nn.SELU(), torch.nn.Linear(WIDTH, 2),
    )  # fmt: skip
    optimiser = torch.optim.Adam(layers.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, N_STEPS)
    for _ in range(N_STEPS):
        x = torch.randn(BATCH, 2)
        y = torch.tensor(moons(BATCH, rng), dtype=torch.float32)
        optimiser.zero_grad()
        loss(layers, x, y).backward()
        optimiser.step()
        schedule.step()
    return layers


def velocity(layers: torch.nn.Module, t: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """The value of the field."""
    return layers(torch.cat([position, t], dim=1))


def flown(layers: torch.nn.Module, x: torch.Tensor, n_steps: int) -> tuple[FloatArray, float]:
    """Positions along the paths of x by Euler's method, ``(n_steps + 1, n, 2)``, and their mean energy."""
    positions, energy = [x], 0.0
    with torch.no_grad():
        for k in range(n_steps):
            v = velocity(layers, torch.full((len(x), 1), k / n_steps), positions[-1])
            positions.append(positions[-1] + v / n_steps)
            energy += float(v.square().sum(dim=1).mean()) / n_steps
    return torch.stack(positions).numpy().astype(np.float64), energy


def wasserstein(x: FloatArray, y: FloatArray) -> float:
    """Wasserstein-2 distance of two samples."""
    return float(np.sqrt(ot.emd2(uniform(len(x)), uniform(len(y)), ot.dist(x, y))))


def measured(version: Version, seed: int) -> Row:
    """Trains and measures one version."""
    began = time.perf_counter()
    layers = trained(version.loss, seed)
    seconds = time.perf_counter() - began
    rng = np.random.default_rng(10_000 + seed)
    start, goal = rng.normal(size=(N_SAMPLES, 2)), moons(N_SAMPLES, rng)
    x = torch.tensor(start, dtype=torch.float32)
    paths, energy = flown(layers, x, N_EULER)
    few, _ = flown(layers, x, FEW_EULER)
    least = wasserstein(start, goal) ** 2
    return Row(version, wasserstein(paths[-1], goal), wasserstein(few[-1], goal), energy / least - 1.0, seconds, paths)


def weighted(eps: float | None) -> Loss:
    """Our loss at this eps; None for the plain loss."""

    def loss(layers: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return flow_matching_loss(lambda t, position: velocity(layers, t, position), x, y, torch.rand(len(x), 1), eps=eps)

    return loss


def transport() -> Loss:
    """The loss with pairs by optimal transport within each batch, from torchcfm."""
    matcher = ExactOptimalTransportConditionalFlowMatcher(sigma=0.0)

    def loss(layers: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        t, position, goal = matcher.sample_location_and_conditional_flow(x, y)
        return (velocity(layers, t[:, None], position) - goal).square().sum(dim=1).mean()

    return loss


def versions() -> list[Version]:
    """Weighted losses at the eps that the tool chooses for 500 samples per side, at 4 and 1/4 times it, and the two others."""
    rng = np.random.default_rng(0)
    cost = costs(rng.normal(size=(500, 2)), moons(500, rng), "euclidean")

    def at(eps: float) -> Coupling:
        return coupling(cost, eps, uniform(500), uniform(500))

    grid = DEFAULT_GRID * cost.std()
    chosen = float(grid[eps_knee(grid, np.array([at(float(eps)).tilt for eps in grid]))])
    return [
        Version("plain", 0.0, weighted(None)),
        *(
            Version(f"weighted, eps {eps:.2g}{note}", at(eps).marginal_gap, weighted(eps))
            for eps, note in ((4 * chosen, ""), (chosen, " (knee)"), (chosen / 4, ""))
        ),
        Version("optimal transport", 0.0, transport()),
    ]


def picture(rows: list[Row]) -> Figure:
    """Draws the paths and ends of each version."""
    figure = Figure(figsize=(3.2 * len(rows), 3.4), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows), sharex=True, sharey=True), rows, strict=True):
        axes.plot(row.paths[:, :150, 0], row.paths[:, :150, 1], color="0.75", linewidth=0.5)
        axes.scatter(*row.paths[-1].T, s=2)
        axes.set_title(row.version.name)
        axes.set_aspect("equal")
    return figure


def main() -> None:
    """Trains and measures all versions, and writes table and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    titles = (
        "version", "error of the marginals", "W2 to moons", f"in {FEW_EULER} steps", "excess energy of paths", "training (s)"
    )  # fmt: skip
    lines = ["# Flows from a Gaussian to two moons", "", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    first = []
    for version in versions():
        rows = [measured(version, seed) for seed in range(args.seeds)]
        figures = ([row.distance for row in rows], [row.distance_in_few for row in rows], [row.excess_energy for row in rows])
        cells = [f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" for values in figures]
        seconds = np.mean([row.seconds for row in rows])
        lines.append(f"| {version.name} | {version.marginal_gap:.2f} | {' | '.join(cells)} | {seconds:.1f} |")
        print(lines[-1], flush=True)
        first.append(rows[0])
    args.out.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture(first).savefig(args.out.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
