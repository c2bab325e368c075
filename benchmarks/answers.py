"""Accuracy and speed of answer comparison: ``python -m benchmarks.answers --data DIRECTORY``.

Writes ``benchmarks/results/answers.json`` and ``.md``. The directory holds ``answer_equality.jsonl`` (pairs of answers with the
verdict of the test suite that they come from: Math-Verify, NeMo-Skills, lighteval, open-r1, hendrycks/math),
``answer_pairs.jsonl`` (pairs that graders confuse, by kind), ``final_answers.jsonl`` (ends of solutions with the answer in
them, null without one), and ``gsm8k_model_solutions.jsonl``, ``gsm8k_train.jsonl`` and ``gsm8k_test.jsonl`` from
openai/grade-school-math. An ``AnswerChecker`` gives every verdict. Times are CPU times, so other load on the machine does not
count.
"""

import argparse
import asyncio
import json
import re
import resource
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.output import RESULTS, save
from epf.search.answers.checker import AnswerChecker
from epf.search.answers.extract import final_answer
from epf.search.answers.numbers import plain_number
from epf.search.answers.text import MAX_LENGTH

COMMAND = "python -m benchmarks.answers"
LIMIT_S = 60.0
N_ROUNDS = 5

KNOWN = {
    "eq-0005": "a decimal comma; `1000,99` could equally be the two numbers 1000 and 99",
    "eq-0006": "a decimal comma; `1,22` could equally be the two numbers 1 and 22",
    "eq-0007": "a decimal comma, in running text",
    "eq-0031": "the suite expects a line break inside `$ $` to hide the 9, which a reader sees",
    "eq-0035": "no box: the answer is the right-hand side of an equation in running text, which announces no answer",
    "eq-0133": "the suite requires 2 decimal places, and here 0.33 is not 1/3",
    "eq-0139": "the suite requires 2 decimal places, and here 2.6667 is not 8/3 (it would be with 6 places or more)",
    "eq-0191": "`\\boxed{35 cm} ++++++ \\boxed{4}`: two boxes that nothing joins are not one answer here",
}
"""The pairs on which we disagree with the suite that they come from, and why we keep our verdict."""


_NAMES = {True: "equal", False: "different"}

KNOWN_PAIRS: dict[str, str] = {}
"""The confusable pairs on which we are wrong, and why."""

_FORMULA = re.compile(r"\$\$.+?\$\$|\$(?!\?)[^$]+\$|\\\(.+?\\\)|\\\[.+?\\\]", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.,/])-?\d+(?:,\d{3})*(?:\.\d+)?(?:/\d+)?(?:m²)?(?![\w/])")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A pair whose verdict differs from the one that is given for it."""

    id: str
    gold: str
    pred: str
    theirs: bool
    kind: str = ""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def answer_in(row: dict[str, Any], key: str) -> str:
    """Return the answer that a search would extract from a text or, without one, the last formula or number.

    The suites' graders read running text in that way, which a search does not do.
    """
    text: str = row[key]
    if row["mode"] != "text":
        return text
    return final_answer(text) or _last_formula(text)[-MAX_LENGTH:]


def _last_formula(text: str) -> str:
    """The last formula or number of a text with words, else the whole text."""
    words = re.sub(r"\\[A-Za-z]+|\b(?:and|or)\b", " ", _FORMULA.sub(" ", text))
    if not re.search("[A-Za-z]{2,}", words):
        return text
    found = [*_FORMULA.finditer(text), *_NUMBER.finditer(text)]
    return max(found, key=lambda match: match.end())[0] if found else text


async def confusable(path: Path) -> tuple[Counter[str], list[Disagreement]]:
    """Return the number of confusable pairs of each kind, and those that are wrong in one of the two orders."""
    found: list[Disagreement] = []
    kinds: Counter[str] = Counter()
    async with aclosing(AnswerChecker(limit_s=LIMIT_S)) as checker:
        for row in rows(path):
            kinds[row["kind"]] += 1
            verdicts = {await checker.equal(row["a"], row["b"]), await checker.equal(row["b"], row["a"])}
            if verdicts != {row["equal"]}:
                found.append(Disagreement(row["id"], row["a"], row["b"], row["equal"], row["kind"]))
    return kinds, found


async def agreement(path: Path) -> tuple[int, list[Disagreement]]:
    """Return the number of pairs and the disagreements."""
    pairs = [(row["id"], answer_in(row, "gold"), answer_in(row, "pred"), row["equal"]) for row in rows(path)]
    async with aclosing(AnswerChecker(limit_s=LIMIT_S)) as checker:
        found = [Disagreement(*pair) for pair in pairs if await checker.equal(pair[1], pair[2]) != pair[3]]
    return len(pairs), found


def verdicts(path: Path) -> list[tuple[str, str, bool]]:
    """Return answer, true answer and the authors' verdict for the solutions of four models to 1319 problems."""
    return [
        (solution["solution"].rsplit("A:", 1)[-1], row["ground_truth"].rsplit("A:", 1)[1], solution["is_correct"])
        for row in rows(path)
        for solution in row.values()
        if isinstance(solution, dict)
    ]


async def gsm8k_agreement(judged: list[tuple[str, str, bool]]) -> tuple[int, float]:
    """Return the number of verdicts that agree with ours, and verdicts per second of CPU time, as the median of some rounds."""
    rates: list[float] = []
    for _ in range(N_ROUNDS):
        async with aclosing(AnswerChecker(limit_s=LIMIT_S)) as checker:
            start_s = time.process_time()
            same = sum([await checker.equal(answer, truth) == verdict for answer, truth, verdict in judged])
            rates.append(len(judged) / (time.process_time() - start_s))
    return same, statistics.median(rates)


