"""Synthetic problems: the same text for the same seed, exact solutions, held-out graphs and wordings."""

import hashlib
import re
from functools import cache
from itertools import islice

import numpy as np
import pytest

from epf.problem_sets.synthetic import wordings, words
from epf.problem_sets.synthetic.narrator import Narrator
from epf.problem_sets.synthetic.problem import LARGEST, MAX_STEPS, SyntheticProblem, held_out_graph
from epf.problem_sets.synthetic.problems import draw, problem, problems

NUMBERS_IN_WORDS = {"twice": 2, "double": 2, "doubled": 2, "doubles": 2, "triple": 3, "tripled": 3, "triples": 3, "half": 2}
NUMBERS_IN_WORDS |= {"third": 3, "quarter": 4, "fifth": 5} | {word: i for i, word in enumerate(words.NUMBER_WORDS)}

SEED = 20_000_003
# Digests of the first 300 problems of SEED: the shipped models and all recorded benchmarks used these problems.
RECORDED = {
    "train": "f9b6c2dd42242a56efa6cc0a6a9fbc13025257ddfc18ee6470a3517db37e82df",
    "test": "1c0ad0ffd3a01e65a064bb36b4efe222e1bbbe13eebcaadb9ecf657f7f6c763e",
    "wordings": "d850d868c965ae19863429202bd106539a8afa791e11b51b98aa142b1bc16df7",
}


@cache
def drawn(split: str, n: int, seed: int = SEED) -> tuple[SyntheticProblem, ...]:
    return tuple(islice(problems(seed, split), n))


def numbers_in(text: str) -> set[int]:
    lowered = re.findall(r"[a-z]+", text.lower())
    return {int(n) for n in re.findall(r"\d+", text)} | {NUMBERS_IN_WORDS[word] for word in lowered if word in NUMBERS_IN_WORDS}


@pytest.mark.parametrize("split", RECORDED)
@pytest.mark.slow
def test_every_byte_is_the_recorded_one(split: str) -> None:
    digest = hashlib.sha256()
    for found in drawn(split, 300):
        digest.update("\n".join((found.text, *found.solution)).encode() + b"\0")
    assert digest.hexdigest() == RECORDED[split]


@pytest.mark.parametrize("split", ["train", "wordings"])
@pytest.mark.slow
def test_every_line_is_right_and_uses_numbers_of_the_text_or_of_earlier_lines(split: str) -> None:
    """Checked before graphs are selected, which leaves "test" a subset of what is drawn with the wordings of "train"."""
    rng = np.random.default_rng(0)
    found = [p for p in (draw(rng, 1 + i % MAX_STEPS, split) for i in range(3000)) if p is not None]
    assert len(found) >= 2000
    for p in found:
        known = numbers_in(p.text)
        for line in p.lines:
            match = re.fullmatch(r"(\d+) ([-+*/]) (\d+) = (\d+)\.", line)
            assert match is not None, line
            a, b, c = int(match[1]), int(match[3]), int(match[4])
            assert c == {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else None}[match[2]]
            assert match[2] != "/" or a % b == 0
            assert {a, b} <= known, (p.text, line)
            known.add(c)
        assert p.answer == c
        assert 0 <= p.answer <= 12 * LARGEST
        assert p.solution[-1] == f"The answer is \\boxed{{{p.answer}}}."
        assert p.text.endswith(("?", "."))
        assert not set(p.text) & set("{}[]|_")


@pytest.mark.parametrize("n_steps", range(1, MAX_STEPS + 1))
def test_a_problem_has_the_requested_number_of_lines(n_steps: int) -> None:
    rng = np.random.default_rng(n_steps)
    assert {problem(rng, n_steps, "train").n_steps for _ in range(50)} == {n_steps}


@pytest.mark.slow
def test_no_graph_of_quantities_is_in_training_and_in_a_test_split() -> None:
    assert not any(held_out_graph(p.graph) for p in drawn("train", 1000))
    assert all(held_out_graph(p.graph) for p in drawn("test", 300) + drawn("wordings", 300))


def test_training_never_uses_a_held_out_wording() -> None:
    forms = [value for name, value in vars(wordings).items() if name.isupper() and isinstance(value, tuple)]
    held = {form for group in forms for form in group if wordings.held_out(form)}
    assert len(held) > 15
    narrator = Narrator(np.random.default_rng(0), "train")
    assert not any(narrator.form(group) in held for group in forms for _ in range(20))
    narrator = Narrator(np.random.default_rng(0), "wordings")
    assert any(narrator.form(group) in held for group in forms for _ in range(20))


def test_another_seed_gives_other_problems() -> None:
    assert drawn("train", 50, seed=3) != drawn("train", 50, seed=4)


def test_problems_differ() -> None:
    assert len({p.text for p in drawn("train", 1000)}) > 995
