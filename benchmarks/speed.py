"""Speed of the embedded pair: ``python -m benchmarks.speed`` (needs the train extra); writes ``benchmarks/results/speed.json``.

(a) Seconds to solve held-out 6-step problems one at a time at N = 8: median and 90th percentile, with the models loaded.
(b) Tokens per second of the embedded generator compared with transformers' ``generate``, on the same weights, prompts, batch
and machine, alternating in one run: both sample 64 tokens for each of 8 rows with the same prompt; medians over repetitions.
(c) The floor of (a): the time that the same engine needs to sample as many tokens at the same concurrency without a search.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.core.generator import Message, Sampling
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import SearchOptions, asolve
from epf.search.answers.checker import AnswerChecker

NEW_TOKENS = 64
N = 8


async def solves(generator: EmbeddedGenerator, asked: list[SyntheticProblem]) -> dict[str, Any]:
    """Measure (a) and (c)."""
    reward_model, checker = EmbeddedRewardModel(STORIES.reward_model), AnswerChecker()
    out: dict[str, Any] = {}
    floors, ratios = [], []
    contenders: dict[str, dict[str, Any]] = {"epf": {}, "epf_lookahead": {"lookahead": "reuse"}}
    for name, options in contenders.items():
        seconds = []
        for i, problem in enumerate(asked):
            start = time.perf_counter()
            result = await asolve(
                problem.text,
                options=SearchOptions(n_particles=N, seed=i, max_steps=20, max_tokens_per_step=48, **options),
                generator=generator,
                reward_model=reward_model,
                checker=checker,
            )
            seconds.append(time.perf_counter() - start)
            if name == "epf":
                tokens = max(1, result.usage.generated_tokens // N)
                floors.append(await sample_without_search(generator, problem, tokens))
                ratios.append(seconds[-1] / floors[-1])
        out[name] = {
            "n": N,
            "problems": len(asked),
            "median_s": float(np.median(seconds)),
            "p90_s": float(np.percentile(seconds, 90)),
        }
    out["floor"] = {"median_s": float(np.median(floors)), "median_ratio_of_epf": float(np.median(ratios))}
    await reward_model.aclose()
    await checker.aclose()
    return out


async def sample_without_search(generator: EmbeddedGenerator, problem: SyntheticProblem, tokens: int) -> float:
    """Return the seconds to sample ``tokens`` tokens for each of N rows, step by step, without scoring or resampling."""
    start = time.perf_counter()
    await asyncio.gather(*(exactly(generator, problem.text, tokens, seed) for seed in range(N)))
    return time.perf_counter() - start


async def exactly(generator: EmbeddedGenerator, text: str, tokens: int, seed: int) -> None:
    """Sample exactly ``tokens`` tokens after a problem, continuing past the ends of steps and solutions."""
    prefix = generator.prompt_ids([Message("user", text)])
    left = tokens
    while left > 0:
        step = await generator.step(prefix, Sampling(max_tokens=left), seed)
        prefix += step.token_ids
        left -= len(step.token_ids)


def against_transformers(generator: EmbeddedGenerator, asked: list[SyntheticProblem], threads: int) -> dict[str, Any]:
    """Measure (b)."""
    import torch
    from transformers import LlamaForCausalLM

    torch.set_num_threads(threads)
    model = LlamaForCausalLM.from_pretrained(STORIES.generator).eval()

    def theirs(problem: SyntheticProblem) -> None:
        ids = torch.tensor([generator.prompt_ids([Message("user", problem.text)])] * N)
        with torch.inference_mode():
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=0.8,
                top_k=0,
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=NEW_TOKENS,
            )

    def ours(problem: SyntheticProblem) -> None:
        asyncio.run(sample_without_search(generator, problem, NEW_TOKENS))

    rates: dict[str, list[float]] = {"transformers": [], "embedded": []}
    for i, problem in enumerate(asked):
        for name, run in (("transformers", theirs), ("embedded", ours)):
            seconds = timed(run, problem)
            if i:
                rates[name].append(N * NEW_TOKENS / seconds)
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    return {
        "batch": N,
        "new_tokens": NEW_TOKENS,
        "tokens_per_s": medians,
        "ratio": medians["embedded"] / medians["transformers"],
    }


def timed(run: Callable[[SyntheticProblem], None], problem: SyntheticProblem) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    run(problem)
    return time.perf_counter() - start


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=30)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="number of threads for transformers")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.json")
    args = parser.parse_args()
    generator = EmbeddedGenerator(STORIES.generator)
    asked = list(islice(problems(8_000_001, "test", 6, 6), args.problems))
    result = {
        "cpus": os.cpu_count(),
        "solve": asyncio.run(solves(generator, asked)),
        "generate": against_transformers(generator, asked[:12], args.threads),
    }
    asyncio.run(generator.aclose())
    save(args.out, result)


if __name__ == "__main__":
    main()
