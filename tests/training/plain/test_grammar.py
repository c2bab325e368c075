"""Composed problems: lines agree with the simulated world, what has no answer has none, and sentences are well formed."""

import re
from random import Random

import numpy as np
import pytest

from epf.training.plain.kinds.draw import draw_kind
from epf.training.plain.kinds.grammar.clauses import ask, finite
from epf.training.plain.kinds.grammar.compose import STORIES, compose
from epf.training.plain.kinds.grammar.scene import Scene
from epf.training.plain.kinds.grammar.telling import worded
from epf.training.plain.kinds.grammar.vocabulary import CLASSES, NAMES, VERBS, Verb
from epf.training.plain.kinds.grammar.world import Step, World
from epf.training.plain.problem import PlainProblem
from tests.training.plain.lines import check_lines, numbers_of
from tests.training.plain.skeletons import skeleton

NUMBER = re.compile(r"#(\d+)d?#")


def scenes(n: int, seed: int) -> list[tuple[Scene, PlainProblem]]:
    rng = Random(seed)
    found: list[tuple[Scene, PlainProblem]] = []
    while len(found) < n:
        try:
            scene = compose(rng)
            found.append((scene, worded(scene)))
        except ValueError:
            continue
    return found


DRAWN = scenes(4000, 0)


def stated(scene: Scene) -> set[int]:
    question = scene.question.direct if scene.question else ""
    return {int(number) for clause in scene.clauses for number in NUMBER.findall(clause.lead + clause.predicate)} | {
        int(number) for number in NUMBER.findall(question)
    }


def test_the_lines_lead_to_what_is_true_in_the_simulated_world() -> None:
    for scene, drawn in DRAWN:
        if drawn.answer is not None:
            truth = scene.value(scene.target)
            assert float(check_lines(drawn.lines)) == pytest.approx(truth), drawn
            assert float(drawn.answer) == pytest.approx(truth)
            assert truth > 0


def test_no_quantity_is_negative_or_stated_as_less_than_two() -> None:
    for scene, drawn in DRAWN:
        assert min(scene.world.values) >= 0, drawn
        assert all(scene.value(number) > 0.5 for number in stated(scene)), drawn


def test_a_hidden_number_would_change_the_answer_and_nothing_that_is_stated() -> None:
    hidden = [
        (scene, drawn)
        for scene, drawn in DRAWN
        if drawn.answer is None and re.search(r"\b(some|several|few|many|number of)\b", drawn.text, re.I)
    ]
    checked = 0
    for scene, drawn in hidden:
        world, known = scene.world, stated(scene)
        if scene.target in known or world.solve({number: number for number in known}, scene.target) is not None:
            continue  # the question is about somebody else
        free = [number for number in range(len(world.values)) if number not in known | world.formulas.keys() | world.constants]
        moves = [
            number
            for number in free
            if world.value_if(scene.target, number, world.values[number] + 1) != world.values[scene.target]
        ]
        assert moves, drawn
        for number in moves:
            assert all(world.value_if(other, number, world.values[number] + 1) == world.values[other] for other in known), drawn
        checked += 1
    assert checked > 30


def test_some_problems_have_no_answer() -> None:
    rng = np.random.default_rng(0)
    share = sum(draw_kind(rng, "composed").answer is None for _ in range(3000)) / 3000
    assert 0.04 < share < 0.06


def test_many_problems_have_numbers_that_are_not_needed() -> None:
    answered = [(scene, drawn) for scene, drawn in DRAWN if drawn.answer is not None]
    more = 0
    for scene, _ in answered:
        known = {number: number for number in stated(scene)}
        steps = scene.world.solve(known, scene.target) or []
        about = " ".join(scene.appositions.values())
        more += bool(known.keys() - {side for step in steps for side in (step.left, step.right)} or "#" in about)
    assert 0.4 < more / len(answered) < 0.75


def test_chains_have_one_to_five_operations_and_more() -> None:
    steps = [len(scene.world.solve({q: q for q in stated(scene)}, scene.target) or []) for scene, _ in DRAWN]
    shares = {n: steps.count(n) / len(steps) for n in range(6)}
    assert all(shares[n] > least for n, least in ((1, 0.2), (2, 0.2), (3, 0.1), (4, 0.03), (5, 0.01))), shares


def test_sentences_are_well_formed() -> None:
    for _, drawn in DRAWN:
        assert not re.search(r"[#{}\[\]|@_]|  | [,.?]|[,.?]{2}|\b[Aa] [aeio]|\b[Aa]n [bcdfgjklmnpqrstvwxyz]", drawn.text), (
            drawn.text
        )
        assert not re.search(r"(^|[.?!] )[a-z]", drawn.text), drawn.text
        assert drawn.text[-1] in ".?", drawn.text


def test_problems_are_varied() -> None:
    assert len({skeleton(drawn.text) for _, drawn in DRAWN}) > 0.85 * len(DRAWN)
    firsts = {drawn.lines[0].split()[1] for _, drawn in DRAWN if drawn.lines}
    assert firsts == {"+", "-", "*", "/"}


def test_all_kinds_of_stories_are_drawn() -> None:
    assert sum(STORIES.values()) == pytest.approx(1)
    for story in STORIES:
        rng, found = Random(3), 0
        for _ in range(40):
            scene = Scene(rng)
            try:
                story(scene)
                found += worded(scene).answer is not None
            except ValueError:
                continue
        assert found > 10, story


def test_there_are_several_hundred_words() -> None:
    assert sum(map(len, CLASSES.values())) > 300
    assert len({verb.base for verbs in VERBS.values() for verb in verbs}) > 70
    assert sum(map(len, NAMES.values())) > 250
    assert all(len({thing.many for thing in things}) == len(things) for things in CLASSES.values())


@pytest.mark.parametrize(
    ("verb", "past", "third", "gerund"),
    [
        ("give away", "gave away", "gives away", "giving away"),
        ("drop", "dropped", "drops", "dropping"),
        ("carry", "carried", "carries", "carrying"),
        ("order", "ordered", "orders", "ordering"),
    ],
)
def test_verbs_have_regular_forms_that_are_right(verb: str, past: str, third: str, gerund: str) -> None:
    known = {found.base: found for verbs in VERBS.values() for found in verbs} | {
        "carry": Verb("carry", "carried", "carried", ())
    }
    assert (known[verb].past, known[verb].third, known[verb].gerund) == (past, third, gerund)


def test_a_question_agrees_with_its_agent() -> None:
    agent = Scene(Random(0)).person()
    verb = Verb("be given", "was given", "been given", ())
    assert ask("how many pears", agent, verb, "by Ann", "past").direct == "how many pears was @ given by Ann"
    assert finite(agent, verb, "present") == "is given"


def test_a_relation_gives_any_of_its_quantities_from_the_two_others() -> None:
    world = World()
    start, lost = world.quantity(12), world.quantity(7)
    left = world.minus(start, lost)
    assert world.values[left] == 5
    assert world.solve({start: 0, lost: 1}, left) == [Step(start, "-", lost, left)]
    assert world.solve({lost: 0, left: 1}, start) == [Step(lost, "+", left, start)]
    assert world.solve({start: 0, left: 1}, lost) == [Step(start, "-", left, lost)]
    assert world.solve({start: 0}, left) is None


def test_the_kind_is_drawn_with_the_others() -> None:
    drawn = draw_kind(np.random.default_rng(0), "composed")
    assert drawn.answer is None or numbers_of(drawn.text)
