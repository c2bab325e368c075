"""Solutions sampled from the shipped generator, which receive exact labels."""

import asyncio
import json
import os
from pathlib import Path

import numpy as np

from epf.core.generator import Message, Sampling
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problem import MAX_STEPS, SyntheticProblem
from epf.problem_sets.synthetic.problems import problem

TEMPERATURE = 0.8
MAX_SAMPLED_STEPS = 14
TOKENS_PER_STEP = 40


async def sample_solution(
    generator: EmbeddedGenerator, text: str, seed: int, temperature: float = TEMPERATURE
) -> tuple[str, ...]:
    """Return the steps of one sampled solution, truncated if it does not end."""
    prefix = generator.prompt_ids([Message("user", text)])
    sampling = Sampling(temperature=temperature, max_tokens=TOKENS_PER_STEP)
    steps: list[str] = []
    for t, step_seed in enumerate(np.random.SeedSequence(seed).generate_state(MAX_SAMPLED_STEPS, np.uint64)):
        step = await generator.step(prefix, sampling, int(step_seed))
        steps.append(step.text)
        prefix += step.token_ids
        if step.finish == "eos" or (step.finish == "length" and t == MAX_SAMPLED_STEPS - 1):
            break
    return tuple(steps)


async def sample_many(
    generator: EmbeddedGenerator,
    problems: list[SyntheticProblem],
    n: int,
    seed: int,
    temperature: float = TEMPERATURE,
    n_parallel: int = 32,
) -> list[list[tuple[str, ...]]]:
    """Return ``n`` solutions of each problem, with ``n_parallel`` problems in flight."""
    slots = asyncio.Semaphore(n_parallel)

    async def one(i: int) -> list[tuple[str, ...]]:
        async with slots:
            return list(
                await asyncio.gather(
                    *(sample_solution(generator, problems[i].text, (seed << 32) + i * n + k, temperature) for k in range(n))
                )
            )

    return list(await asyncio.gather(*(one(i) for i in range(len(problems)))))


def write_samples(generator_folder: Path, out: Path, n_problems: int, n: int, seed: int) -> None:
    """Sample solutions of training problems and write them as rows of text, lines, answer and solutions.

    A file that exists is kept, since it is only there when it is complete.
    """
    if out.exists():
        return
    partial = out.with_suffix(".partial")

    async def run() -> None:
        generator = EmbeddedGenerator(generator_folder, max_rows=64, n_threads=os.cpu_count() or 1)
        rng = np.random.default_rng(seed)
        with partial.open("w") as file:
            for start in range(0, n_problems, 256):
                chunk = [
                    problem(rng, int(rng.integers(1, MAX_STEPS + 1)), "train") for _ in range(min(256, n_problems - start))
                ]
                for drawn, solutions in zip(
                    chunk, await sample_many(generator, chunk, n, seed + start, n_parallel=64), strict=True
                ):
                    row = {"text": drawn.text, "lines": drawn.lines, "answer": drawn.answer, "solutions": solutions}
                    file.write(json.dumps(row) + "\n")
                print(f"sampled {start + len(chunk)}/{n_problems} problems x {n}", flush=True)
        await generator.aclose()

    asyncio.run(run())
    partial.rename(out)


def read_samples(path: Path) -> list[tuple[SyntheticProblem, list[tuple[str, ...]]]]:
    """Read the rows that :func:`write_samples` wrote."""
    with path.open() as file:
        rows = [json.loads(line) for line in file]
    return [(SyntheticProblem(r["text"], tuple(r["lines"]), r["answer"]), [tuple(s) for s in r["solutions"]]) for r in rows]
