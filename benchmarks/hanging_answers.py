"""What a stranger notices of answers that hang: ``python -m benchmarks.hanging_answers``.

Writes ``benchmarks/results/hanging_answers.json`` and ``.md``. One ``AnswerChecker`` serves a stranger, who compares pairs of
symbolic answers one after the other, alone and while four other requests do their worst at the same time. Each attack begins in
the same moment as the stranger's first comparison. What counts is the ratio of wall-clock times on one machine, with the same
other work on it. Memory is the proportional set size (PSS) of all worker processes, sampled every 50 ms, so Linux is needed.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.output import RESULTS, save
from epf.search.answers.checker import LIMIT_S, AnswerChecker
from epf.search.answers.worker import MEMORY_BYTES

COMMAND = "python -m benchmarks.hanging_answers"
N_REQUESTS = 4
N_HANGING = 150
WAVE_S = 1.0
SAMPLE_S = 0.05

_numbers = count(1001)
"""No answer occurs twice, so that each is read."""


class Pair(NamedTuple):
    """Two answers and whether they are equal."""

    a: str
    b: str
    equal: bool


def next_pair() -> Pair:
    """Return a pair that no earlier one equals: a root, a polynomial, an interval or a vector."""
    k = next(_numbers)
    pairs = (
        Pair(rf"\sqrt{{{4 * k}}}", rf"2\sqrt{{{k}}}", True),
        Pair(rf"(x+{k})^2", rf"x^2+{2 * k}x+{k * k}", True),
        Pair(rf"(\frac{{1}}{{{k}}}, {k}\pi]", rf"[\frac{{1}}{{{k}}}, {k}\pi]", False),
        Pair(rf"\begin{{pmatrix}} {k} \\ \sqrt{{2}} \end{{pmatrix}}", rf"({k}, \sqrt{{2}})", True),
    )
    return pairs[k % len(pairs)]


def hanging(n: int) -> list[str]:
    """Return powers that SymPy would compute for years, inside one byte code."""
    return [rf"{9 + k % 7}^{{9^{{{next(_numbers)}}}}}" for k in range(n)]


def hanging_inside(n: int) -> list[str]:
    """Return answers of other kinds that hang: factorials, sums, inequalities of a high degree."""
    forms = (r"{k}00000!", r"\sum_{{j=1}}^{{10^9}} j^{k}", r"x^{{{k}}}+x<5", r"\binom{{{k}000000}}{{{k}00000}}")
    return [forms[j % len(forms)].format(k=next(_numbers)) for j in range(n)]


def hungry(n: int) -> list[str]:
    """Return answers that need more and more memory."""
    return [rf"2^{{{next(_numbers)}0000000}}" for _ in range(n)]


def slow(n: int) -> list[str]:
    """Return inequalities that take some ten or hundred milliseconds each, and no more."""
    return [rf"x^4-{next(_numbers)}x+1<0" for _ in range(n)]


def cheap(n: int) -> list[str]:
    """Return many different answers that take a few milliseconds each."""
    return [rf"\sqrt{{{10**6 + next(_numbers)}}}" for _ in range(10 * n)]


Answers = Callable[[int], list[str]]
Attack = Callable[[AnswerChecker], Coroutine[Any, Any, object]]


def at_once(answers: Answers) -> Attack:
    """Return the attack of four requests that share the answers."""

    async def attack(checker: AnswerChecker) -> None:
        texts = answers(N_HANGING)
        await asyncio.gather(*(checker.classes(texts[k::N_REQUESTS]) for k in range(N_REQUESTS)))

    return attack


async def waves(checker: AnswerChecker) -> None:
    """Attack again and again with new hanging answers, each time cancelling the previous four requests."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(WAVE_S):
                await at_once(hanging)(checker)


ATTACKS: dict[str, Attack] = {
    "150 hanging powers": at_once(hanging),
    "150 hanging answers of other kinds": at_once(hanging_inside),
    "150 answers that take memory": at_once(hungry),
    "150 slow answers": at_once(slow),
    "1500 cheap answers": at_once(cheap),
    "150 new hanging powers every second": waves,
}


