"""Writes the model cards of the pair ``plain`` with its figures: ``python -m epf.training.plain.cards PAIR``.

The figures are those of ``python -m benchmarks.plain`` and ``python -m benchmarks.plain_scores``.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "cards"
RESULTS = Path("benchmarks/results")
SETS = {"battery": "battery", "svamp": "SVAMP", "gsm8k_short": "GSM8K, short"}
PARTS = ("all", "one and two events", "all word problems", "arithmetic", "unanswerable")


def figures(result: Mapping[str, Any]) -> str:
    """Return the table of a measured pair: a row for each set of problems, a column for each method.

    Raises:
        KeyError: a set of problems was not measured.
    """
    methods = list(result["battery"])
    rows = [("problems", "n", *methods)]
    for name, title in SETS.items():
        for part in PARTS:
            found = [result[name][method].get(part) for method in methods]
            if found[0] is not None:
                rows.append((title if part == "all" else f"{title}: {part}", str(found[0]["n"]), *map(_interval, found)))
    return _table(rows)


def separation(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table of how well the reward model separates right from wrong."""
    interval = "{auc:.3f} ({low:.3f} to {high:.3f})"
    return _table(
        [("problems", "n", "AUC"), *((SETS[name], str(row["n"]), interval.format(**row)) for name, row in scores.items())]
    )


def write_cards(pair: Path, result: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    """Write ``README.md`` of both models of a pair."""
    for role in ("generator", "reward_model"):
        card = (TEMPLATES / f"{role}.md").read_text(encoding="utf-8")
        card = card.replace("{figures}", figures(result)).replace("{separation}", separation(scores))
        (pair / role / "README.md").write_text(card, encoding="utf-8")


def _interval(row: Mapping[str, float]) -> str:
    return f"{row['percent']:.1f} ({row['low']:.0f} to {row['high']:.0f})"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def main() -> None:
    """Write both cards."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pair", type=Path, help="directory of both models")
    args = parser.parse_args()
    result, scores = (json.loads((RESULTS / name).read_text(encoding="utf-8")) for name in ("plain.json", "plain_scores.json"))
    write_cards(args.pair, result, scores)


if __name__ == "__main__":
    main()
