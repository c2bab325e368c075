"""Records searches of the embedded pair as traces: ``python -m benchmarks.entropy.record --out runs/entropy/searches.jsonl``.

The problems are held out and have 4 to 8 steps. A row is a particle at the end of its search; the reward model scores every
prefix, whatever the method. ``judges.right_steps`` is the share of right steps by exact labels, a teacher that knows more than
any model here, and ``--judge NAME=DIRECTORY`` adds the last log odds of another reward model. ``labels.first_wrong`` is the
first wrong step from 0, or -1 if every step is right. Entropies are those of the generator's complete distribution at
temperature 1. ``--balanced`` keeps equal numbers of right and wrong particles for each problem, so that a comparison of the two
is not a comparison of problems.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from itertools import islice
from pathlib import Path

import numpy as np

from epf.core.generator import Message
from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.pairs import STORIES
from epf.entropy.core.information import entropy, log_softmax
from epf.entropy.traces import Trace
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.labels import step_labels
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import Particle, SearchOptions, asolve
from epf.search.smc.weights import logit

PROBLEM_SEED = 8_000_001


class Entropies:
    """Computes the entropy of the generator's next token after every prefix of a solution."""

    def __init__(self) -> None:
        self._decoder = Decoder(STORIES.generator, load_config(STORIES.generator), 1, 1)

    def of(self, prompt: tuple[int, ...], tokens: list[list[int]]) -> list[list[float]]:
        """Entropy in nats, for each token of each step, of the distribution from which it was sampled."""
        logits, length = self._decoder.extend(0, 0, prompt), len(prompt)
        found: list[list[float]] = []
        for step in tokens:
            found.append([])
            for token in step:
                found[-1].append(round(float(entropy(np.exp(log_softmax(logits)))), 4))
                logits = self._decoder.decode(np.array([token]), np.array([length]))[0]
                length += 1
        return found


async def traces(asked: list[SyntheticProblem], method: str, n: int, seed: int, judges: dict[str, Path]) -> list[Trace]:
    """All particles of one search per problem."""
    entropies = Entropies()
    async with AsyncExitStack() as stack:
        generator = await stack.enter_async_context(aclosing(EmbeddedGenerator(STORIES.generator)))
        reward_model = await stack.enter_async_context(aclosing(EmbeddedRewardModel(STORIES.reward_model)))
        others = {
            name: await stack.enter_async_context(aclosing(EmbeddedRewardModel(directory)))
            for name, directory in judges.items()
        }

        async def trace(problem: SyntheticProblem, particle: Particle) -> Trace:
            steps = [step.text for step in particle.steps]
            right = step_labels(problem, tuple(steps))
            log_odds = {
                name: round(float(logit((await judge.score(problem.text, steps)).probability)), 4)
                for name, judge in others.items()
            }
            tokens = [list(step.token_ids) for step in particle.steps]
            return Trace(
                problem=problem.text,
                steps=steps,
                token_ids=tokens,
                logprobs=[[round(log_prob, 4) for log_prob in step.log_probs] for step in particle.steps],
                entropies=entropies.of(generator.prompt_ids([Message("user", problem.text)]), tokens),
                scores=[
                    round((await reward_model.score(problem.text, steps[: k + 1])).probability, 6) for k in range(len(steps))
                ],
                judges={"right_steps": round(sum(right) / len(right), 4), **log_odds},
                answer=particle.answer,
                correct=particle.answer == str(problem.answer),
                log_weight=particle.log_weight if particle.log_weight > float("-inf") else None,
                labels={"first_wrong": right.index(False) if False in right else -1},
            )

        found = []
        for problem in asked:
            options = SearchOptions(n_particles=n, seed=seed, max_steps=20, max_tokens_per_step=48)
            result = await asolve(problem.text, method=method, options=options, generator=generator, reward_model=reward_model)
            found.extend([await trace(problem, particle) for particle in result.particles if particle.steps])
        return found


def balanced(found: list[Trace]) -> list[Trace]:
    """The first right and the first wrong traces of each problem, in equal numbers and in their order."""
    n = Counter((trace.problem, trace.correct) for trace in found)
    remaining = {key: min(n[key], n[key[0], not key[1]]) for key in n}
    selected = []
    for trace in found:
        key = trace.problem, trace.correct
        if remaining[key] > 0:
            remaining[key] -= 1
            selected.append(trace)
    return selected


def lines(found: list[Trace]) -> Iterator[str]:
    """Yields the rows of the file."""
    for trace in found:
        yield trace.model_dump_json(exclude_none=True) + "\n"


def main() -> None:
    """Records and writes the traces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--skip", type=int, default=0, help="number of problems to skip at the beginning")
    parser.add_argument("--n", type=int, default=16, help="number of particles per problem")
    parser.add_argument("--method", default="epf")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--balanced", action="store_true", help="keep equal numbers of right and wrong particles per problem")
    parser.add_argument("--judge", action="append", default=[], metavar="NAME=DIRECTORY", help="another reward model")
    args = parser.parse_args()
    judges = {name: Path(directory) for name, _, directory in (judge.partition("=") for judge in args.judge)}
    asked = list(islice(problems(PROBLEM_SEED, "test", 4, 8), args.skip, args.skip + args.problems))
    found = asyncio.run(traces(asked, args.method, args.n, args.seed, judges))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("".join(lines(balanced(found) if args.balanced else found)), encoding="utf-8")


if __name__ == "__main__":
    main()
