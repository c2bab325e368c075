"""From problems and a time budget to a profile."""

import time
from collections.abc import Callable

from epf.core.errors import InvalidRequest
from epf.core.version import VERSION
from epf.evaluation.calibrate import calibrate
from epf.evaluation.profile.searches import Searches
from epf.evaluation.profile.trials import Trials
from epf.evaluation.profile.tune import N_PARTICLES, N_SAMPLES, SAMPLES_PER_SEARCH, Tuned, tune
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.profile.profile import Profile

PILOT = 8
"""Number of problems on which the speed is measured."""


async def affordable(trials: Trials, budget_s: float) -> int:
    """Number of searches of :data:`N_PARTICLES` particles that fit into ``budget_s`` seconds, measured on a few problems."""
    n, start = min(PILOT, trials.n_problems), time.monotonic()
    await trials.sample(range(n), N_SAMPLES)
    each_s = (time.monotonic() - start) / n * SAMPLES_PER_SEARCH / N_SAMPLES
    return max(1, int(budget_s / each_s))


async def learn(
    searches: Searches, models: tuple[str, str], n_searches: int, source: str, note: Callable[[str], None]
) -> Profile:
    """Learn a profile of ``models``, generator and reward model, with about ``n_searches`` searches.

    Args:
        searches: trials with these models.
        models: names of the models.
        n_searches: see :func:`epf.evaluation.profile.tune.tune`.
        source: name of the problems.
        note: receives each finding at once.

    Raises:
        InvalidRequest: see :func:`epf.evaluation.profile.tune.tune`.
        GeneratorError: too many searches in a row failed.
    """
    tuned = await tune(searches, n_searches, note)
    confidence, finding = _confidence(searches, tuned, source)
    note(finding)
    size = {} if tuned.chosen.n_particles == N_PARTICLES else {"n_particles": tuned.chosen.n_particles}
    return Profile(
        *models,
        recipe=f"epf {VERSION}, tune on {source}: {searches.n_problems} problems, {len(searches.rows)} searches",
        options={**tuned.chosen.options, **size},
        findings=(*tuned.findings, finding),
        confidence=confidence,
    )


def _confidence(searches: Searches, tuned: Tuned, source: str) -> tuple[ConfidenceMap | None, str]:
    """The map of the chosen search, and a sentence about it."""
    rows = [row for row in searches.rows.values() if row.method in tuned.tried]
    try:
        fitted = calibrate(rows, f"epf tune on {source}")
    except InvalidRequest as error:
        return None, f"There is no confidence map. {error.message}"
    return fitted.map, (
        f"Confidence: expected calibration error {100 * fitted.ece_unfitted:.1f} % unfitted, {100 * fitted.ece_held_out:.1f} % "
        f"fitted, on problems that were held out ({fitted.n_problems} problems)."
    )
