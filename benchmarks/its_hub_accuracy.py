r"""its_hub's particle filters beside ours: same problems, same engine, same scores. ``make bench-its-hub``.

Runs in an environment that holds both packages. Every search runs alone, problem by problem, ours and theirs in rotating order,
over one embedded generator and one embedded reward model, so all find the same prefixes in the same caches. its_hub gets them
through the interfaces that it defines, as it would get a local model; it writes a solution's text so far into the conversation,
which is tokenised anew at every step. Its settings are its defaults; ``\boxed`` is its stop token, since it knows no end of a
model's turn, and ``max_steps``, the T of its annealing, is the default of our searches.

Accuracies are means over problems and seeds with 95 % intervals, differences are paired:
:mod:`epf.evaluation.report.statistics`.
"""

import argparse
import asyncio
import json
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

from epf.core.generator import Message, Sampling
from epf.engines.onnx.config import SHIPPED
from epf.engines.tokenizer import ChatTokenizer
from epf.evaluation.report.statistics import Interval, accuracy, difference
from epf.evaluation.report.text import percent, signed, table
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import load_problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import SearchOptions, asolve
from epf.search.answers.equality import AnswerChecker
from epf.search.answers.extract import final_answer
from epf.search.runner import SEED_BITS

RESULTS = Path(__file__).parent / "results"
COMMAND = "make bench-its-hub"
OURS = ("pf", "epf", "epf_published")
THEIRS = {"its_hub PF": ParticleFiltering, "its_hub ePF": EntropicParticleFiltering}
USUAL = SearchOptions()


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
    """The embedded generator as its_hub asks for one; counts what it samples."""

    def __init__(self, generator: EmbeddedGenerator, tokenizer: ChatTokenizer) -> None:
        self._generator = generator
        self._tokenizer = tokenizer
        self.seeds = random.Random()
        self.n_tokens = 0

    async def agenerate(self, messages: Any, stop: str | None = None, **options: Any) -> Any:
        """One step after each conversation, all at the same time."""
        assert stop == USUAL.separator, "steps are asked for by their separator"
        return await asyncio.gather(*(self._step(conversation, **options) for conversation in messages))

    async def _step(self, conversation: Sequence[ChatMessage], temperature: float, **_: Any) -> dict[str, str]:
        user, *written = conversation
        ids = self._generator.prompt_ids([Message("user", str(user.content))])
        for message in written:
            ids += self._tokenizer.encode(str(message.content))
        sampling = Sampling(temperature, max_tokens=USUAL.max_tokens_per_step, separator=USUAL.separator)
        step = await self._generator.step(ids, sampling, self.seeds.getrandbits(SEED_BITS))
        self.n_tokens += len(step.token_ids)
        return {"role": "assistant", "content": step.text}


class RewardModel(AbstractProcessRewardModel):  # type: ignore[misc]
    """The embedded reward model as its_hub asks for one: the newest step of each solution, all at the same time."""

    def __init__(self, model: EmbeddedRewardModel) -> None:
        self._model = model
        self.n_calls = 0

    async def ascore(self, prompt: Any, responses: Any, **_: Any) -> Any:
        """One probability for each response."""
        self.n_calls += len(responses)
        return await asyncio.gather(*(self._one(str(prompt), response) for response in responses))

    def score(self, *_: Any, **__: Any) -> Any:
        """Not used."""
        raise NotImplementedError

    async def _one(self, prompt: str, response: str) -> float:
        steps = [step for step in response.split(USUAL.separator) if step.strip()]
        return (await self._model.score(prompt, steps or ["?"])).probability


Told = tuple[str | None, int, int]
"""Answer, generated tokens, calls of the reward model."""
Arm = Callable[[Problem, int], Awaitable[Told]]


