"""How well and how fast answers are compared: ``python -m benchmarks.answers --data DIRECTORY``.

Writes ``benchmarks/results/answers.json`` and ``.md``. The directory holds ``answer_equality.jsonl`` (pairs of answers with the
verdict of the test suite that they come from: Math-Verify, NeMo-Skills, lighteval, open-r1, hendrycks/math) and
``gsm8k_model_solutions.jsonl`` and ``gsm8k_test.jsonl`` of openai/grade-school-math. Every verdict is asked of one
``AnswerChecker`` with one worker process. Times are of CPU, so that what else runs on the machine does not count.
"""

import argparse
import asyncio
import json
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from epf.search.answers.equality import MAX_LENGTH, AnswerChecker
from epf.search.answers.extract import boxed_answer, final_answer
from epf.search.answers.number import plain_number

RESULTS = Path(__file__).parent / "results"
COMMAND = "python -m benchmarks.answers"
LIMIT_S = 60.0
N_ROUNDS = 5

KNOWN = {
    "eq-0005": "a decimal comma; `1000,99` may as well be the two numbers 1000 and 99",
    "eq-0006": "a decimal comma; `1,22` may as well be the two numbers 1 and 22",
    "eq-0031": "the suite wants a line break inside `$ $` to hide the 9, which a reader sees",
    "eq-0035": "no box: the answer is the right side of an equation in running text, where a search takes none from",
    "eq-0061": "no box: a long text whose answer stands somewhere in the middle",
    "eq-0133": "the suite asks for 2 decimal places, and 0.33 is not 1/3 here",
    "eq-0139": "the suite asks for 2 decimal places, and 2.6667 is not 8/3 here (it would be from 6 places on)",
    "eq-0191": "`\\boxed{35 cm} ++++++ \\boxed{4}`: two boxes that nothing joins are not one answer here",
}
"""Pairs on which we and the suite that they come from disagree, and why we stay with ours."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A pair whose verdict is another one than its suite's."""

    id: str
    gold: str
    pred: str
    theirs: bool


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a file of JSON Lines."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def answer_in(row: dict[str, Any], key: str) -> str:
    """The answer as the search would take it: a box's content, and where there is none the end of the text."""
    text: str = row[key]
    boxed = boxed_answer(text) if row["mode"] == "text" else None
    return boxed or text[-MAX_LENGTH:]


async def agreement(path: Path) -> tuple[int, list[Disagreement]]:
    """Number of pairs, and those with another verdict than ours."""
    pairs = [(row["id"], answer_in(row, "gold"), answer_in(row, "pred"), row["equal"]) for row in rows(path)]
    async with aclosing(AnswerChecker(limit_s=LIMIT_S, n_workers=1)) as checker:
        found = [Disagreement(*pair) for pair in pairs if await checker.equal(pair[1], pair[2]) != pair[3]]
    return len(pairs), found


def verdicts(path: Path) -> list[tuple[str, str, bool]]:
    """Answer of a model's solution, true answer, and whether their authors found them equal; four models, 1319 problems."""
    return [
        (solution["solution"].rsplit("A:", 1)[-1], row["ground_truth"].rsplit("A:", 1)[1], solution["is_correct"])
        for row in rows(path)
        for solution in row.values()
        if isinstance(solution, dict)
    ]


async def agreeing(asked: list[tuple[str, str, bool]]) -> tuple[int, float]:
    """How many of these verdicts are ours too, and verdicts per second of CPU time, the median of some rounds."""
    rates: list[float] = []
    for _ in range(N_ROUNDS):
        async with aclosing(AnswerChecker(limit_s=LIMIT_S, n_workers=1)) as checker:
            begun_s = time.process_time()
            same = sum([await checker.equal(answer, truth) == verdict for answer, truth, verdict in asked])
            rates.append(len(asked) / (time.process_time() - begun_s))
    return same, statistics.median(rates)


def unread(path: Path) -> int:
    """Solutions of GSM8K, which end in ``#### n``, whose answer is not found or is no plain number."""
    answers = [final_answer(row["answer"]) for row in rows(path)]
    return sum(answer is None or plain_number(answer) is None for answer in answers)


async def measure(data: Path) -> dict[str, Any]:
    """All figures."""
    n_pairs, disagreements = await agreement(data / "answer_equality.jsonl")
    worker = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = verdicts(data / "gsm8k_model_solutions.jsonl")
    same, rate = await agreeing(asked)
    return {
        "command": COMMAND,
        "equality": {
            "pairs": n_pairs,
            "agreement_percent": 100 * (1 - len(disagreements) / n_pairs),
            "disagreements": [{**asdict(d), "reason": KNOWN.get(d.id)} for d in disagreements],
            "worker_cpu_s": worker.ru_utime + worker.ru_stime,
        },
        "gsm8k": {
            "verdicts": len(asked),
            "agreement_percent": 100 * same / len(asked),
            "verdicts_per_cpu_second": rate,
            "solutions_unread": unread(data / "gsm8k_test.jsonl"),
        },
    }


def table(result: dict[str, Any]) -> str:
    """The figures as a page."""
    equality, gsm8k = result["equality"], result["gsm8k"]
    listed = [
        f"| {d['id']} | {_cell(d['gold'])} | {_cell(d['pred'])} | {'equal' if d['theirs'] else 'different'} | {d['reason']} |"
        for d in equality["disagreements"]
    ]
    return "\n".join(
        [
            "# Answers",
            "",
            f"`{COMMAND}`",
            "",
            f"- {equality['agreement_percent']:.1f} % of {equality['pairs']} pairs of graders' test suites judged as they do,",
            f"  in {equality['worker_cpu_s']:.1f} s of the worker process, its start and imports among them.",
            f"- {gsm8k['agreement_percent']:.2f} % of {gsm8k['verdicts']} verdicts on GSM8K solutions of four models as their",
            f"  authors give them, {gsm8k['verdicts_per_cpu_second']:.0f} verdicts per second of one core.",
            f"- {gsm8k['solutions_unread']} solutions of GSM8K's test split whose answer is not read.",
            "",
            "| pair | gold | answer | the suite | why we stay with our verdict |",
            "|---|---|---|---|---|",
            *listed,
            "",
        ]
    )


def _cell(text: str) -> str:
    """As code in one cell of a table, its end where it is long."""
    shown = " ".join(text.split()).replace("|", "\\|")
    return f"`{shown if len(shown) <= 60 else '... ' + shown[-56:]}`"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.data))
    (arguments.out / "answers.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    page = table(result)
    (arguments.out / "answers.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
