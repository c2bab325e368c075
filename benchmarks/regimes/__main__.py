"""In which world which filter wins: ``python -m benchmarks.regimes``. An interrupted run goes on where it was.

Writes ``benchmarks/results/regimes.json`` and ``.md`` and draws ``docs/regimes.png``. With ``--page`` nothing is
measured: the page and the picture are made anew from the recorded figures.
"""

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from benchmarks.output import RESULTS, save
from benchmarks.regimes.cells import ALL, METHODS, PLACES
from benchmarks.regimes.finished import add, load
from benchmarks.regimes.measure import Cell, Figure, learned_slopes, measure
from benchmarks.regimes.page import page
from benchmarks.regimes.picture import draw
from benchmarks.regimes.summary import Key, Line, lines

FINISHED = Path("runs/regimes.jsonl")
PICTURE = Path(__file__).parents[2] / "docs" / "regimes.png"


def cells() -> list[Cell]:
    """All cells, in the order in which they are measured."""
    found = []
    for name, place in ALL.items():
        filters = {METHODS[method].filter: None for method in place.methods}
        for n in place.particles:
            found += [Cell(name, n, tuple(m for m in place.methods if METHODS[m].filter == f)) for f in filters]
    return found


def measured(todo: Iterable[Cell], path: Path, processes: int) -> dict[Key, Figure]:
    """Measure what the file of finished cells does not have yet, and add it there."""
    figures = load(path, ALL)
    missing = [cell for cell in todo if any((cell.place, cell.n, method) not in figures for method in cell.methods)]
    print(f"{len(figures)} figures are measured, {len(missing)} filters are left to run", flush=True)
    with ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(measure, cell, ALL[cell.place]): cell for cell in missing}
        for done in as_completed(running):
            cell, found = running[done], done.result()
            add(path, cell.place, cell.n, found)
            for method, figure in found.items():
                figures[cell.place, cell.n, method] = figure
                print(f"{cell.place}, N = {cell.n}, {method}: {100 * figure.shares.mean():.1f} %", flush=True)
    return figures


def main() -> None:
    """Measure, summarise, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--page", action="store_true", help="measure nothing")
    args = parser.parse_args()
    recorded = RESULTS / "regimes.json"
    if args.page:
        result = json.loads(recorded.read_text(encoding="utf-8"))
    else:
        found = lines(measured(cells(), FINISHED, args.processes))
        slopes = {name: [round(s, 2) for s in learned_slopes(place.world)] for name, place in PLACES.items()}
        result = {"command": "make bench-regimes", "slopes": slopes, "lines": [asdict(line) for line in found]}
    found = [Line(**line) for line in result["lines"]]
    save(recorded, result, page(found, result["slopes"]))
    draw(found, PICTURE)
    if not args.page:
        FINISHED.unlink()


if __name__ == "__main__":
    main()
