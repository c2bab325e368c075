"""Composes a problem: one of the kinds of stories, often with a number too many, now and then with one too few."""

from collections.abc import Callable
from random import Random

import numpy as np

from epf.training.plain.kinds.grammar.activities import activities
from epf.training.plain.kinds.grammar.containers import containers
from epf.training.plain.kinds.grammar.crowds import crowds
from epf.training.plain.kinds.grammar.distractors import distract
from epf.training.plain.kinds.grammar.groups import groups
from epf.training.plain.kinds.grammar.journeys import journeys
from epf.training.plain.kinds.grammar.measures import measures
from epf.training.plain.kinds.grammar.missing import ask_about_another, hide_a_number
from epf.training.plain.kinds.grammar.ownership import ownership
from epf.training.plain.kinds.grammar.parts import parts
from epf.training.plain.kinds.grammar.prices import prices
from epf.training.plain.kinds.grammar.rates import rates
from epf.training.plain.kinds.grammar.scene import Scene
from epf.training.plain.kinds.grammar.sharing import sharing
from epf.training.plain.kinds.grammar.shopping import shopping
from epf.training.plain.kinds.grammar.telling import worded
from epf.training.plain.problem import PlainProblem

STORIES: dict[Callable[[Scene], None], float] = {
    ownership: 0.38, activities: 0.1, containers: 0.07, crowds: 0.07, parts: 0.06, groups: 0.07, sharing: 0.04,
    shopping: 0.06, prices: 0.05, rates: 0.04, journeys: 0.02, measures: 0.04,
}  # fmt: skip
"""The kinds of stories and their shares."""
_DISTRACTED, _UNANSWERABLE = 0.33, 0.135
"""How often a number too many is added, and how often one is left out; where that fails another problem is drawn."""
_SHORT_KEPT = 0.6
"""Share of the problems with one operation that are kept, so that longer ones are more frequent."""


def composed_problem(rng: np.random.Generator) -> PlainProblem:
    """Compose a problem.

    Raises:
        ValueError: the numbers that were drawn do not work out; draw again.
    """
    drawn = worded(compose(Random(int(rng.integers(2**63)))))
    if len(drawn.lines) == 1 and rng.random() > _SHORT_KEPT:
        raise ValueError("There are enough problems with one operation.")
    return drawn


def compose(rng: Random) -> Scene:
    """Compose a scene with its question.

    Raises:
        ValueError: the numbers that were drawn do not work out; draw again.
    """
    scene = Scene(rng)
    rng.choices(list(STORIES), list(STORIES.values()))[0](scene)
    if scene.chance(_DISTRACTED):
        distract(scene)
    if scene.chance(_UNANSWERABLE):
        rng.choice((hide_a_number, hide_a_number, ask_about_another))(scene)
    return scene
