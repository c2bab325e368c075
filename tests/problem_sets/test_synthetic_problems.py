"""Word problems: exact solutions, held-out graphs and wordings, seeds."""

import re
from itertools import islice

import numpy as np
import pytest

from epf.problem_sets.synthetic import wordings, words
from epf.problem_sets.synthetic.problems import LARGEST, MAX_STEPS, held_out_graph, problem, problems
from epf.problem_sets.synthetic.telling import Telling

SAID_IN_WORDS = {"twice": 2, "double": 2, "doubled": 2, "doubles": 2, "triple": 3, "tripled": 3, "triples": 3, "half": 2}
SAID_IN_WORDS |= {"third": 3, "quarter": 4, "fifth": 5} | {word: i for i, word in enumerate(words.NUMBER_WORDS)}


def drawn(split, n, seed=0):
    return list(islice(problems(seed, split), n))


def numbers_told(text):
    lowered = re.findall(r"[a-z]+", text.lower())
    return {int(n) for n in re.findall(r"\d+", text)} | {SAID_IN_WORDS[word] for word in lowered if word in SAID_IN_WORDS}


@pytest.mark.parametrize("split", ["train", "test", "wordings"])
def test_every_line_is_right_and_uses_what_was_told_or_computed(split):
    for p in drawn(split, 1500):
        known = numbers_told(p.text)
        for line in p.lines:
            a, op, b, c = re.fullmatch(r"(\d+) ([-+*/]) (\d+) = (\d+)\.", line).groups()
            a, b, c = int(a), int(b), int(c)
            assert c == {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else None}[op]
            assert op != "/" or a % b == 0
            assert {a, b} <= known, (p.text, line)
            known.add(c)
        assert p.answer == c
        assert 0 <= p.answer <= 12 * LARGEST
        assert p.solution[-1] == f"The answer is \\boxed{{{p.answer}}}."
        assert p.text.endswith(("?", "."))
        assert not set(p.text) & set("{}[]|_")


@pytest.mark.parametrize("n_steps", range(1, MAX_STEPS + 1))
def test_a_problem_has_as_many_lines_as_asked_for(n_steps):
    rng = np.random.default_rng(n_steps)
    assert {problem(rng, n_steps, "train").n_steps for _ in range(50)} == {n_steps}


def test_no_graph_of_quantities_is_in_training_and_in_a_test():
    assert not any(held_out_graph(p.graph) for p in drawn("train", 1000))
    assert all(held_out_graph(p.graph) for p in drawn("test", 300) + drawn("wordings", 300))


def test_held_out_wordings_are_never_told_in_training():
    forms = [value for name, value in vars(wordings).items() if name.isupper() and isinstance(value, tuple)]
    held = {form for group in forms for form in group if wordings.held_out(form)}
    assert len(held) > 15
    told = Telling(np.random.default_rng(0), "train")
    assert not any(told.form(group) in held for group in forms for _ in range(20))
    told = Telling(np.random.default_rng(0), "wordings")
    assert any(told.form(group) in held for group in forms for _ in range(20))


def test_the_same_seed_tells_the_same_problems():
    assert drawn("train", 50, seed=3) == drawn("train", 50, seed=3)
    assert drawn("train", 50, seed=3) != drawn("train", 50, seed=4)


def test_problems_differ():
    assert len({p.text for p in drawn("train", 1000)}) > 995
