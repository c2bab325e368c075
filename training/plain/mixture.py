"""The training problems of the pair ``plain``: a mixture that a seed determines."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from epf.problem_sets.synthetic.problems import problem as story_problem
from epf.training.plain.gsm8k.missing import without_a_number
from epf.training.plain.gsm8k.redraw import redraw
from epf.training.plain.gsm8k.template import Template
from epf.training.plain.kinds.draw import draw_kind
from epf.training.plain.noise import noisy
from epf.training.plain.problem import PlainProblem
from epf.training.plain.unseen import Unseen
from epf.training.plain.vary import vary

MAX_CHARACTERS = 300
"""Maximum length of a text from GSM8K; longer ones cost more than such a small model learns from them."""
SHORT = 200
MAX_LINES = 12
"""Maximum number of lines of a solution, once the generator has seen the shorter ones."""
GSM8K, MISSING, KINDS = 0.35, 0.03, 0.58
"""Shares of redrawn GSM8K problems, of those that lack a number, and of the synthetic kinds.

The rest are the stories of the pair ``stories``.
"""
NOISY = 0.4
"""Share of the texts that :mod:`epf.training.plain.noise` writes in another way."""
_MAX_STORY_STEPS = 5


class Mixture:
    """Draws training problems; wordings that are held out for development and sentences of the battery never occur."""

    def __init__(self, templates: Sequence[Template]) -> None:
        """Keep the templates that are short enough and in training; short ones are drawn twice as often.

        Raises:
            ValueError: no template is left.
        """
        self._templates = [t for t in templates if not t.held_out and len(t.text) <= MAX_CHARACTERS]
        if not self._templates:
            raise ValueError("There are no templates of GSM8K to train on; check the path of its training problems.")
        weights = np.array([2.0 if len(t.text) <= SHORT else 1.0 for t in self._templates])
        self._unseen = Unseen()
        self._cumulative = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator, max_lines: int) -> PlainProblem:
        """Draw a problem with at most ``max_lines`` lines."""
        while True:
            drawn = self._any(rng, max_lines)
            if drawn is None or len(drawn.lines) > max_lines or not self._unseen(drawn.text):
                continue
            if rng.random() >= NOISY:
                return drawn
            drawn = replace(drawn, text=noisy(rng, drawn.text))
            if self._unseen(drawn.text):
                return drawn

    def _any(self, rng: np.random.Generator, max_lines: int) -> PlainProblem | None:
        kind = rng.random()
        if kind >= GSM8K + MISSING + KINDS:
            story = story_problem(rng, int(rng.integers(1, min(max_lines, _MAX_STORY_STEPS) + 1)), "train")
            return PlainProblem(story.text, story.lines, str(story.answer))
        drawn = draw_kind(rng) if kind >= GSM8K + MISSING else self._of_gsm8k(rng, max_lines, is_missing=kind >= GSM8K)
        return None if drawn is None else replace(drawn, text=vary(rng, drawn.text))

    def _of_gsm8k(self, rng: np.random.Generator, max_lines: int, *, is_missing: bool) -> PlainProblem | None:
        index = int(np.searchsorted(self._cumulative, rng.random()))
        template = self._templates[min(index, len(self._templates) - 1)]
        if is_missing:
            return without_a_number(rng, template)
        return None if len(template.program) > max_lines else redraw_or_none(rng, template)


def redraw_or_none(rng: np.random.Generator, template: Template) -> PlainProblem | None:
    """Redraw a template; ``None`` if its numbers cannot be written with few decimals."""
    try:
        return redraw(rng, template)
    except ValueError:
        return None
