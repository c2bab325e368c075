"""How much a reading is worth at each depth: the logistic slope of "ends right" on the log odds, over free samples.

A slope of 1 is calibrated, 0 is noise. The problems of one world differ little, so that the pooled slope is near the slope
within a problem, which is the one that matters to a filter.
"""

from typing import Any

import numpy as np

from benchmarks.regimes.world import Problems, World
from epf.reward_models.calibration import fit


def slopes_by_depth(world: World, problems: Problems[Any], n: int, rng: np.random.Generator) -> list[float]:
    """Slopes ``(n_steps,)`` from ``n`` free samples of each problem."""
    particles, scores = problems.start(n), []
    for t in range(1, world.n_steps + 1):
        particles = problems.step(particles, t, rng)
        scores.append(1.0 / (1.0 + np.exp(-particles.reading.ravel())))
    right = problems.right(particles, rng).ravel()
    return [fit(score, right, model="world").slope for score in scores]
