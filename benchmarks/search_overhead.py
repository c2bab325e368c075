"""The cost of a search compared with plain sampling on the same engine: ``make bench-overhead``.

One ``vllm serve`` generates and one ``epf serve-prm`` on vLLM scores, for all arms, problem by problem in rotating order:

- floor: N plain requests for as many tokens as ePF sampled, then one score for each finished text; no search;
- ePF, and ePF with look-ahead, through our client for OpenAI-compatible servers;
- its_hub's particle filtering, in its own process and environment, with the same servers.

Models: the pair ``stories``, and a pair with about 100 million random weights each (:mod:`benchmarks.random_pair`). Each engine
has its own core, since threads of two engines on the same cores wait for each other. Seconds are compared per generated token,
by the server's own counter. The share at the barrier is the part of all particles' time between a particle's last event of a
round and the end of the round. Results go to ``benchmarks/results/search_overhead.json``, every search to ``.jsonl``, tables to
``.md``. An interrupted run continues from its rows.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.engines import counters, serve_prm, vllm_serve
from benchmarks.output import RESULTS, save
from epf.core.generator import Generator, Message
from epf.core.reward_model import RewardModel
from epf.engines.onnx.pairs import STORIES
from epf.evaluation.report.text import table
from epf.generators.registry import GeneratorOptions, load_generator
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from epf.search import SearchOptions
from epf.search.answers.checker import AnswerChecker
from epf.search.api import stream
from epf.search.events import Answered, Resampled, Scored, StepTaken

ITS_HUB = Path(__file__).parent / "peers" / "its_hub_pf.py"
PROBLEM_SEED = 6_000_001
SEPARATOR = "\n\n"
GENERATED = "vllm:generation_tokens_total"
FLOOR, EPF, LOOKAHEAD, PEER = "floor", "ePF", "ePF + look-ahead", "its_hub 1.2.0 PF"


@dataclass(frozen=True, slots=True)
class Pair:
    """Models and search options; ``stop`` ends a solution for its_hub, which does not detect the end of a model's turn."""

    name: str
    generator: Path
    reward_model: Path
    dtype: str
    options: dict[str, Any]
    stop: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One search, or its floor.

    Attributes:
        tokens: number of generated tokens, by the server's counter.
        cpu_s: CPU time of this process: our own code and its HTTP client.
        parts: seconds by activity of the search, and the share of the particles' time at the barrier.
    """

    pair: str
    n: int
    problem: int
    arm: str
    seconds: float
    tokens: int
    cpu_s: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)


class Bench:
    """One pair of servers and their clients."""

    def __init__(
        self,
        pair: Pair,
        url: str,
        scorer: str,
        generator: Generator,
        reward_model: RewardModel,
        peer: asyncio.subprocess.Process,
    ) -> None:
        self._pair = pair
        self._url = url
        self._scorer = scorer
        self._generator = generator
        self._reward_model = reward_model
        self._checker = AnswerChecker()
        self._client = httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=256), trust_env=False)
        self._peer = peer

    async def aclose(self) -> None:
        """Close the clients."""
        await self._client.aclose()
        await self._checker.aclose()

    async def problem(self, text: str, n: int, index: int) -> list[Row]:
        """Run all arms on one problem, in an order that rotates with ``index``; the floor needs the tokens of ePF."""
        prompt = self._generator.prompt_ids([Message("user", text)])
        await self._complete(prompt, 1)  # so that every arm finds the prompt in the prefix cache
        rows: list[Row] = []
        order = [EPF, LOOKAHEAD, PEER]
        for arm in order[index % 3 :] + order[: index % 3]:
            before = self._generated()
            start, cpu_s = time.perf_counter(), time.process_time()
            parts = await (self._run_peer(text, n) if arm == PEER else self._search(text, n, index, arm == LOOKAHEAD))
            seconds, cpu_s = parts.pop("seconds", time.perf_counter() - start), time.process_time() - cpu_s
            rows.append(Row(self._pair.name, n, index, arm, seconds, self._generated() - before, cpu_s, parts))
            if arm == EPF:
                rows.append(await self._floor(prompt, text, n, index, rows[-1].tokens))
        return rows

    async def _search(self, text: str, n: int, seed: int, lookahead: bool) -> dict[str, float]:
        options = SearchOptions(
            n_particles=n, seed=seed, lookahead="reuse" if lookahead else "none", separator=SEPARATOR, **self._pair.options
        )
        events = stream(
            text, options=options, generator=self._generator, reward_model=self._reward_model, checker=self._checker
        )
        last_s: dict[int, float] = {}
        start_s, waited_s, alive_s = time.perf_counter(), 0.0, 0.0
        async with aclosing(events):
            async for event in events:
                now_s = time.perf_counter()
                match event:
                    case StepTaken() | Scored():
                        last_s[event.particle] = now_s
                    case Resampled():
                        waited_s += sum(now_s - at_s for at_s in last_s.values())
                        alive_s += len(last_s) * (now_s - start_s)
                        last_s, start_s = {}, now_s
                    case Answered():
                        used = asdict(event.result.usage)
        parts = {name: used[name] for name in ("generating_s", "scoring_s", "resampling_s", "waiting_s")}
        return parts | {"barrier_share": waited_s / alive_s if alive_s else 0.0, "prm_calls": used["prm_calls"]}

    async def _floor(self, prompt: tuple[int, ...], text: str, n: int, index: int, tokens: int) -> Row:
        before = self._generated()
        start = time.perf_counter()
        texts = await asyncio.gather(*(self._complete(prompt, max(1, round(tokens / n)), seed) for seed in range(n)))
        await asyncio.gather(*(self._score(text, solution) for solution in texts))
        seconds = time.perf_counter() - start
        return Row(self._pair.name, n, index, FLOOR, seconds, self._generated() - before)

    async def _complete(self, prompt: tuple[int, ...], tokens: int, seed: int = 0) -> str:
        body = {"model": "model", "prompt": list(prompt), "max_tokens": tokens, "ignore_eos": True, "seed": seed}
        body |= {"temperature": self._pair.options["temperature"]}
        answer = await self._client.post(f"{self._url}/v1/completions", json=body)
        return str(answer.raise_for_status().json()["choices"][0]["text"])

    async def _score(self, text: str, solution: str) -> None:
        steps = [step for step in solution.split(SEPARATOR) if step.strip()]
        answer = await self._client.post(f"{self._scorer}/score", json={"problem": text, "steps": steps or ["?"]})
        answer.raise_for_status()

    async def _run_peer(self, text: str, n: int) -> dict[str, float]:
        assert self._peer.stdin is not None
        assert self._peer.stdout is not None
        self._peer.stdin.write(json.dumps({"problem": text, "n": n}).encode() + b"\n")
        reply = json.loads(await self._peer.stdout.readline())
        return {"seconds": reply["seconds"], "steps": reply["steps"]}

    def _generated(self) -> int:
        return int(counters(self._url, [GENERATED])[GENERATED])


@asynccontextmanager
async def opened(pair: Pair, its_hub: str, cores: tuple[str, str]) -> AsyncIterator[Bench]:
    """Start both servers, our clients and its_hub's process."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(vllm_serve(pair.generator, dtype=pair.dtype, cores=cores[0]))
        scorer = stack.enter_context(serve_prm(pair.reward_model, family="embedded", dtype=pair.dtype, cores=cores[1]))
        options = GeneratorOptions(kind="openai", name="model", url=url, tokenizer=pair.generator)
        generator = await stack.enter_async_context(aclosing(await asyncio.to_thread(load_generator, options)))
        reward_model = await stack.enter_async_context(aclosing(load_reward_model(RewardModelOptions(kind="http", url=scorer))))
        peer = await asyncio.create_subprocess_exec(its_hub, str(ITS_HUB), stdin=-1, stdout=-1)
        assert peer.stdin is not None
        assert peer.stdout is not None
        stack.callback(peer.stdin.close)
        setting = {"generator": url, "scorer": scorer, "model": "model", "separator": SEPARATOR, "stop_token": pair.stop}
        setting |= {"max_steps": pair.options["max_steps"], "temperature": pair.options["temperature"]}
        peer.stdin.write(json.dumps(setting).encode() + b"\n")
        await peer.stdout.readline()
        yield await stack.enter_async_context(aclosing(Bench(pair, url, scorer, generator, reward_model, peer)))


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one line per pair, N and arm."""
    lines: list[dict[str, Any]] = []
    for pair, n in dict.fromkeys((row.pair, row.n) for row in rows):
        arms = {
            arm: [row for row in rows if (row.pair, row.n, row.arm) == (pair, n, arm)] for arm in (FLOOR, EPF, LOOKAHEAD, PEER)
        }
        per_token = {
            arm: sum(r.seconds for r in of_arm) / max(1, sum(r.tokens for r in of_arm))
            for arm, of_arm in arms.items()
            if of_arm
        }
        for arm in per_token:
            of_arm = arms[arm]
            seconds = [row.seconds for row in of_arm]
            line: dict[str, Any] = {"pair": pair, "n": n, "arm": arm, "problems": len(of_arm)}
            line |= {"tokens": sum(row.tokens for row in of_arm), "wall_s": sum(seconds)}
            line |= {"p50_s": float(np.median(seconds)), "p95_s": float(np.percentile(seconds, 95))}
            line |= {"tokens_per_s": 1 / per_token[arm], "times_floor": per_token[arm] / per_token[FLOOR]}
            line["times_faster_than_peer"] = per_token[PEER] / per_token[arm] if PEER in per_token else None
            if arm in (EPF, LOOKAHEAD):
                total = sum(seconds)
                names = ("generating_s", "scoring_s", "resampling_s", "waiting_s")
                line["share"] = {name[:-2]: sum(row.parts[name] for row in of_arm) / total for name in names}
                line["share"]["own code (CPU)"] = sum(row.cpu_s for row in of_arm) / total
                line["barrier_share"] = float(np.mean([row.parts["barrier_share"] for row in of_arm]))
            lines.append(line)
    return lines


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Return the figures as Markdown tables."""
    searches = [
        (
            line["pair"],
            line["n"],
            line["arm"],
            line["tokens"],
            f"{line['wall_s']:.1f}",
            f"{line['p50_s']:.3f}",
            f"{line['p95_s']:.3f}",
            f"{line['tokens_per_s']:.0f}",
            f"{line['times_floor']:.2f}",
            "" if line["times_faster_than_peer"] is None else f"{line['times_faster_than_peer']:.2f}",
        )
        for line in lines
    ]
    shares = [
        (
            line["pair"],
            line["n"],
            line["arm"],
            *(f"{100 * share:.1f}" for share in line["share"].values()),
            f"{100 * line['barrier_share']:.1f}",
        )
        for line in lines
        if "share" in line
    ]
    columns = ("tokens", "wall s", "p50 s", "p95 s", "tokens/s", "times the floor", "times faster than its_hub")
    activities = ("generating", "only scoring", "resampling", "waiting", "own code (CPU)", "share at the barrier")
    return "\n\n".join(
        [
            table(("models", "N", "arm", *columns), searches),
            "Time of a search by activity, in percent of its wall time (last column: in percent of all particles' time).",
            table(("models", "N", "arm", *activities), shares) + "\n",
        ]
    )


