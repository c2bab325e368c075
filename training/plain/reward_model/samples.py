"""Solutions that the generator of the pair ``plain`` samples for training problems."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from epf.generators.embedded import EmbeddedGenerator
from epf.training.plain.json_lines import read_rows
from epf.training.plain.problem import PlainProblem
from epf.training.reward_model.samples import sample_solution

_CHUNK = 64
"""Problems that are sampled together; a run that was interrupted goes on after the last whole chunk."""


def write_samples(
    generator_folder: Path, problem: Callable[[int], PlainProblem], path: Path, *, n_problems: int, n: int, seed: int
) -> None:
    """Append rows of text, lines, answer and ``n`` solutions to ``path`` until it has those of the first ``n_problems``."""

    async def run() -> None:
        generator = EmbeddedGenerator(generator_folder, max_rows=_CHUNK, n_threads=os.cpu_count() or 1)
        for start in range(_kept(path, n_problems), n_problems, _CHUNK):
            rng = np.random.default_rng([seed, start])
            problems = [problem(index) for index in range(start, min(start + _CHUNK, n_problems))]
            solutions = await asyncio.gather(*(_samples(generator, p, n, int(rng.integers(2**62))) for p in problems))
            rows = [
                json.dumps({"text": p.text, "lines": p.lines, "answer": p.answer, "solutions": found}) + "\n"
                for p, found in zip(problems, solutions, strict=True)
            ]
            with path.open("a", encoding="utf-8") as file:
                file.write("".join(rows))
            print(f"sampled {start + len(problems)}/{n_problems} problems x {n}", flush=True)
        await generator.aclose()

    asyncio.run(run())


def read_samples(path: Path) -> Iterator[tuple[PlainProblem, list[tuple[str, ...]]]]:
    """Yield the problems of a file with their sampled solutions."""
    for row in read_rows(path):
        problem = PlainProblem(row["text"], tuple(row["lines"]), row["answer"])
        yield problem, [tuple(steps) for steps in row["solutions"]]


async def _samples(generator: EmbeddedGenerator, problem: PlainProblem, n: int, seed: int) -> list[tuple[str, ...]]:
    return list(await asyncio.gather(*(sample_solution(generator, problem.text, seed + k) for k in range(n))))


def _kept(path: Path, n_problems: int) -> int:
    """Return the number of rows in whole chunks, or all if none is missing, and cut the rest of the file off."""
    if not path.exists():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    ended = sum(line.endswith("\n") for line in lines)
    whole = ended if ended == n_problems else ended // _CHUNK * _CHUNK
    path.write_text("".join(lines[:whole]), encoding="utf-8")
    return whole
