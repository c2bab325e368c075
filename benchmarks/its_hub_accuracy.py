r"""its_hub's particle filters compared with ours: same problems, same engine, same scores. ``make bench-its-hub``.

Runs in an environment with both packages. Searches run one at a time, problem by problem, ours and theirs in rotating order, on
one embedded generator and one embedded reward model, so all find the same prefixes in the same caches. its_hub calls them
through its own interfaces, as it would call a local model; it writes the text of a solution so far into the conversation, which
is tokenised again at every step. Its settings are its defaults. Its stop token is ``\boxed``, because it does not detect the
end of a model's turn, and ``max_steps``, the T of its annealing, is the default of our searches.

Accuracies are means over problems and seeds with 95 % intervals, differences are paired:
:mod:`epf.evaluation.report.statistics`.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from its_hub.api import AbstractLanguageModel, AbstractProcessRewardModel, ChatMessage
from its_hub.core.algorithms.particle_gibbs import EntropicParticleFiltering, ParticleFiltering
from its_hub.core.lms.step_generation import StepGeneration

from benchmarks.output import RESULTS, save
from epf.core.generator import Message, Sampling
from epf.engines.onnx.config import load_config
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.evaluation.report.statistics import Interval, accuracy, difference
from epf.evaluation.report.text import percent, signed, table
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import load_problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import SearchOptions, asolve
from epf.search.answers.checker import AnswerChecker
from epf.search.answers.extract import final_answer
from epf.search.options import bounded
from epf.search.runner import SEED_BITS

COMMAND = "make bench-its-hub"
OURS = ("pf", "epf", "epf_published")
THEIRS = {"its_hub PF": ParticleFiltering, "its_hub ePF": EntropicParticleFiltering}
DEFAULTS = bounded(SearchOptions(), load_config(STORIES.generator).context_length)


@dataclass(frozen=True, slots=True)
class Row:
    """One search."""

    problem: str
    seed: int
    arm: str
    right: bool
    generated_tokens: int
    prm_calls: int
    seconds: float


class LanguageModel(AbstractLanguageModel):  # type: ignore[misc]
    """The embedded generator behind its_hub's interface; counts the tokens that it samples."""

    def __init__(self, generator: EmbeddedGenerator, tokenizer: ChatTokenizer) -> None:
        self._generator = generator
        self._tokenizer = tokenizer
        self.seeds = random.Random()
        self.n_tokens = 0

    async def agenerate(self, messages: Any, stop: str | None = None, **options: Any) -> Any:
        """Sample one step after each conversation, all concurrently."""
        assert stop == DEFAULTS.separator, "its_hub must request steps by their separator"
        return await asyncio.gather(*(self._step(conversation, **options) for conversation in messages))

    async def _step(self, conversation: Sequence[ChatMessage], temperature: float, **_: Any) -> dict[str, str]:
        user, *written = conversation
        ids = self._generator.prompt_ids([Message("user", str(user.content))])
        for message in written:
            ids += self._tokenizer.encode(str(message.content))
        sampling = Sampling(temperature, max_tokens=DEFAULTS.max_tokens_per_step, separator=DEFAULTS.separator)
        step = await self._generator.step(ids, sampling, self.seeds.getrandbits(SEED_BITS))
        self.n_tokens += len(step.token_ids)
        return {"role": "assistant", "content": step.text}


class RewardModel(AbstractProcessRewardModel):  # type: ignore[misc]
    """The embedded reward model behind its_hub's interface; scores the newest step of each solution, all concurrently."""

    def __init__(self, model: EmbeddedRewardModel) -> None:
        self._model = model
        self.n_calls = 0

    async def ascore(self, prompt: Any, responses: Any, **_: Any) -> Any:
        """Return one probability per response."""
        self.n_calls += len(responses)
        return await asyncio.gather(*(self._one(str(prompt), response) for response in responses))

    def score(self, *_: Any, **__: Any) -> Any:
        """Not used."""
        raise NotImplementedError

    async def _one(self, prompt: str, response: str) -> float:
        steps = [step for step in response.split(DEFAULTS.separator) if step.strip()]
        return (await self._model.score(prompt, steps or ["?"])).probability


Outcome = tuple[str | None, int, int]
"""Answer, generated tokens, reward model calls."""
Arm = Callable[[Problem, int], Awaitable[Outcome]]


