"""A profile learned through real searches, and used by one."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from epf.core.errors import GeneratorError
from epf.evaluation.profile.learn import PILOT, affordable, learn
from epf.evaluation.profile.searches import SAMPLES, Searches
from epf.evaluation.profile.trials import Candidate
from epf.evaluation.worker import Worker
from epf.search.profile.profile import Profile
from epf.service.searches.models import with_checker
from tests.evaluation.profile.pair import Misreader, Ways, problems
from tests.fakes import ScriptedGenerator, ScriptedRewardModel

MODELS = (Ways.name, Misreader.name)


def learned(n_problems: int, n_searches: int) -> tuple[Profile, Searches, list[str]]:
    async def work() -> tuple[Profile, Searches, list[str]]:
        notes: list[str] = []
        async with with_checker(Ways(), Misreader()) as models:
            searches = Searches(problems(n_problems), Worker(models), concurrency=8, shared={"max_steps": 6})
            profile = await learn(searches, MODELS, n_searches, "ways", notes.append)
        return profile, searches, notes

    return asyncio.run(work())


@pytest.mark.slow
def test_the_ways_are_misread_early_so_early_scores_are_muted() -> None:
    profile, searches, notes = learned(120, 900)
    assert profile.models == MODELS
    assert max(profile.options["slopes"][:3]) < 0.5 < profile.options["slopes"][3]
    assert list(profile.findings) == notes
    assert any("the profile takes it" in note for note in notes)
    assert profile.confidence is not None
    assert (profile.confidence.generator, profile.confidence.reward_model) == MODELS
    assert {row.budget for row in searches.rows.values() if row.method == SAMPLES} == {16}
    assert "120 problems" in profile.recipe


def test_few_searches_confirm_nothing_and_the_defaults_stay() -> None:
    profile, _, notes = learned(30, 30)
    assert (profile.options, profile.confidence) == ({}, None)
    assert notes[-2] == "There are too few searches to compare numbers of particles: N = 8."
    assert notes[-1].startswith("There is no confidence map. Only ")


def searched(generator: Any, reward_model: Any, n_seeds: int = 1) -> tuple[Mapping[str, Any], Searches]:
    async def work() -> tuple[Mapping[str, Any], Searches]:
        async with with_checker(generator, reward_model) as models:
            searches = Searches(problems(4), Worker(models), concurrency=4, shared={})
            candidates = (Candidate("a", 2), Candidate("b", 4, {"odds_power": 1.0}))
            await searches.search(candidates, range(2), 1)
            return await searches.search(candidates, range(1, 4), n_seeds), searches

    return asyncio.run(work())


def test_candidates_have_the_same_problems_and_seeds_and_no_search_is_repeated() -> None:
    found, searches = searched(ScriptedGenerator(), ScriptedRewardModel(), n_seeds=2)
    assert {name: values.shape for name, values in found.items()} == {"a": (3,), "b": (3,)}
    assert len(searches.rows) == 2 * (2 + 2 * 3 - 1)
    seeds = {(row.problem, row.seed): row.search_seed for row in searches.rows.values()}
    assert all(row.search_seed == seeds[row.problem, row.seed] for row in searches.rows.values())


def test_without_a_result_the_error_is_reported() -> None:
    with pytest.raises(GeneratorError, match=r"On no problem have all searches ended. The last error: the engine is down"):
        searched(ScriptedGenerator(error=GeneratorError("the engine is down")), ScriptedRewardModel())


def test_what_time_affords_is_measured_on_few_problems_and_is_at_least_one_search() -> None:
    async def work() -> tuple[int, int]:
        async with with_checker(ScriptedGenerator(), ScriptedRewardModel()) as models:
            searches = Searches(problems(40), Worker(models), concurrency=4, shared={})
            return await affordable(searches, 1e-9), len(searches.rows)

    assert asyncio.run(work()) == (1, PILOT)