def arms(generator: EmbeddedGenerator, reward_model: EmbeddedRewardModel, checker: AnswerChecker, n: int) -> dict[str, Arm]:
    """All searches by name."""

    def ours(method: str) -> Arm:
        async def solve(problem: Problem, seed: int) -> Told:
            options = SearchOptions(n_particles=n, seed=seed)
            models: dict[str, Any] = {"generator": generator, "reward_model": reward_model, "checker": checker}
            result = await asolve(problem.text, method=method, options=options, **models)
            return result.answer, result.usage.generated_tokens, result.usage.prm_calls

        return solve

    def theirs(algorithm: Any) -> Arm:
        tokenizer = ChatTokenizer(SHIPPED / "generator")
        # It takes one step more than max_steps.
        generation = StepGeneration(USUAL.max_steps - 1, USUAL.separator, r"\boxed", USUAL.temperature)

        async def solve(problem: Problem, seed: int) -> Told:
            model, judge = LanguageModel(generator, tokenizer), RewardModel(reward_model)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            model.seeds.seed(seed)
            told = await algorithm(generation, judge).ainfer(model, problem.text, n, return_response_only=False)
            response = told.responses_lst[0] if hasattr(told, "responses_lst") else told.responses
            return final_answer(response[told.selected_index]["content"]), model.n_tokens, judge.n_calls

        return solve

    return {method: ours(method) for method in OURS} | {name: theirs(algorithm) for name, algorithm in THEIRS.items()}


async def measure(problems: Sequence[Problem], n_seeds: int, n: int) -> list[Row]:
    """All arms on all problems and seeds, one search at a time."""
    generator, reward_model, checker = EmbeddedGenerator(), EmbeddedRewardModel(), AnswerChecker()
    contenders = list(arms(generator, reward_model, checker, n).items())
    rows: list[Row] = []
    try:
        for i, problem in enumerate(problems):
            for seed in range(n_seeds):
                first = (i + seed) % len(contenders)
                for arm, solve in (*contenders[first:], *contenders[:first]):
                    begun = time.perf_counter()
                    answer, tokens, calls = await solve(problem, seed)
                    seconds = time.perf_counter() - begun
                    right = answer is not None and await checker.equal(problem.gold, answer)
                    rows.append(Row(problem.id, seed, arm, right, tokens, calls, seconds))
            print(f"\r{i + 1} of {len(problems)} problems", end="", file=sys.stderr, flush=True)
    finally:
        for engine in (generator, reward_model, checker):
            await engine.aclose()
    print(file=sys.stderr)
    return rows


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One line an arm; differences are against its_hub's filter of the same name."""
    names = list(dict.fromkeys(row.problem for row in rows))

    def of(arm: str, what: str) -> Any:
        found: dict[str, list[float]] = {name: [] for name in names}
        for row in rows:
            if row.arm == arm:
                found[row.problem].append(float(getattr(row, what)))
        return np.array([np.mean(values) for values in found.values()])

    lines = []
    for arm in dict.fromkeys(row.arm for row in rows):
        line: dict[str, Any] = {"arm": arm, "accuracy": asdict(accuracy(of(arm, "right")))}
        line |= {what: float(of(arm, what).mean()) for what in ("generated_tokens", "prm_calls", "seconds")}
        peer = "its_hub PF" if arm in ("pf", "its_hub PF") else "its_hub ePF"
        line |= {"peer": peer, "difference": asdict(difference(of(arm, "right") - of(peer, "right")))}
        line["seconds_over_peer"] = line["seconds"] / float(of(peer, "seconds").mean())
        lines.append(line)
    return lines


def page(lines: Sequence[dict[str, Any]], n_problems: int, n_seeds: int, n: int) -> str:
    """The figures for people."""
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
        "minus its_hub's, in points",
        "tokens",
        "PRM calls",
        "seconds",
        "times its_hub's seconds",
    )
    return "\n".join(
        [
            "# Beside its_hub 1.2.0",
            "",
            f"`{COMMAND}`: {n_problems} held-out problems of the embedded pair, seeds: {n_seeds}, N = {n}, one search at a",
            "time in one process, over the same engine and the same reward model. `pf` is compared with its_hub's PF, the",
            "others with its ePF. 95 % intervals by a bootstrap over problems, differences paired.",
            "",
            table(header, rows),
            "",
        ]
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    rows = asyncio.run(measure(load_problems("synthetic", asked.problems), asked.seeds, asked.n))
    lines = summarise(rows)
    told = {"command": COMMAND, "problems": asked.problems, "seeds": asked.seeds, "n": asked.n, "arms": lines}
    (asked.out / "its_hub.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    written = page(lines, asked.problems, asked.seeds, asked.n)
    (asked.out / "its_hub.md").write_text(written, encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
