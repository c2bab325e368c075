"""Draws the rooms of the package and the imports between them: ``python -m benchmarks.architecture``.

Rows are the layers of the import contracts in ``pyproject.toml``, arrows are imports found in the code. An arrow that follows
from others is left out, and so are the benchmarks, which may import everything.
"""

import argparse
import ast
import tomllib
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parent.parent
ROOMS = {
    "cli": (0.0, "command line"),
    "core": (0.0, "protocols, value types, errors"),
    "diagnosis": (0.5, "epf doctor"),
    "engines": (0.0, "ONNX Runtime, vLLM, HTTP"),
    "entropy": (-1.5, "scores reasoning traces"),
    "evaluation": (-0.5, "compares methods on data sets"),
    "generators": (-0.5, "write steps"),
    "problem_sets": (-0.9, "synthetic and public problems"),
    "reward_models": (0.5, "score steps"),
    "search": (0.0, "smc, engine, methods, answers"),
    "service": (0.5, "HTTP"),
    "training": (-1.5, "recipe of the embedded pair"),
}
"""Column and caption of each room."""

COLUMN, WIDTH, HEIGHT = 4.0, 2.72, 0.62


def layers() -> list[list[str]]:
    """The rooms, from the top layer to the bottom one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers" and contract["containers"] == ["epf"])
    rows = [[room.strip(" ()") for room in layer.replace(":", "|").split("|")] for layer in contract["layers"]]
    return [row for row in rows if row != ["benchmarks"]]


def imports(room: str) -> set[str]:
    """The rooms whose modules a room's modules import."""
    found: set[str] = set()
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found |= {name.split(".")[1] for name in names if name.startswith("epf.")}
    return found - {room}


def arrows(rooms: list[str]) -> set[tuple[str, str]]:
    """Imports between rooms, without those that follow from others."""
    direct = {room: imports(room) & set(rooms) for room in rooms}

    def below(room: str) -> set[str]:
        return direct[room].union(*(below(other) for other in direct[room]))

    return {(a, b) for a in rooms for b in direct[a] if not any(b in below(other) for other in direct[a] - {b})}


def draw(out: Path) -> None:
    """Write the picture."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "epf", "font.family": "sans-serif"})
    rows = layers()
    places = {room: (COLUMN * ROOMS[room][0], -1.25 * depth) for depth, row in enumerate(rows) for room in row}
    figure, axes = plt.subplots(figsize=(11.2, 1.06 * len(rows)))
    for upper, lower in sorted(arrows(list(places))):
        (x0, y0), (x1, y1) = places[upper], places[lower]
        axes.add_patch(
            FancyArrowPatch(
                (x0, y0 - HEIGHT / 2),
                (x1, y1 + HEIGHT / 2),
                arrowstyle="-|>",
                mutation_scale=11,
                color="0.5",
                lw=1.1,
                shrinkA=0,
                shrinkB=0,
                zorder=1,
            )
        )
    for room, (x, y) in places.items():
        axes.add_patch(
            FancyBboxPatch(
                (x - WIDTH / 2, y - HEIGHT / 2),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0.02",
                facecolor="#e8eaf6",
                edgecolor="#3f51b5",
                lw=1.2,
                zorder=2,
            )
        )
        axes.text(x, y + 0.1, f"{room}/", ha="center", va="center", fontsize=10.5, fontweight="bold", color="#1a237e", zorder=3)
        axes.text(x, y - 0.15, ROOMS[room][1], ha="center", va="center", fontsize=7.5, color="0.2", zorder=3)
    axes.set_xlim(-1.95 * COLUMN, 0.95 * COLUMN)
    axes.set_ylim(-1.25 * (len(rows) - 1) - 0.5, 0.5)
    axes.axis("off")
    figure.savefig(out, bbox_inches="tight", facecolor="white", metadata={"Date": None})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "architecture.svg")
    draw(parser.parse_args().out)


if __name__ == "__main__":
    main()
