"""Problems on which the confidence of a pair is fitted: those that it was trained on, and others.

Nothing here is measured later: the synthetic problems have graphs of the training split, GSM8K's are those of its training set,
and the plain questions are neither those of ``benchmarks/data/confidence_questions.jsonl`` nor of the battery.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np

from epf.engines.onnx.pairs import PLAIN, STORIES
from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import load_problems
from epf.problem_sets.synthetic.problems import problems
from epf.search.answers.conclusion import NOT_ENOUGH
from epf.training.plain.gsm8k.rows import for_development, templates
from epf.training.plain.json_lines import read_rows
from epf.training.plain.kinds.draw import draw_held_out
from epf.training.plain.mixture import MAX_CHARACTERS, MAX_LINES, Mixture

SEED = 31_000_001
N_INSIDE = 600
N_GSM8K = 80
MAX_GSM8K_CHARS = 160
N_WORDINGS = 20_000
N_FRESH = 2_500

PLAIN_QUESTIONS = Path(__file__).with_name("questions.jsonl")
_KINDS_OF_PLAIN = ("stories", "arithmetic")


@dataclass(frozen=True, slots=True)
class Problems:
    """What a map is fitted on.

    Attributes:
        inside: problems like those that the models were trained on.
        outside: other problems, by their source.
        known: texts that define the known wordings.
        fresh: other texts in the same wordings.
    """

    inside: list[Problem]
    outside: tuple[list[Problem], ...]
    known: list[str]
    fresh: list[str]


def of_stories(gsm8k: Path) -> Problems:
    """Return stories and puzzles of 1 to 8 steps; outside of them, plain questions and short problems of GSM8K's training set.

    ``gsm8k`` is the file of openai/grade-school-math.
    """
    drawn = islice(problems(SEED, "train"), N_INSIDE)
    inside = [
        Problem(f"synthetic-{number}", problem.text, str(problem.answer)) for number, problem in enumerate(drawn, start=1)
    ]
    read = [problem for problem in load_problems(str(gsm8k)) if len(problem.text) <= MAX_GSM8K_CHARS]
    outside = [Problem(f"gsm8k-{p.id}", p.text, p.gold) for p in read[:N_GSM8K]]
    texts = [problem.text for problem in islice(problems(SEED + 1, "train"), N_WORDINGS + N_FRESH)]
    return Problems(inside, ([*load_problems(str(PLAIN_QUESTIONS)), *outside],), texts[:N_WORDINGS], texts[N_WORDINGS:])


def of_plain(gsm8k: Path) -> Problems:
    """Return problems of the training mixture and in new wordings of its kinds; outside of them, other ones.

    The new wordings are forms that neither model was trained on, and plain questions. Other ones are plain questions of kinds
    that the mixture does not have, and wordings of GSM8K that are held out. Some problems cannot be answered. ``gsm8k`` is the
    file of openai/grade-school-math.
    """
    mixture = Mixture(list(templates(gsm8k)))
    rng = np.random.default_rng(SEED)
    drawn = [mixture.draw(rng, MAX_LINES) for _ in range(N_INSIDE // 2)]
    drawn += [draw_held_out(rng, "confidence") for _ in range(N_INSIDE)]
    inside = [Problem(f"plain-{number}", p.text, p.answer or NOT_ENOUGH) for number, p in enumerate(drawn, start=1)]
    held_out = [problem for problem in for_development(gsm8k) if len(problem.text) <= MAX_CHARACTERS]
    gsm8k_rows = [Problem(f"gsm8k-{n}", p.text, p.answer) for n, p in enumerate(held_out, start=1) if p.answer is not None]
    questions: list[Problem] = []
    for row in read_rows(PLAIN_QUESTIONS):
        (inside if row["kind"] in _KINDS_OF_PLAIN else questions).append(Problem(row["id"], row["problem"], row["answer"]))
    texts = [mixture.draw(rng, MAX_LINES).text for _ in range(N_WORDINGS + N_FRESH)]
    return Problems(inside, (gsm8k_rows, questions), texts[:N_WORDINGS], texts[N_WORDINGS:])


OF_PAIR: Mapping[str, Callable[[Path], Problems]] = MappingProxyType({PLAIN.name: of_plain, STORIES.name: of_stories})


def write(found: list[Problem], path: Path) -> None:
    """Write problems as a file that an evaluation reads."""
    rows: Iterator[str] = (json.dumps({"id": p.id, "problem": p.text, "answer": p.gold}, ensure_ascii=False) for p in found)
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
