"""The file of finished cells, from which an interrupted run goes on: one line of JSON for each figure."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.regimes.cells import Place
from benchmarks.regimes.measure import Figure
from benchmarks.regimes.summary import Key


def load(path: Path, places: Mapping[str, Place]) -> dict[Key, Figure]:
    """The figures whose samples still have the size that ``places`` ask for.

    A last line that a kill cut short is removed from the file, so that the next one does not continue it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0] if path.exists() else ""
    path.write_text(whole + "\n" if whole else "", encoding="utf-8")
    figures = {}
    for text in whole.splitlines():
        row = json.loads(text)
        place, n, method = row.pop("place"), row.pop("n"), row.pop("method")
        figure = Figure(**{**row, "solved": tuple(map(int, row["solved"]))})
        where = places.get(place)
        if where is not None and (where.n_problems, where.n_seeds) == (len(figure.solved), figure.n_seeds):
            figures[place, n, method] = figure
    return figures


def add(path: Path, place: str, n: int, figures: Mapping[str, Figure]) -> None:
    """Append the figures of one cell, by method."""
    rows = [
        {"place": place, "n": n, "method": method, **asdict(figure), "solved": "".join(map(str, figure.solved))}
        for method, figure in figures.items()
    ]
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
