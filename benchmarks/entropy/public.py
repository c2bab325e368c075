"""Converts public data sets to traces: ``python -m benchmarks.entropy.public --data ../shared/data --out runs/entropy``.

Writes one file for each data set that the folder contains: ``gsm8k_model_solutions.jsonl`` (four models with one solution each
for every problem), ``processbench_gsm8k.jsonl`` (solutions of many models with their first wrong step) and
``bigbench_mistake.jsonl`` (solutions of one model with their first wrong step); and ``gsm8k_solvers.json``, which lists the
problems that each of the four models solved.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from epf.entropy.traces import Trace

DATA = Path("../shared/data")
SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def gsm8k_model_solutions(folder: Path) -> list[Trace]:
    """Solutions of four models for each problem; ``judges.votes`` is the number of other models with the same answer."""
    found = []
    for row in _json_lines(folder / "gsm8k_model_solutions.jsonl"):
        solutions = {name: row[name]["solution"].split("\n") for name in SOLVERS}
        answers = {name: _last_answer(lines) for name, lines in solutions.items()}
        votes = Counter(answer for answer in answers.values() if answer is not None)
        for name, lines in solutions.items():
            answer = answers[name]
            found.append(
                Trace(
                    problem=row["question"],
                    steps=[line for line in lines if line.strip()],
                    answer=answer,
                    correct=row[name]["is_correct"],
                    judges={
                        "votes": votes[answer] - 1.0 if answer is not None else -1.0,
                        "right": 1.0 * row[name]["is_correct"],
                    },
                    labels={"model": name},
                )
            )
    return found


def _last_answer(lines: list[str]) -> str | None:
    """The text after ``A:`` in the last line."""
    return lines[-1].removeprefix("A:").strip().replace(",", "") if lines[-1].startswith("A:") else None


def processbench_gsm8k(folder: Path) -> list[Trace]:
    """Solutions with their first wrong step; -1 if every step is right."""
    rows = json.loads((folder / "processbench_gsm8k.json").read_text(encoding="utf-8"))
    return [
        Trace(
            problem=row["problem"],
            steps=row["steps"],
            correct=row["final_answer_correct"],
            labels={"model": row["generator"], "first_wrong": row["label"]},
        )
        for row in rows
    ]


def bigbench_mistake(folder: Path) -> list[Trace]:
    """Solutions with their first wrong step; -1 if every step is right."""
    return [
        Trace(
            problem=row["input"],
            steps=row["steps"],
            answer=row["answer"],
            correct=row["answer"] == row["target"],
            labels={"first_wrong": -1 if row["mistake_index"] is None else row["mistake_index"]},
        )
        for row in _json_lines(folder / "bigbench_mistake_arithmetic.jsonl")
    ]


SETS: dict[str, Callable[[Path], list[Trace]]] = {
    "gsm8k_model_solutions": gsm8k_model_solutions,
    "processbench_gsm8k": processbench_gsm8k,
    "bigbench_mistake": bigbench_mistake,
}


def solvers(found: list[Trace]) -> dict[str, list[bool]]:
    """For each model, whether it solved each problem."""
    return {name: [bool(trace.correct) for trace in found if trace.labels["model"] == name] for name in SOLVERS}


def write_all(data: Path, out: Path) -> None:
    """Converts the data sets that exist."""
    out.mkdir(parents=True, exist_ok=True)
    for name, convert in SETS.items():
        try:
            found = convert(data)
        except FileNotFoundError as error:
            print(f"{name}: skipped, {error.filename} does not exist")
            continue
        rows = "".join(trace.model_dump_json(exclude_none=True) + "\n" for trace in found)
        (out / f"{name}.jsonl").write_text(rows, encoding="utf-8")
        if name == "gsm8k_model_solutions":
            request = {"columns": solvers(found), "target": SOLVERS[-1]}
            (out / "gsm8k_solvers.json").write_text(json.dumps(request), encoding="utf-8")


def main() -> None:
    """Converts the data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("runs/entropy"))
    args = parser.parse_args()
    write_all(args.data, args.out)


if __name__ == "__main__":
    main()
