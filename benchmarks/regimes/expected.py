"""Figures that another implementation of these worlds gave, in percent, and how near ours must be.

They were simulated by code of its own, without this package, on 2000 problems x 2 seeds (plan), 1500 x 2 (forks), 150 x 2 and
80 x 2 (Countdown). Its look-ahead made all weights equal after the draw, and annealed at every step in forks. Its Countdown
problems are not known; ours have the same shares of free samples that succeed.
"""

from typing import Final

PLAN = ("best_of_n", "pf", "epf_published", "epf_published, uncorrected look-ahead", "pf, calibrated")
FORKS = (
    "best_of_n",
    "pf",
    "epf_published",
    "epf_published, uncorrected look-ahead",
    "pf, guesses x 0.25",
    "pf, guesses x 0.1",
    "pf_once, power 1",
    "pf_once, guesses x 0.25",
    "pf, islands of 4",
)
COUNTDOWN = ("any right", "pf", "epf_published", "epf_published, uncorrected look-ahead", "pf, calibrated")

_TABLE: Final = (
    ("plan, noisy early", 8, PLAN, (48, 49.7, 53.5, 58.0, 58.5)),
    ("plan, noisy early", 16, PLAN, (59, 60.4, 68.1, 77.0, 74.1)),
    ("plan, noisy early", 32, PLAN, (71, 71.6, 84.2, 91.6, 88.3)),
    ("plan, noisy and over-confident", 8, PLAN, (48, 49.5, 50.9, 52.2, 57.4)),
    ("plan, noisy and over-confident", 16, PLAN, (59, 60.0, 66.4, 69.7, 73.7)),
    ("plan, noisy and over-confident", 32, PLAN, (71, 75.4, 82.2, 85.0, 87.6)),
    ("plan, noisy and over-confident, revealed from step 2", 16, PLAN, (59, 67.7, 85.4, 86.0, 85.0)),
    ("plan, calibrated", 16, PLAN, (59, 88.5, 87.3, 87.2, 88.1)),
    ("forks, 3 stages of 3 ways", 8, FORKS, (25.6, 34.9, 36.6, 52.9, 61.5, 79.0, 58.4, 84.0, 35.8)),
    ("forks, 3 stages of 3 ways", 16, FORKS, (46.0, 42.0, 44.2, 63.9, 79.2, 96.4, 63.9, 97.2, 50.7)),
    ("forks, 3 stages of 3 ways", 32, FORKS, (70.8, 45.7, 47.9, 69.6, 87.3, 99.6, None, None, 61.6)),
    ("forks, 2 stages of 3 ways", 16, FORKS, (84.3, 54.5, 56.8, 76.2, 85.0, 97.3, 74.1, 98.5, 66.5)),
    ("forks, 3 stages of 2 ways, slope 3", 16, FORKS, (88.5, 55.7, 55.4, 64.3, 80.7, 96.8, 80.7, 97.7, 62.2)),
    (
        "forks, 2 stages of 4 ways, little to see, slope 3",
        16,
        FORKS,
        (64.4, 22.3, 25.7, 45.0, 48.9, 81.4, 35.1, 84.0, 37.7),
    ),
    ("forks, 3 stages of 3 ways, calibrated", 8, FORKS, (25.6, 88.5, 88.5, 90.3, 88.6, 88.6, 84.7, 86.6, 76.6)),
    ("forks, 3 stages of 3 ways, calibrated", 16, FORKS, (46.0, 99.4, 99.4, 99.6, 99.4, 99.4, 98.7, 98.4, 95.1)),
    ("countdown, 5 numbers, exact", 8, COUNTDOWN, (36, 85, 77, 72, 84)),
    ("countdown, 5 numbers, exact", 16, COUNTDOWN, (52, 93, 89, 88, 93)),
    ("countdown, 5 numbers, exact", 32, COUNTDOWN, (74, 99, 96, 97, 99)),
    ("countdown, 5 numbers, noisy early", 8, COUNTDOWN, (36, 74, 70, 68, 73)),
    ("countdown, 5 numbers, noisy early", 16, COUNTDOWN, (52, 95, 87, 82, 91)),
    ("countdown, 5 numbers, noisy early", 32, COUNTDOWN, (74, 98, 95, 95, 97)),
    ("countdown, 6 numbers, noise of the first move kept", 8, COUNTDOWN, (23, 75, 69, 66, 64)),
    ("countdown, 6 numbers, noise of the first move kept", 16, COUNTDOWN, (42, 91, 83, 82, 89)),
    ("countdown, 6 numbers, noise of the first move kept", 32, COUNTDOWN, (62, 100, 90, 90, 99)),
)

EXPECTED: Final[dict[tuple[str, int, str], float]] = {
    (place, n, name): value
    for place, n, names, values in _TABLE
    for name, value in zip(names, values, strict=True)
    if value is not None
}


def tolerance(place: str) -> float:
    """How far ours may be from the expected figure, in points."""
    return 4.0 if place.startswith("countdown") else 2.0


def sample_size(place: str) -> int:
    """Number of searches behind an expected figure, with searches of the same problem counted in full."""
    return {"plan": 4000, "forks": 3000}.get(place.split(",")[0], 160 if "6 numbers" in place else 300)
