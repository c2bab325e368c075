"""Verdicts on pairs of answers that graders confuse, read in this process; every pair counts in both orders."""

import random
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from epf.search.answers.numbers import plain
from epf.search.answers.reading import Reading, same
from epf.search.answers.symbolic import read
from epf.search.answers.text import MAX_LENGTH, as_text


class Pair(NamedTuple):
    a: str
    b: str
    equal: bool


def pairs() -> dict[str, list[Pair]]:
    """The pairs of ``tests/data/answer_pairs.txt`` by kind."""
    found: dict[str, list[Pair]] = {}
    for line in (Path(__file__).parents[2] / "data" / "answer_pairs.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = found.setdefault(line.strip("[]"), [])
        elif line.startswith(("= ", "! ")):
            a, b = line[2:].split(" || ")
            kind.append(Pair(a, b, line[0] == "="))
    return found


PAIRS = pairs()
QUICK = [kind for kind in PAIRS if " set" not in kind and "Math-Verify" not in kind]


@cache
def reading(answer: str) -> Reading:
    return plain(answer) or read(answer)


@pytest.mark.parametrize("kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in PAIRS])
def test_pairs_that_graders_confuse(kind: str) -> None:
    for a, b, equal in PAIRS[kind]:
        assert same(reading(a), reading(b)) is equal, (a, b, reading(a), reading(b))
        assert same(reading(b), reading(a)) is equal, (b, a)


def test_equality_is_reflexive_and_symmetric() -> None:
    texts = [text for kind in QUICK for pair in PAIRS[kind] for text in (pair.a, pair.b)]
    readings = list({reading(text) for text in random.Random(1).sample(texts, 300)})
    for a, b in product(readings, readings):
        assert same(a, b) is same(b, a)
    assert all(same(a, a) for a in readings)


def test_a_reading_survives_json() -> None:
    for text in ("12 cm", "50%", "y=2x+1", "cat"):
        assert Reading.from_json(reading(text).to_json()) == reading(text)


def test_plain_numbers_are_read_the_same_with_and_without_a_worker() -> None:
    for text in [text for kind in QUICK for pair in PAIRS[kind] for text in (pair.a, pair.b)]:
        if (number := plain(text)) is not None:
            assert read(text) == number, text


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "\ud800", "(" * 300, r"\frac{", "}{", "{", r"\begin{pmatrix}", "x" * 2 * MAX_LENGTH]
)
def test_what_cannot_be_read_is_text(text: str) -> None:
    assert read(text) == as_text(text)


PIECES = [
    "\\frac", "\\sqrt", "\\text", "\\begin{pmatrix}", "\\end{pmatrix}", "\\cup", "\\infty", "\\{", "\\}", "\\left(", "\\right)",
    "\\%", "{", "}", "(", ")", "[", "]", "$", ",", "=", "+", "-", "/", "!", "_", "^", "&", "\\\\", "x", "y", "0", "1", "2.5",
    "\\over", "\\choose", "\\begin{cases}", "\\end{cases}", "\\textbf{", "\\vec{i}", "\\hat{j}", "%", "'", '"', "R", "(A)",
    " cm", " ", "\n", "\x00", "<", "\\le", "\\pm", "|", "½", "²", "√", " and ", ":", "\\in", "\\mathbb{R}", "'", ";",
]  # fmt: skip


def test_any_text_is_read() -> None:
    chance = random.Random(2)
    for _ in range(300):
        text = "".join(chance.choices(PIECES, k=chance.randrange(9)))
        as_text(text)
        assert same(read(text), read(f" {text} ")), text
