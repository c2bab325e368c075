"""The picture of docs/choosing.md: what methods solve in three worlds, and what they gain over PF on the map between them."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.regimes.cells import MAP, PLACES
from benchmarks.regimes.summary import Line

WORLDS: Final = {
    "plan, noisy early": "The plan decides, and is misread",
    "forks, 3 stages of 3 ways": "Forks, misread by all who take them",
    "countdown, 5 numbers, exact": "Every step decides, readings are sharp",
}
METHODS: Final = {
    "best_of_n": ("best of N", "0.55", "o"),
    "pf": ("PF", "black", "s"),
    "epf_published": ("published ePF", "#D55E00", "^"),
    "epf_published, look-ahead": ("published ePF + look-ahead", "#CC79A7", "v"),
    "pf, calibrated": ("PF, calibrated by depth", "#0072B2", "D"),
    "pf_once, calibrated": ("evidence judged once (pf_once), calibrated", "#009E73", "P"),
}
GAINS: Final = {
    "best_of_n": "best of N",
    "epf": "epf",
    "epf_published": "published ePF",
    "epf_published, look-ahead": "  with look-ahead",
    "pf, calibrated": "PF, calibrated",
    "pf_once, power 0.25": "pf_once, power 0.25",
    "pf_once, calibrated": "pf_once, calibrated",
}
STRONGEST = 40.0
"""Gain in points at which the colours end."""


def draw(lines: Sequence[Line], out: Path) -> None:
    """Draw both parts."""
    by_cell = {(line.place, line.n, line.method): line for line in lines}
    figure = plt.figure(figsize=(12.5, 13), layout="constrained")
    top, bottom = np.ravel(figure.subfigures(2, 1, height_ratios=[4.4, 8.6], squeeze=False))
    panels = top.subplots(1, len(WORLDS), sharey=True)
    for panel, (place, title) in zip(panels, WORLDS.items(), strict=True):
        _accuracy(panel, by_cell, place, title)
    panels[0].set_ylabel("problems solved, %")
    handles, labels = panels[0].get_legend_handles_labels()
    top.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9.5)
    numbers = next(iter(MAP.values())).particles
    maps = bottom.subplots(1, len(numbers), sharey=True)
    for panel, n in zip(maps, numbers, strict=True):
        shades = _gains(panel, by_cell, n)
    bottom.suptitle("Points gained over PF on the same problems", fontsize=12)
    bar = bottom.colorbar(shades, ax=maps, shrink=0.4, aspect=30)
    bar.set_label("points")
    figure.savefig(out, dpi=110)
    plt.close(figure)


def _accuracy(panel: Any, by_cell: dict[tuple[str, int, str], Line], place: str, title: str) -> None:
    numbers = PLACES[place].particles
    for method, (label, colour, marker) in METHODS.items():
        found = [by_cell[place, n, method].solved for n in numbers]
        panel.plot(numbers, found, color=colour, marker=marker, ms=6, lw=1.8, label=label)
    panel.set_title(title, fontsize=11)
    panel.set_xscale("log", base=2)
    panel.set_xticks(numbers, [str(n) for n in numbers])
    panel.set_xlabel("particles")
    panel.set_ylim(20, 102)
    panel.grid(color="0.92")
    panel.spines[["top", "right"]].set_visible(False)


def _gains(panel: Any, by_cell: dict[tuple[str, int, str], Line], n: int) -> Any:
    """One row for each world: what PF solves, and what the others gain over it."""
    plain = [by_cell[place, n, "pf"].solved for place in MAP]
    gains = np.array([[np.nan, *(by_cell[place, n, method].gain for method in GAINS)] for place in MAP])
    shades = panel.imshow(gains, cmap="RdBu", vmin=-STRONGEST, vmax=STRONGEST, aspect="auto")
    for (row, column), gain in np.ndenumerate(gains):
        colour = "white" if abs(gain) > 0.7 * STRONGEST else "black"
        text = f"{gain:+.0f}" if column else f"{plain[row]:.0f}"
        panel.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    panel.set_title(f"{n} particles", fontsize=11)
    panel.set_xticks(
        range(1 + len(GAINS)), ["PF, % solved", *GAINS.values()], fontsize=9, rotation=40, ha="right", rotation_mode="anchor"
    )
    panel.set_yticks(range(len(MAP)), MAP, fontsize=9)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    for row, (place, below) in enumerate(pairwise(MAP)):
        if place.split()[:2] != below.split()[:2]:
            panel.axhline(row + 0.5, color="black", lw=0.8)
    return shades
