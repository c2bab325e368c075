"""Grade-school word problems with exact solutions, drawn from a seed.

Most problems are stories (:mod:`.stories`): one running amount, events that change it, now and then a comparison or a grouping
at the end, and facts that do not matter. Some of the short ones are puzzles (:mod:`.puzzles`). A solution has one line of
arithmetic per step ("37 + 12 = 49.").

Two things are held out from training: every problem whose graph of quantities falls into the held-out part
(:func:`.problem.held_out_graph`), and the wordings of :func:`.wordings.held_out`.
"""

from collections.abc import Iterator

import numpy as np

from epf.problem_sets.synthetic.problem import MAX_STEPS, SyntheticProblem, held_out_graph
from epf.problem_sets.synthetic.puzzles import puzzle
from epf.problem_sets.synthetic.stories import story


def problems(seed: int, split: str, min_steps: int = 1, max_steps: int = MAX_STEPS) -> Iterator[SyntheticProblem]:
    """Yield problems without end, with step counts drawn evenly from ``min_steps`` to ``max_steps``."""
    rng = np.random.default_rng(seed)
    while True:
        yield problem(rng, int(rng.integers(min_steps, max_steps + 1)), split)


def problem(rng: np.random.Generator, n_steps: int, split: str) -> SyntheticProblem:
    """Draw a problem of ``n_steps`` lines.

    ``split``: "train"; "test" (held-out graphs, training wordings); "wordings" (held-out graphs and mostly held-out wordings).
    """
    while True:
        drawn = draw(rng, n_steps, split)
        if drawn is not None and held_out_graph(drawn.graph) == (split != "train"):
            return drawn


def draw(rng: np.random.Generator, n_steps: int, split: str) -> SyntheticProblem | None:
    """Draw a puzzle or a story with the wordings of ``split``, whatever its graph; None if the numbers do not work out."""
    short = n_steps <= 3 and rng.random() < (0.5 if n_steps <= 2 else 0.3)
    return puzzle(rng, n_steps, split) if short else story(rng, n_steps, split)
