"""README's table of methods, from a small report."""

from typing import Any

from benchmarks.methods import short_table


def cell(method: str, budget: int, mean: float, tokens: float) -> dict[str, Any]:
    return {"method": method, "budget": budget, "accuracy": {"mean": mean}, "generated_tokens": tokens}


def test_each_accuracy_is_in_its_cell_and_marked_if_it_differs() -> None:
    verdicts = [("pf", 4, "tie"), ("pf", 8, "better"), ("beam", 8, "worse")]
    report = {
        "n_problems": 500,
        "n_searches": 1500,
        "cells": [
            cell("epf", 4, 0.5, 40.2),
            cell("epf", 8, 0.61, 80.0),
            cell("pf", 4, 0.51, 41.0),
            cell("pf", 8, 0.7, 81.0),
            cell("beam", 8, 0.25, 99.6),
        ],
        "same_budget": [{"method": m, "budget": n, "verdict": verdict} for m, n, verdict in verdicts],
    }
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in short_table(report).splitlines() if "|" in line]
    assert rows[0] == ["method", "N = 4", "N = 8", "tokens at 8"]
    assert rows[2:] == [["`epf`", "50.0", "61.0", "80"], ["`pf`", "51.0", "70.0 +", "81"], ["`beam`", "", "25.0 -", "100"]]