def arms(generator: EmbeddedGenerator, reward_model: EmbeddedRewardModel, checker: AnswerChecker, n: int) -> dict[str, Arm]:
    """Return all searches by name."""

    def ours(method: str) -> Arm:
        async def solve(problem: Problem, seed: int) -> Outcome:
            options = SearchOptions(n_particles=n, seed=seed)
            models: dict[str, Any] = {"generator": generator, "reward_model": reward_model, "checker": checker}
            result = await asolve(problem.text, method=method, options=options, **models)
            return result.answer, result.usage.generated_tokens, result.usage.prm_calls

        return solve

    def theirs(algorithm: Any) -> Arm:
        tokenizer = ChatTokenizer(STORIES.generator)
        # its_hub takes one step more than max_steps.
        generation = StepGeneration(DEFAULTS.max_steps - 1, DEFAULTS.separator, r"\boxed", DEFAULTS.temperature)

        async def solve(problem: Problem, seed: int) -> Outcome:
            model, judge = LanguageModel(generator, tokenizer), RewardModel(reward_model)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            model.seeds.seed(seed)
            found = await algorithm(generation, judge).ainfer(model, problem.text, n, return_response_only=False)
            response = found.responses_lst[0] if hasattr(found, "responses_lst") else found.responses
            return final_answer(response[found.selected_index]["content"]), model.n_tokens, judge.n_calls

        return solve

    return {method: ours(method) for method in OURS} | {name: theirs(algorithm) for name, algorithm in THEIRS.items()}


async def measure(problems: Sequence[Problem], n_seeds: int, n: int) -> list[Row]:
    """Run all arms on all problems and seeds, one search at a time."""
    generator, reward_model, checker = (
        EmbeddedGenerator(STORIES.generator),
        EmbeddedRewardModel(STORIES.reward_model),
        AnswerChecker(),
    )
    contenders = list(arms(generator, reward_model, checker, n).items())
    rows: list[Row] = []
    try:
        for i, problem in enumerate(problems):
            for seed in range(n_seeds):
                first = (i + seed) % len(contenders)
                for arm, solve in (*contenders[first:], *contenders[:first]):
                    start = time.perf_counter()
                    answer, tokens, calls = await solve(problem, seed)
                    seconds = time.perf_counter() - start
                    right = answer is not None and await checker.equal(problem.gold, answer)
                    rows.append(Row(problem.id, seed, arm, right, tokens, calls, seconds))
            print(f"\r{i + 1} of {len(problems)} problems", end="", file=sys.stderr, flush=True)
    finally:
        for engine in (generator, reward_model, checker):
            await engine.aclose()
    print(file=sys.stderr)
    return rows


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one line per arm; differences are from its_hub's filter of the same name."""
    names = list(dict.fromkeys(row.problem for row in rows))

    def by_problem(arm: str, column: str) -> Any:
        found: dict[str, list[float]] = {name: [] for name in names}
        for row in rows:
            if row.arm == arm:
                found[row.problem].append(float(getattr(row, column)))
        return np.array([np.mean(values) for values in found.values()])

    lines = []
    for arm in dict.fromkeys(row.arm for row in rows):
        line: dict[str, Any] = {"arm": arm, "accuracy": asdict(accuracy(by_problem(arm, "right")))}
        line |= {column: float(by_problem(arm, column).mean()) for column in ("generated_tokens", "prm_calls", "seconds")}
        peer = "its_hub PF" if arm in ("pf", "its_hub PF") else "its_hub ePF"
        line |= {"peer": peer, "difference": asdict(difference(by_problem(arm, "right") - by_problem(peer, "right")))}
        line["seconds_over_peer"] = line["seconds"] / float(by_problem(peer, "seconds").mean())
        lines.append(line)
    return lines


def page(lines: Sequence[dict[str, Any]], n_problems: int, n_seeds: int, n: int) -> str:
    """Return the figures as a Markdown page."""
    rows = []
    for line in lines:
        share, gap = Interval(**line["accuracy"]), Interval(**line["difference"])
        rows.append(
            (
                line["arm"],
                percent(share),
                "" if line["arm"] == line["peer"] else signed(gap),
                f"{line['generated_tokens']:.0f}",
                f"{line['prm_calls']:.1f}",
                f"{line['seconds']:.3f}",
                f"{line['seconds_over_peer']:.2f}",
            )
        )
    header = (
        "search",
        "accuracy in %",
        "minus its_hub, in points",
        "tokens",
        "PRM calls",
        "seconds",
        "seconds relative to its_hub",
    )
    return "\n".join(
        [
            "# Compared with its_hub 1.2.0",
            "",
            f"`{COMMAND}`: {n_problems} held-out problems of the embedded pair, seeds: {n_seeds}, N = {n}, one search at a",
            "time in one process, with the same engine and the same reward model. `pf` is compared with its_hub's PF, the",
            "others with its ePF. 95 % intervals are from a bootstrap over problems; differences are paired.",
            "",
            table(header, rows),
            "",
        ]
    )


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    rows = asyncio.run(measure(load_problems("synthetic", args.problems), args.seeds, args.n))
    lines = summarise(rows)
    result = {"command": COMMAND, "problems": args.problems, "seeds": args.seeds, "n": args.n, "arms": lines}
    save(args.out / "its_hub", result, page(lines, args.problems, args.seeds, args.n))


if __name__ == "__main__":
    main()
