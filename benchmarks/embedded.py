"""Accuracy of the search methods on the embedded pair: ``python -m benchmarks.embedded``.

Held-out problems of 4 to 8 steps; every problem, seed, method and N is one search, many of them at a time over one engine.
Rows go to ``benchmarks/results/embedded.jsonl`` as each cell (method, N, seed) ends, and a run that was cut short goes on from
there; the table goes to ``embedded.json`` and ``embedded.md``. Accuracies are means over problems and seeds with 95 % bootstrap
intervals over problems; two methods are compared on the same problems and seeds (paired bootstrap). ``seconds`` is machine time
per search: wall clock of the whole cell over its searches.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.embedded import EmbeddedGenerator
from generators.training.problems import Problem, problems
from reward_models.embedded import EmbeddedRewardModel
from search import SearchConfig, asolve
from search.answers.equality import AnswerChecker

RESULTS = Path(__file__).parent / "results"
PROBLEM_SEED = 9_000_001
N_BOOTSTRAP = 2_000


@dataclass(frozen=True, slots=True)
class Contender:
    """A method with its options, under the name that the table shows."""

    name: str
    method: str
    options: dict[str, Any]


CONTENDERS = (
    Contender("majority vote", "self_consistency", {}),
    Contender("best of N", "best_of_n", {}),
    Contender("PF", "pf", {}),
    Contender("ePF", "epf", {}),
    Contender("ePF + look-ahead", "epf", {"lookahead": "reuse"}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One search."""

    contender: str
    n: int
    seed: int
    problem: int
    right: bool
    generated_tokens: int
    prm_tokens: int


async def run_cell(contender: Contender, n: int, seed: int, asked: list[Problem], at_once: int) -> list[Row]:
    """All problems by one method with one seed, ``at_once`` in flight, over engines that have nothing cached yet."""
    generator, reward_model, checker = EmbeddedGenerator(max_rows=64), EmbeddedRewardModel(), AnswerChecker()
    room = asyncio.Semaphore(at_once)
    config = SearchConfig(n_particles=n, seed=seed, max_steps=20, max_tokens_per_step=48)

    async def one(i: int) -> Row:
        async with room:
            result = await asolve(
                asked[i].text,
                method=contender.method,
                config=config,
                generator=generator,
                reward_model=reward_model,
                checker=checker,
                **contender.options,
            )
        used = result.usage
        return Row(contender.name, n, seed, i, result.answer == str(asked[i].answer), used.generated_tokens, used.prm_tokens)

    try:
        return list(await asyncio.gather(*(one(i) for i in range(len(asked)))))
    finally:
        for engine in (generator, reward_model, checker):
            await engine.aclose()


def grid(rows: Iterable[dict[str, Any]], contender: str, n: int) -> NDArray[np.float64]:
    """Right or wrong, ``(problems, seeds)``."""
    cell = {(r["problem"], r["seed"]): float(r["right"]) for r in rows if r["contender"] == contender and r["n"] == n}
    seeds = sorted({s for _, s in cell})
    return np.array([[cell[p, s] for s in seeds] for p in sorted({p for p, _ in cell})])


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over problems, of ``(problems,)`` values."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(values.size, size=(N_BOOTSTRAP, values.size))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def summarise(rows: list[dict[str, Any]], cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per method and N."""
    table = []
    for cell_key in dict.fromkeys((c["contender"], c["n"]) for c in cells):
        name, n = cell_key
        mine = [r for r in rows if (r["contender"], r["n"]) == cell_key]
        right = 100 * grid(rows, name, n).mean(axis=1)
        low, high = interval(right)
        line: dict[str, Any] = {"method": name, "n": n, "accuracy": float(right.mean()), "low": low, "high": high}
        line["generated_tokens"] = float(np.mean([r["generated_tokens"] for r in mine]))
        line["prm_tokens"] = float(np.mean([r["prm_tokens"] for r in mine]))
        line["seconds"] = float(np.mean([c["seconds"] for c in cells if (c["contender"], c["n"]) == cell_key]))
        for other in ("one sample", "majority vote"):
            against = grid(rows, other, 1 if other == "one sample" else n)
            if name != other and against.size:
                difference = right - 100 * against.mean(axis=1)
                line[f"minus {other}"] = [float(difference.mean()), *interval(difference)]
        table.append(line)
    return table


def markdown(table: list[dict[str, Any]], n_problems: int, n_seeds: int) -> str:
    """The table as README shows it."""
    lines = [
        f"{n_problems} held-out problems of 4 to 8 steps, {n_seeds} seeds; accuracy in percent with 95 % bootstrap interval.",
        "",
        "| method | N | accuracy | minus majority vote at N | tokens | PRM tokens | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in table:
        gain = line.get("minus majority vote")
        shown = f"{gain[0]:+.1f} ({gain[1]:+.1f} to {gain[2]:+.1f})" if isinstance(gain, list) else ""
        lines.append(
            f"| {line['method']} | {line['n']} | {line['accuracy']:.1f} ({line['low']:.1f} to {line['high']:.1f}) | {shown} | "
            f"{line['generated_tokens']:.0f} | {line['prm_tokens']:.0f} | {line['seconds']:.3f} |"
        )
    return "\n".join(lines) + "\n"


async def run(args: argparse.Namespace) -> None:
    """Run what is not yet in the file of rows, then write the table."""
    asked = list(islice(problems(args.problem_seed, "test", 4, 8), args.problems))
    rows_path, cells_path = args.out.with_suffix(".jsonl"), args.out.with_suffix(".cells.jsonl")
    rows = [json.loads(line) for line in rows_path.read_text().splitlines()] if rows_path.exists() else []
    cells = [json.loads(line) for line in cells_path.read_text().splitlines()] if cells_path.exists() else []
    done = {(c["contender"], c["n"], c["seed"]) for c in cells}
    rows = [r for r in rows if (r["contender"], r["n"], r["seed"]) in done]
    single = [(Contender("one sample", "self_consistency", {}), 1)]
    wanted = single + [(c, n) for n, c in product(args.n, CONTENDERS)]
    for seed, (contender, n) in product(range(args.seeds), wanted):
        if (contender.name, n, seed) in done:
            continue
        began = time.perf_counter()
        fresh = [asdict(row) for row in await run_cell(contender, n, seed, asked, args.at_once)]
        cell = {"contender": contender.name, "n": n, "seed": seed, "seconds": (time.perf_counter() - began) / len(asked)}
        rows, cells = rows + fresh, [*cells, cell]
        rows_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        cells_path.write_text("".join(json.dumps(c) + "\n" for c in cells))
        print(
            f"seed {seed}  {contender.name:18} N={n:<3} {100 * np.mean([r['right'] for r in fresh]):5.1f} %",
            f"{cell['seconds']:.3f} s",
            flush=True,
        )
    table = summarise(rows, cells)
    args.out.with_suffix(".json").write_text(json.dumps(table, indent=1) + "\n")
    args.out.with_suffix(".md").write_text(markdown(table, len(asked), args.seeds))
    print(args.out.with_suffix(".md").read_text())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--at-once", type=int, default=16, help="searches in flight")
    parser.add_argument("--problem-seed", type=int, default=PROBLEM_SEED)
    parser.add_argument("--out", type=Path, default=RESULTS / "embedded")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
