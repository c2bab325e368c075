"""The table of all methods: ``python -m benchmarks.methods``, the last part of ``make bench-methods``.

Reads the report of that run and writes ``table.md`` next to it. Writes the figures with only the main methods to ``main/``,
since nobody can distinguish two dozen lines.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks.output import marked
from epf.evaluation.report.figures import Report
from epf.evaluation.report.pictures import draw
from epf.evaluation.report.text import table

RUN = Path(__file__).parent / "results" / "methods"
MAIN = ("epf", "pf", "epf_published", "dvts", "beam", "best_of_n", "weighted_best_of_n", "adaptive", "self_consistency", "ipf")


def short_table(report: dict[str, Any]) -> str:
    """Return accuracy by method and budget, marked if it differs from the reference, and tokens at the largest budget."""
    cells = {(cell["method"], cell["budget"]): cell for cell in report["cells"]}
    methods = list(dict.fromkeys(method for method, _ in cells))
    budgets = sorted({budget for _, budget in cells})
    verdicts = {(one["method"], one["budget"]): one["verdict"] for one in report["same_budget"]}

    def accuracy(method: str, budget: int) -> str:
        cell = cells.get((method, budget))
        if cell is None:
            return ""
        return marked(cell["accuracy"]["mean"], verdicts.get((method, budget), "tie"))

    def tokens(method: str) -> str:
        cell = cells.get((method, budgets[-1]))
        return "" if cell is None else f"{cell['generated_tokens']:.0f}"

    rows = [(f"`{method}`", *(accuracy(method, budget) for budget in budgets), tokens(method)) for method in methods]
    header = ("method", *(f"N = {budget}" for budget in budgets), f"tokens at {budgets[-1]}")
    n_problems, n_searches = report["n_problems"], report["n_searches"]
    return "\n".join(
        [
            f"{n_problems} held-out problems of 4 to 8 steps, {n_searches} pairs of problem and seed; accuracy in percent.",
            f"+ and - mark methods that are better or worse than `{methods[0]}` at the same N, by a 95 % interval over",
            "the same pairs; all others tie with it.",
            "",
            table(header, rows),
        ]
    )


def main_methods(report: dict[str, Any]) -> Report:
    """Return the report with only the main methods."""
    whole = TypeAdapter(Report).validate_python({name: value for name, value in report.items() if name != "settings"})
    return replace(
        whole,
        cells=tuple(cell for cell in whole.cells if cell.method in MAIN),
        same_tokens=tuple(one for one in whole.same_tokens if one.method in MAIN),
        rounds=tuple(one for one in whole.rounds if one.method in MAIN),
        calibration=None,
    )


def main() -> None:
    """Write the table and the figures."""
    report = json.loads((RUN / "report.json").read_text(encoding="utf-8"))
    written = short_table(report)
    (RUN / "table.md").write_text(written + "\n", encoding="utf-8")
    (RUN / "main").mkdir(exist_ok=True)
    draw(main_methods(report), RUN / "main")
    print(written)


if __name__ == "__main__":
    main()