async def run(args: argparse.Namespace, pairs: Sequence[Pair]) -> None:
    """Measure what the file of rows does not hold yet, then write the figures."""
    path = args.out.with_suffix(".jsonl")
    rows = [Row(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(row.pair, row.n, row.problem) for row in rows}
    for pair in pairs:
        asked: list[SyntheticProblem] = list(islice(problems(PROBLEM_SEED, "test", 6, 6), args.problems))
        wanted = [(n, i) for n in args.n for i in range(len(asked)) if (pair.name, n, i) not in done]
        if not wanted:
            continue
        async with opened(pair, args.its_hub, (args.generator_cores, args.scorer_cores)) as bench:
            for n in dict.fromkeys(n for n, _ in wanted):
                await bench.problem("What is 1 + 1?", n, 0)  # warm-up for each size
                for i in (i for m, i in wanted if m == n):
                    fresh = await bench.problem(asked[i].text, n, i)
                    rows += fresh
                    with path.open("a", encoding="utf-8") as file:
                        file.writelines(json.dumps(asdict(row)) + "\n" for row in fresh)
                    rates = ", ".join(f"{row.arm} {1000 * row.seconds / max(row.tokens, 1):.2f}" for row in fresh)
                    print(f"{pair.name}, N = {n}, problem {i}, ms per token: {rates}", flush=True)
    lines = summarise(rows)
    save(args.out, {"cpus": os.cpu_count(), "lines": lines}, page(lines))


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--its-hub", required=True, help="interpreter of an environment with its_hub[lm] 1.2.0")
    parser.add_argument("--pairs", nargs="+", default=["stories", "random"], choices=["stories", "random"])
    parser.add_argument("--n", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--problems", type=int, default=50)
    parser.add_argument("--generator-cores", default="0", help="cores for the generator's engine")
    parser.add_argument("--scorer-cores", default="1", help="cores for the reward model's engine")
    parser.add_argument("--out", type=Path, default=RESULTS / "search_overhead")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = {
            "stories": Pair(
                "pair stories",
                STORIES.generator,
                STORIES.reward_model,
                "float32",
                {"temperature": 0.8, "max_steps": 20, "max_tokens_per_step": 48},
                "\\boxed",
            )
        }
        if "random" in args.pairs:
            from benchmarks import random_pair  # needs safetensors

            generator, reward_model = random_pair.write(Path(folder))
            options = {"temperature": 1.0, "max_steps": 2, "max_tokens_per_step": 32}
            pairs["random"] = Pair("100 M random weights", generator, reward_model, "bfloat16", options, None)
        asyncio.run(run(args, [pairs[name] for name in args.pairs]))


if __name__ == "__main__":
    main()
