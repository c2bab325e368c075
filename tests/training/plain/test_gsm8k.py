"""Rows in GSM8K's format as templates, and their numbers drawn anew. The rows are our own."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from epf.training.plain.gsm8k.missing import without_a_number
from epf.training.plain.gsm8k.program import Fixed, Given, Operation, Result
from epf.training.plain.gsm8k.redraw import redraw
from epf.training.plain.gsm8k.rows import without_template
from epf.training.plain.gsm8k.template import Template, held_out
from epf.training.plain.gsm8k.tracer import problem_of, template_of
from epf.training.plain.problem import PlainProblem
from tests.training.plain.lines import check_lines, numbers_of

BEADS = template_of(
    "Nora strings 48 beads, and Tim strings half as many. How many beads do they string?",
    "Tim strings 48/2 = <<48/2=24>>24 beads.\nTogether: 48+24 = <<48+24=72>>72.\n#### 72",
)
PRICE = template_of(
    "A lamp costs $80 and is sold with a discount of 25%. What does it cost now?",
    "The discount is 25/100*80 = $<<25/100*80=20>>20.\nIt costs 80-20 = $<<80-20=60>>60.\n#### 60",
)
TRIPS = template_of(
    "Six vans make three trips with 11 crates each. The first 5 crates are empty. How many crates are full?",
    "They make 6*3=<<6*3=18>>18 trips.\nThat is 18*11=<<18*11=198>>198 crates.\n198-5=<<198-5=193>>193 are full.\n#### 193",
)
MILK = template_of("A jug holds 2.5 litres. How much do 4 jugs hold?", "They hold 4*2.5=<<4*2.5=10>>10 litres.\n#### 10")
TEMPLATES = [BEADS, PRICE, TRIPS, MILK]


def known(template: Template | None) -> Template:
    assert template is not None
    return template


def test_operands_are_traced_to_text_earlier_results_and_words() -> None:
    assert known(BEADS).program == (Operation(Given(0), "/", Fixed(2)), Operation(Given(0), "+", Result(0)))


def test_a_percentage_divides_last() -> None:
    first, second, _ = known(PRICE).program
    assert (first, second) == (Operation(Given(1), "*", Given(0)), Operation(Result(0), "/", Fixed(100)))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Ann has 4 pens. How many does she have?", "4+3=<<4+3=7>>7\n#### 7"),
        ("Ann has 4 pens and gets 3. How many?", "4+3=<<4+3=7>>7\n#### 8"),
        ("Ann has 4 pens and gets 3. How many?", "4+3=<<4+3=8>>8\n#### 8"),
        ("Ann has 4 pens and gets 3. How many?", "4 and 3 are 7\n#### 7"),
        ("Ann has 4 pens and gets 3. How many?", "4+3=<<4 plus 3=7>>7\n#### 7"),
        ("Ann has 6 pens, loses 3 and gets 3. How many?", "6-3=<<6-3=3>>3\n3+3=<<3+3=6>>6\n#### 6"),
        ("Ann has 4 pens and 0 books. How many each?", "4/0=<<4/0=0>>0\n#### 0"),
    ],
)
def test_a_row_whose_numbers_cannot_be_traced_is_left_out(question: str, answer: str) -> None:
    assert template_of(question, answer) is None


def test_a_percentage_may_be_written_as_a_share() -> None:
    off = known(template_of("A lamp for $80 is 25% off. What does it cost?", "80*.75=<<80*.75=60>>60\n#### 60"))
    assert off.program == (
        Operation(Fixed(100), "-", Given(1)),
        Operation(Result(0), "*", Given(0)),
        Operation(Result(1), "/", Fixed(100)),
    )
    part = known(template_of("A farm has 80 hens, and 25% lay. How many?", "80*.25=<<80*.25=20>>20\n#### 20"))
    assert part.program == (Operation(Given(1), "*", Given(0)), Operation(Result(0), "/", Fixed(100)))


def test_the_program_ends_with_the_answer() -> None:
    row = "4+3=<<4+3=7>>7 pens.\n4-3=<<4-3=1>>1 is the difference.\n5=<<5=5>>5\n#### 7"
    assert known(template_of("Ann has 4 pens and Bo has 3. How many?", row)).program == (Operation(Given(0), "+", Given(1)),)


def test_a_number_that_the_text_has_twice_stays() -> None:
    found = known(template_of("Two boys have 2 pens each and lose 3. How many pens?", "2*2=<<2*2=4>>4\n4-3=<<4-3=1>>1\n#### 1"))
    assert found.program[0] == Operation(Fixed(2), "*", Fixed(2))
    assert found.used == {2}


@pytest.mark.parametrize("template", TEMPLATES)
def test_redrawn_problems_are_right_and_keep_their_kind(template: Template | None) -> None:
    rng = np.random.default_rng(1)
    texts = set()
    for _ in range(200):
        drawn = redraw(rng, known(template))
        result = check_lines(drawn.lines)
        assert drawn.answer is not None
        assert float(result) == float(drawn.answer) > 0
        assert result.denominator == 1
        texts.add(drawn.text)
    assert len(texts) > 30


def test_the_numbers_of_the_text_are_those_of_the_solution() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        drawn = redraw(rng, known(BEADS))
        (start,) = numbers_of(drawn.text)
        assert drawn.lines == (f"{start} / 2 = {start / 2}.", f"{start} + {start / 2} = {start * 3 / 2}.")


def test_percentages_stay_percentages_and_number_words_stay_words() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        match = re.search(r"discount of (\d+)%", redraw(rng, known(PRICE)).text)
        assert match is not None
        assert 0 < int(match[1]) < 100
        assert re.match(
            r"[A-Z][a-z]+ vans make [a-z]+ trips with \d+ crates each\. The first \d+ ", redraw(rng, known(TRIPS)).text
        )


def test_ordinals_fractions_and_times_of_day_are_no_slots() -> None:
    found = known(template_of("On the 3rd day at 7:30 Al ate 1/2 of 8 pies. How many?", "8/2=<<8/2=4>>4\n#### 4"))
    assert [slot.value for slot in found.slots] == [8]


def test_thousands_keep_their_comma() -> None:
    (slot,) = known(template_of("A farm has 1,250 hens. How many are 2/5?", "1250/5=<<1250/5=250>>250\n#### 250")).slots
    assert slot.value == 1250
    assert slot.write(14500) == "14,500"
    assert slot.write(900) == "900"


def test_a_problem_without_one_of_its_numbers_has_no_answer() -> None:
    drawn = without_a_number(np.random.default_rng(0), known(BEADS))
    assert drawn is not None
    assert drawn.answer is None
    assert re.search(r"strings (some|several|a number of|a few|many) beads, and", drawn.text)
    assert without_a_number(np.random.default_rng(0), known(PRICE)) is None


def test_a_problem_keeps_its_numbers_where_they_cannot_be_traced() -> None:
    found = problem_of("Ann has $.50 and twelve  coins. How many?", "12*3=<<12*3=36>>36\n36-(2+1)=<<36-(2+1)=33>>33\n#### 33")
    assert found == PlainProblem(
        "Ann has $0.50 and twelve coins. How many?", ("12 * 3 = 36.", "2 + 1 = 3.", "36 - 3 = 33."), "33"
    )


@pytest.mark.parametrize(
    "answer", ["4+3=<<4+3=7>>7\n#### 8", "7\n#### 7", "4/0=<<4/0=0>>0\n#### 0", "1/3=<<1/3=0.33>>0.33\n#### 0.33"]
)
def test_a_problem_whose_last_operation_lacks_the_answer_is_left_out(answer: str) -> None:
    assert problem_of("Ann has 4 pens and gets 3. How many?", answer) is None


def test_problems_that_are_no_templates_are_those_that_the_generator_does_not_know(tmp_path: Path) -> None:
    traced = {"question": "Ann has 4 pens and gets 3. How many?", "answer": "4+3=<<4+3=7>>7\n#### 7"}
    others = [
        {"question": f"Ann has 4 pens and gets 3 on day {n}. How many?", "answer": "9-2=<<9-2=7>>7\n#### 7"} for n in range(99)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (traced, *others)))
    found = [problem.text for problem in without_template(path)]
    assert 80 < len(found) < 99
    assert found == [row["question"] for row in others if not held_out(row["question"])]
