"""Synthetic kinds: every form works out, every line is right, and the same seed draws the same problems."""

import re
from typing import get_args

import numpy as np
import pytest

from epf.training.plain.kinds.draw import SHARES, WITH_FORMS, Part, draw_held_out, draw_kind, forms_of
from epf.training.plain.kinds.form import Form, realise
from tests.training.plain.lines import check_lines, numbers_of

IN_WORDS = re.compile("two|three|four|five|six|seven|eight|nine|ten|eleven|twelve")


def forms() -> list[Form]:
    return [form for kind in WITH_FORMS for part in get_args(Part) for form in forms_of(kind, part)]


def test_the_shares_add_up() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)


def test_every_form_works_out_and_fills_all_slots() -> None:
    rng = np.random.default_rng(0)
    for form in forms():
        found = 0
        for _ in range(12):
            try:
                drawn = realise(rng, form)
            except ValueError:
                continue
            found += 1
            assert not set(drawn.text) & set("{}[]|"), drawn.text
            assert "  " not in drawn.text
            assert drawn.answer is not None or not form.lines
            if drawn.answer is not None:
                assert float(check_lines(drawn.lines)) == float(drawn.answer) >= 0
        assert found >= 2, form.text


@pytest.mark.parametrize("kind", SHARES)
def test_the_first_line_uses_numbers_of_the_text(kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        drawn = draw_kind(rng, kind)
        # A product may begin with a part of its factor.
        if drawn.lines and " * " not in drawn.lines[0] and not IN_WORDS.search(drawn.text.lower()):
            used = numbers_of(drawn.lines[0].split(" = ")[0])
            assert used & numbers_of(drawn.text), (drawn.text, drawn.lines)


def test_forms_that_are_held_out_are_not_among_those_of_the_generator() -> None:
    parts = get_args(Part)
    texts = [{form.text for kind in WITH_FORMS if kind != "voices" for form in forms_of(kind, part)} for part in parts]
    known, judged, measured = texts
    assert len(known | judged | measured) == len(known) + len(judged) + len(measured)
    assert 8 < len(known) / len(judged) < 20
    assert 8 < len(known) / len(measured) < 20
    voices = [{form.text for form in forms_of("voices", part)} for part in parts]
    assert not voices[0]
    assert 3.5 < len(voices[1]) / len(voices[2]) < 4.5
    assert (known | judged | measured).isdisjoint(voices[1] | voices[2])
    rng = np.random.default_rng(3)
    assert len({draw_held_out(rng, "confidence").text for _ in range(40)}) > 35


def test_the_same_seed_draws_the_same_problems() -> None:
    first, second = ([draw_kind(rng) for _ in range(50)] for rng in (np.random.default_rng(7), np.random.default_rng(7)))
    assert first == second


def test_one_to_three_events_change_a_quantity() -> None:
    rng = np.random.default_rng(2)
    drawn = [draw_kind(rng, "events") for _ in range(300)]
    assert {len(problem.lines) for problem in drawn} == {1, 2, 3}
    assert all(check_lines(problem.lines) == int(problem.answer or -1) for problem in drawn)


def test_a_scene_has_numbers_that_its_question_does_not_need() -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_kind(rng, "scenes") for _ in range(300)]
    assert all(check_lines(problem.lines) == int(problem.answer or -1) for problem in drawn)
    assert {len(problem.lines) for problem in drawn} >= {1, 2, 3, 4}
    unused = [numbers_of(problem.text) - numbers_of(" ".join(problem.lines)) for problem in drawn]
    assert 60 < sum(map(bool, unused)) < 240


def test_a_form_with_an_unknown_slot_is_refused() -> None:
    with pytest.raises(KeyError, match="nothing"):
        realise(np.random.default_rng(0), Form("{A} has {nothing}.", "a:S", "a+1"))
