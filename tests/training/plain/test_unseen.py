"""The battery of plain questions stays apart from training."""

import re
from collections import Counter

import numpy as np
import pytest

from epf.problem_sets.registry import load_problems
from epf.training.confidence.problems import PLAIN_QUESTIONS
from epf.training.plain.gsm8k.template import Template
from epf.training.plain.gsm8k.tracer import template_of
from epf.training.plain.json_lines import read_rows
from epf.training.plain.mixture import Mixture
from epf.training.plain.unseen import BATTERY, Unseen

ROW = ("Lena has 14 nuts and eats 6. How many nuts are left?", "14-6=<<14-6=8>>8\n#### 8")


def templates() -> list[Template]:
    found = (template_of(ROW[0].replace("Lena", name), ROW[1]) for name in ("Lena", "Omar", "Paul", "Rosa", "Vera"))
    return [template for template in found if template is not None and not template.held_out]


def test_the_battery_has_150_different_questions() -> None:
    rows = list(read_rows(BATTERY))
    assert len({row["id"] for row in rows}) == len({row["problem"] for row in rows}) == len(rows) == 150
    assert Counter(row["kind"] for row in rows)["arithmetic"] == 18
    assert sum(row["answer"] is None for row in rows) == 5
    for row in rows:
        assert row["answer"] is None or re.fullmatch(r"\d+(\.\d+)?", row["answer"])


def test_a_sentence_of_the_battery_with_other_numbers_and_names_is_refused() -> None:
    unseen = Unseen()
    row = next(row for row in read_rows(BATTERY) if row["id"] == "two_events-2")
    assert not unseen(row["problem"].replace("22", "35"))
    assert unseen("An ox ate grass while a goat slept behind the old mill near the river.")


@pytest.mark.parametrize("name", ["svamp", "gsm8k"])
def test_a_test_problem_with_other_numbers_is_refused(name: str) -> None:
    unseen = Unseen()
    long = [problem.text for problem in load_problems(name) if len(problem.text) > 120]
    assert not any(unseen(re.sub(r"\d", "7", text)) for text in long[:100])


def test_the_mixture_draws_nothing_that_resembles_the_battery() -> None:
    mixture = Mixture(templates())
    unseen, rng = Unseen(), np.random.default_rng(0)
    drawn = [mixture.draw(rng, 4) for _ in range(500)]
    assert all(unseen(problem.text) for problem in drawn)
    assert max(len(problem.lines) for problem in drawn) == 4
    assert any(problem.answer is None for problem in drawn)


def test_the_questions_that_confidence_is_fitted_on_are_not_in_the_battery() -> None:
    unseen = Unseen()
    of_battery = {_bare(row["problem"]) for row in read_rows(BATTERY)}
    for row in read_rows(PLAIN_QUESTIONS):
        assert unseen(row["problem"]), row
        assert _bare(row["problem"]) not in of_battery, row


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text.lower()).rstrip("?.=")


def test_a_mixture_without_templates_is_refused() -> None:
    with pytest.raises(ValueError, match="no templates of GSM8K"):
        Mixture([])
