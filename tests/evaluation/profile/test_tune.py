"""The tuner finds what is better, and keeps the default where nothing is."""

import asyncio
from typing import Any

import pytest

from benchmarks.regimes.forks import Forks
from benchmarks.regimes.plan import Plan
from benchmarks.regimes.trials import WorldTrials
from epf.core.errors import InvalidRequest
from epf.evaluation.profile.candidates import ONCE, candidates, default, sizes, votes
from epf.evaluation.profile.trials import Candidate
from epf.evaluation.profile.tune import N_PARTICLES, Tuned, tune
from epf.search.methods import METHODS
from epf.search.options import SearchOptions
from epf.search.profile.profile import Profile
from epf.search.runner import resolve_options
from tests.evaluation.profile.table import Accuracy, Table


def tuned(accuracy: Accuracy, n_searches: int = 2000, **table: Any) -> tuple[Tuned, Table]:
    trials = Table(300, accuracy, **table)
    return asyncio.run(tune(trials, n_searches)), trials


def test_in_forks_that_all_particles_misread_evidence_is_judged_once() -> None:
    found = asyncio.run(tune(WorldTrials(Forks(), 120, 1), 700))
    assert found.chosen.options["weighting"] == "incremental"
    early, late = found.slopes.slopes[:2], found.slopes.slopes[-1]
    assert max(early) < 0.5 < late
    assert any("the profile takes it" in finding for finding in found.findings)


@pytest.mark.slow
def test_where_the_plan_is_misread_early_scores_are_muted_and_where_it_is_not_they_are_not() -> None:
    noisy = asyncio.run(tune(WorldTrials(Plan(early_slope=4.0), 300, 1), 3000)).chosen
    assert max(noisy.options["slopes"][:4]) < 0.2 < min(noisy.options["slopes"][4:])
    sharp = asyncio.run(tune(WorldTrials(Plan(error_sd=0.3), 300, 1), 3000))
    assert min(sharp.slopes.slopes) > 0.7
    assert "weighting" not in sharp.chosen.options  # evidence judged once waits, and is 14 points behind plain filtering


@pytest.mark.parametrize("seed", range(5))
def test_the_default_stays_where_nothing_is_better(seed: int) -> None:
    found, _ = tuned(lambda one: 0.5, seed=seed)
    assert (found.chosen.options, found.chosen.n_particles) == ({}, N_PARTICLES)
    assert not any("takes it" in finding for finding in found.findings)


def test_a_better_way_is_confirmed_on_problems_that_did_not_choose_it() -> None:
    found, trials = tuned(lambda one: 0.8 if one.options.get("lookahead") == "reuse" and not one.options.get("slopes") else 0.5)
    assert found.chosen.options["lookahead"] == "reuse"
    learning = [problems for names, problems, _ in trials.calls if len(names) > 3]
    confirming = [problems for names, problems, _ in trials.calls if len(names) == 2]
    assert all(problems.stop <= 200 for problems in learning)
    assert [problems.start for problems in confirming] == [200]
    assert trials.searched <= 2000


def test_a_vote_and_a_size_are_taken_only_if_they_show() -> None:
    def accuracy(one: Candidate) -> float:
        return 0.4 + 0.3 * (one.options.get("answer_selection") == "argmax") + 0.25 * (one.n_particles == 16)

    found, _ = tuned(accuracy, 6000)
    assert (found.chosen.options, found.chosen.n_particles) == ({"answer_selection": "argmax"}, 16)
    cheap, _ = tuned(lambda one: 1.0, 6000)
    assert (cheap.chosen.options, cheap.chosen.n_particles) == ({}, 4)


def test_problems_from_which_nothing_can_be_learned_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="nothing to learn"):
        tuned(lambda one: 0.5, solvable=False)
    with pytest.raises(InvalidRequest, match="at least 30 problems with answers, got 29"):
        asyncio.run(tune(Table(29, lambda one: 0.5), 100))


def test_every_candidate_is_a_search_by_epf_and_can_be_a_profile() -> None:
    found = candidates((0.123456, 0.9), 12, 8)
    everyone = [default(8), *found, *(other for one in found for other in (*votes(one), *sizes(one)))]
    assert len({one.name for one in everyone}) == len(everyone)
    for one in everyone:
        resolve_options(METHODS["epf"], SearchOptions(**{**one.options, "n_particles": one.n_particles}))
        Profile("generator", "prm", "made", {**one.options, "n_particles": one.n_particles})
    assert found[3].options["slopes"] == [0.12, 0.9]
    assert candidates((12.0,), 12, 8)[3].options["slopes"] == [10]


def test_evidence_judged_once_is_what_pf_once_does() -> None:
    once = resolve_options(METHODS["pf_once"], SearchOptions(method="pf_once", odds_power=1.0))
    here = resolve_options(METHODS["epf"], SearchOptions(**ONCE, odds_power=1.0))
    ignored = {"method"}
    assert {**once.model_dump(exclude=ignored)} == {**here.model_dump(exclude=ignored)}
