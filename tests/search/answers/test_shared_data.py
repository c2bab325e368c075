"""Agreement with public verdicts, where the folder with the data lies beside the repository."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.answers.equality import MAX_LENGTH, AnswerChecker
from search.answers.extract import boxed_answer
from search.answers.number import plain_number

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the public data sets in ../shared/data, not in this repository"
)


def rows(name: str) -> Iterator[dict[str, Any]]:
    with (DATA / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def answer_in(row: dict[str, Any], key: str) -> str:
    """The answer as the search would take it: a box's content, and where there is none the end of the text."""
    text: str = row[key]
    boxed = boxed_answer(text) if row["mode"] == "text" else None
    return boxed or text[-MAX_LENGTH:]


def test_agreement_with_other_graders() -> None:
    """Measured: 172 of 190. Of the 18 others 11 put several boxes into one text, where the search takes only the last one."""

    async def run() -> list[str]:
        it = AnswerChecker(limit_s=60.0, n_workers=1)
        try:
            return [
                row["id"]
                for row in rows("answer_equality.jsonl")
                if await it.equal(answer_in(row, "gold"), answer_in(row, "pred")) != row["equal"]
            ]
        finally:
            await it.aclose()

    assert len(asyncio.run(run())) <= 19


def test_verdicts_on_real_solutions_follow_from_plain_numbers() -> None:
    """5276 solutions of four models, each with its author's verdict; no other way of comparing is needed."""
    n = 0
    for row in rows("gsm8k_model_solutions.jsonl"):
        truth = plain_number(row["ground_truth"].rsplit("A:", 1)[1])
        assert truth is not None
        for solution in (value for value in row.values() if isinstance(value, dict)):
            answer = plain_number(solution["solution"].rsplit("A:", 1)[-1])
            assert (answer == truth) is solution["is_correct"], solution
            n += 1
    assert n == 5276