def unread(path: Path) -> int:
    """Return the number of GSM8K solutions (which end in ``#### n``) without an extracted answer that is a plain number."""
    answers = [final_answer(row["answer"]) for row in rows(path)]
    return sum(answer is None or plain_number(answer) is None for answer in answers)


def misread(path: Path) -> list[str]:
    """Return the texts whose extracted answer is not the recorded one."""
    return [row["text"] for row in rows(path) if final_answer(row["text"]) != row["answer"]]


async def extraction(data: Path) -> dict[str, Any]:
    """Return how many answers are found in whole texts, and whether real solutions are right as their authors judge them."""
    n_solutions = n_answers = n_agreed = 0
    async with aclosing(AnswerChecker(limit_s=LIMIT_S)) as checker:
        for row in rows(data / "gsm8k_model_solutions.jsonl"):
            truth = final_answer(row["ground_truth"])
            for solution in (value for value in row.values() if isinstance(value, dict)):
                answer = final_answer(solution["solution"])
                is_right = answer is not None and truth is not None and await checker.equal(truth, answer)
                n_solutions += 1
                n_answers += answer is not None
                n_agreed += is_right == solution["is_correct"]
    texts = [row["text"] for row in rows(data / "final_answers.jsonl")]
    return {
        "texts": len(texts),
        "misread": misread(data / "final_answers.jsonl"),
        "solutions": n_solutions,
        "with_answer": n_answers,
        "judged_as_authors": n_agreed,
        "gsm8k_unread": sum(unread(data / f"gsm8k_{split}.jsonl") for split in ("train", "test")),
    }


async def measure(data: Path) -> dict[str, Any]:
    """Return all figures."""
    n_pairs, disagreements = await agreement(data / "answer_equality.jsonl")
    worker = resource.getrusage(resource.RUSAGE_CHILDREN)
    kinds, confused = await confusable(data / "answer_pairs.jsonl")
    judged = verdicts(data / "gsm8k_model_solutions.jsonl")
    same, rate = await gsm8k_agreement(judged)
    return {
        "command": COMMAND,
        "equality": {
            "pairs": n_pairs,
            "agreement_percent": 100 * (1 - len(disagreements) / n_pairs),
            "disagreements": [{**asdict(d), "reason": KNOWN.get(d.id)} for d in disagreements],
            "worker_cpu_s": worker.ru_utime + worker.ru_stime,
        },
        "confusable": {
            "pairs": kinds.total(),
            "right_percent": 100 * (1 - len(confused) / kinds.total()),
            "called_equal_but_different": sum(not d.theirs for d in confused),
            "kinds": {
                kind: {"pairs": n, "right": n - sum(d.kind == kind for d in confused)} for kind, n in sorted(kinds.items())
            },
            "wrong": [{**asdict(d), "reason": KNOWN_PAIRS.get(d.id)} for d in confused],
        },
        "extraction": await extraction(data),
        "gsm8k": {
            "verdicts": len(judged),
            "agreement_percent": 100 * same / len(judged),
            "verdicts_per_cpu_second": rate,
        },
    }


def page(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    equality, confused, gsm8k = result["equality"], result["confusable"], result["gsm8k"]
    found = result["extraction"]
    return "\n".join(
        [
            "# Answer comparison",
            "",
            f"`{COMMAND}`",
            "",
            f"- {equality['agreement_percent']:.1f} % of {equality['pairs']} pairs from graders' test suites judged as the",
            f"  suites do, in {equality['worker_cpu_s']:.1f} s of CPU time of the worker process, with its start and imports.",
            f"- {confused['right_percent']:.1f} % of {confused['pairs']} pairs that graders confuse judged right in both",
            f"  orders; {confused['called_equal_but_different']} of the wrong ones are called equal.",
            f"- {gsm8k['agreement_percent']:.2f} % of {gsm8k['verdicts']} verdicts on GSM8K solutions of four models as their",
            f"  authors judge them, {gsm8k['verdicts_per_cpu_second']:.0f} verdicts per second on one core.",
            f"- {found['texts'] - len(found['misread'])} of {found['texts']} ends of solutions read as recorded, those without",
            "  an answer included.",
            f"- An answer found in {found['with_answer']} of these {found['solutions']} solutions, the others are cut off;",
            f"  {found['judged_as_authors']} judged as their authors do when the answer is extracted from the whole text.",
            f"- {found['gsm8k_unread']} solutions of GSM8K whose answer cannot be extracted, train and test.",
            "",
            "Pairs of suites that are judged differently here:",
            "",
            *_table(equality["disagreements"]),
            "",
            "Confusable pairs, by kind:",
            "",
            "| kind | right | pairs |",
            "|---|---|---|",
            *(f"| {kind} | {n['right']} | {n['pairs']} |" for kind, n in confused["kinds"].items()),
            "",
            *(("Wrong ones:", "", *_table(confused["wrong"]), "") if confused["wrong"] else ()),
        ]
    )


def _table(pairs: list[dict[str, Any]]) -> list[str]:
    return [
        "| pair | one | other | right | why we keep our verdict |",
        "|---|---|---|---|---|",
        *(f"| {d['id']} | {_cell(d['gold'])} | {_cell(d['pred'])} | {_NAMES[d['theirs']]} | {d['reason']} |" for d in pairs),
    ]


def _cell(text: str) -> str:
    """Return a text as code for one cell of a table; only its end if it is long."""
    shown = " ".join(text.split()).replace("|", "\\|")
    return f"`{shown if len(shown) <= 60 else '... ' + shown[-56:]}`"


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.data))
    save(arguments.out / "answers", result, page(result))


if __name__ == "__main__":
    main()