async def compare(checker: AnswerChecker, n: int) -> list[float]:
    """Compare ``n`` pairs one after the other; returns the seconds of each, ``(n,)``, and checks every verdict."""
    seconds: list[float] = []
    for _ in range(n):
        pair = next_pair()
        start_s = time.perf_counter()
        equal = await checker.equal(pair.a, pair.b)
        seconds.append(time.perf_counter() - start_s)
        assert equal is pair.equal, pair
    return seconds


async def attacked(checker: AnswerChecker, attack: Attack, n: int) -> dict[str, float]:
    """Compare ``n`` pairs during the attack, between two halves of the same alone."""
    alone = await compare(checker, n // 2)
    attacking = asyncio.create_task(attack(checker))
    for _ in range(3):
        await asyncio.sleep(0)  # the answers of the attack are in the queue before the stranger's first
    watch = asyncio.create_task(peak_pss())
    meanwhile = await compare(checker, n)
    is_over = attacking.done()
    attacking.cancel()
    watch.cancel()
    await asyncio.wait([attacking])
    peak = await watch
    alone += await compare(checker, n // 2)
    p50, p95 = np.quantile(alone, [0.5, 0.95])
    attacked_p50, attacked_p95 = np.quantile(meanwhile, [0.5, 0.95])
    return {
        "alone_p50_ms": 1e3 * p50,
        "alone_p95_ms": 1e3 * p95,
        "attacked_p50_ms": 1e3 * attacked_p50,
        "attacked_p95_ms": 1e3 * attacked_p95,
        "attacked_max_ms": 1e3 * max(meanwhile),
        "p95_ratio": attacked_p95 / p95,
        "attack_was_over": is_over,
        "peak_pss_mb": peak,
    }


async def peak_pss() -> float:
    """Sample the memory of the worker processes until it is cancelled; returns the maximum in MB."""
    peak = 0.0
    try:
        while True:
            peak = max(peak, await asyncio.to_thread(pss_mb))
            await asyncio.sleep(SAMPLE_S)
    except asyncio.CancelledError:
        return peak


def pss_mb() -> float:
    """Return the proportional set size of the workers of this process and of the process that forks them."""
    total_kb = 0
    for server in children(os.getpid()):
        for pid in (server, *children(server)):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has just ended
                continue
            total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1024


def children(parent: int) -> list[int]:
    """Return the pids of the children of a process, of any of its threads."""
    try:
        return [int(pid) for task in Path(f"/proc/{parent}/task").iterdir() for pid in (task / "children").read_text().split()]
    except OSError:
        return []


async def measure(n: int) -> dict[str, Any]:
    """Return all figures."""
    load = os.getloadavg()[0]
    attacks: dict[str, dict[str, float]] = {}
    for name, attack in ATTACKS.items():
        async with aclosing(AnswerChecker()) as checker:
            await compare(checker, 10)  # the processes have started
            attacks[name] = await attacked(checker, attack, n)
    return {
        "command": COMMAND,
        "comparisons": n,
        "cpus": os.cpu_count(),
        "load_at_start": load,
        "limit_s": LIMIT_S,
        "limit_of_one_process_mb": MEMORY_BYTES / 1024**2,
        "attacks": attacks,
    }


def page(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    header = (
        "| attack by four requests | alone, ms: p50 | p95 | meanwhile, ms: p50 | p95 | max | p95 / p95 alone | memory, MB |"
    )
    rows = [
        f"| {name} | {a['alone_p50_ms']:.1f} | {a['alone_p95_ms']:.1f} | {a['attacked_p50_ms']:.1f} "
        f"| {a['attacked_p95_ms']:.1f} | {a['attacked_max_ms']:.0f} | **{a['p95_ratio']:.2f}** | {a['peak_pss_mb']:.0f} |"
        for name, a in result["attacks"].items()
    ]
    return "\n".join(
        [
            "# Answers that hang",
            "",
            f"`{COMMAND}` on {result['cpus']} CPUs with a load of {result['load_at_start']:.1f} by other work",
            "",
            f"A stranger compares {result['comparisons']} pairs of symbolic answers, one after the other, alone and while four",
            f"requests attack. Limits: {result['limit_s']:g} s of CPU time for an answer, "
            f"{result['limit_of_one_process_mb']:.0f} MB for a process. All verdicts are right in both cases.",
            "",
            header,
            "|---" * 8 + "|",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.comparisons))
    save(arguments.out / "hanging_answers", result, page(result))


if __name__ == "__main__":
    main()
