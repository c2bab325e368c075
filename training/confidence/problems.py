"""Problems on which the confidence of a pair is fitted: those that it was trained on, and others.

Nothing here is measured later: the synthetic problems have graphs of the training split, GSM8K's are those of its training set,
and the plain questions are not those of ``benchmarks/data/confidence_questions.jsonl``.
"""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import load_problems
from epf.problem_sets.synthetic.problems import problems

SEED = 31_000_001
N_INSIDE = 600
N_GSM8K = 80
MAX_GSM8K_CHARS = 160
N_WORDINGS = 20_000
N_FRESH = 2_500

PLAIN_QUESTIONS = Path(__file__).with_name("questions.jsonl")


def inside() -> list[Problem]:
    """Return stories and puzzles of 1 to 8 steps."""
    drawn = islice(problems(SEED, "train"), N_INSIDE)
    return [Problem(f"synthetic-{number}", problem.text, str(problem.answer)) for number, problem in enumerate(drawn, start=1)]


def outside(gsm8k: Path) -> list[Problem]:
    """Return plain questions, and short problems of GSM8K's training set, read from the file of openai/grade-school-math."""
    read = [problem for problem in load_problems(str(gsm8k)) if len(problem.text) <= MAX_GSM8K_CHARS]
    return [*load_problems(str(PLAIN_QUESTIONS)), *(Problem(f"gsm8k-{p.id}", p.text, p.gold) for p in read[:N_GSM8K])]


def wordings() -> tuple[list[str], list[str]]:
    """Return texts that define the known wordings, and others in the same wordings."""
    texts = [problem.text for problem in islice(problems(SEED + 1, "train"), N_WORDINGS + N_FRESH)]
    return texts[:N_WORDINGS], texts[N_WORDINGS:]


def write(found: list[Problem], path: Path) -> None:
    """Write problems as a file that an evaluation reads."""
    rows: Iterator[str] = (json.dumps({"id": p.id, "problem": p.text, "answer": p.gold}, ensure_ascii=False) for p in found)
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
