"""The battery's figures by kind, measured with the shipped pair on a few questions."""

import asyncio

import pytest

from benchmarks.plain import Question, measure, questions, summary
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.search.answers.conclusion import NOT_ENOUGH

ASKED = [
    Question("one_event", "There are 45 birds on a wire. 17 fly away. How many are left?", "28"),
    Question("arithmetic", "What is 2 + 3?", "5"),
    Question("unanswerable", "How many are left?", NOT_ENOUGH),
]


def test_the_sets_have_their_questions() -> None:
    battery, short = questions("battery"), questions("gsm8k_short")
    assert len(battery) == 150
    assert sum(question.answer == NOT_ENOUGH for question in battery) == 5
    assert 50 < len(short) < 400
    assert max(len(question.text) for question in short) <= 160


def test_the_summary_counts_by_kind() -> None:
    found = summary(ASKED, {"one sample": [True, False, True]})["one sample"]
    assert {name: found[name]["percent"] for name in ("one_event", "arithmetic", "unanswerable", "all word problems")} == {
        "one_event": 100,
        "arithmetic": 0,
        "unanswerable": 100,
        "all word problems": 100,
    }
    assert found["all"]["percent"] == pytest.approx(200 / 3)


@pytest.mark.slow
def test_a_known_story_is_solved() -> None:
    generator = EmbeddedGenerator(STORIES.generator)

    async def run() -> list[bool]:
        found = await measure(ASKED[:1], generator, None)
        await generator.aclose()
        return found["majority of 8"]

    assert asyncio.run(run()) == [True]
