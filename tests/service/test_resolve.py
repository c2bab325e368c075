"""Requests combine the server's defaults with the caller's options, within the server's limits."""

from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.search.options import SearchOptions
from epf.service.searches.resolve import check_length, resolve, worst_case_tokens
from epf.service.settings import SearchDefaults, Settings

MODELS: dict[str, Any] = {"has_reward_model": True, "context_length": 512}


def options(settings: Settings | None = None, **choices: Any) -> SearchOptions:
    return resolve("a", choices, settings or Settings(), **MODELS).options


def refusal(settings: Settings | None = None, n_searches: int = 1, **choices: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        resolve("a", choices, settings or Settings(), **MODELS, n_searches=n_searches)
    return refused.value


def test_defaults_are_the_search_s_with_the_server_s_deadline() -> None:
    request = resolve("a", {}, Settings(), **MODELS)
    assert request.method.name == "epf"
    assert request.options == SearchOptions(
        max_seconds=Settings().max_seconds,
        max_total_tokens=Settings().max_tokens_per_request,
        max_steps=40,
        max_tokens_per_step=256,
        answer_selection="probability_vote",
    )


def test_server_s_defaults_hold_where_the_caller_chose_nothing() -> None:
    settings = Settings(search=SearchDefaults(method="pf", n_particles=3, max_seconds=7.0, temperature=0.5))
    request = resolve("a", {"temperature": 1.0}, settings, **MODELS)
    assert request.method.name == "pf"
    assert (request.options.n_particles, request.options.max_seconds, request.options.temperature) == (3, 7.0, 1.0)


def test_server_s_default_gives_way_to_what_a_method_fixes() -> None:
    settings = Settings(search=SearchDefaults(annealing="cess", n_particles=16))
    assert options(settings, method="pf").annealing == "none"
    assert options(settings, method="sample").n_particles == 1
    assert options(settings).annealing == "cess"


@pytest.mark.parametrize("value", ["ess", "cess"])
def test_choice_that_a_method_fixes_otherwise_is_refused(value: str) -> None:
    error = refusal(method="pf", annealing=value)
    assert error.param == "annealing"
    assert "'none'" in error.message


@pytest.mark.parametrize("default", [{}, {"max_seconds": 7.0}, {"max_seconds": None}])
def test_every_search_has_a_deadline(default: dict[str, Any]) -> None:
    settings = Settings(search=SearchDefaults(**default), max_seconds=60)
    assert options(settings, max_seconds=None).max_seconds == (default.get("max_seconds") or 60)
    assert options(settings).max_seconds == (default.get("max_seconds") or 60)


@pytest.mark.parametrize(("name", "limit"), [("max_steps", 20), ("max_tokens_per_step", 10), ("max_seconds", 60.0)])
def test_limits_of_single_options(name: str, limit: float) -> None:
    settings = Settings(
        max_steps=20, max_tokens_per_step=10, max_seconds=60, search=SearchDefaults(max_steps=1, max_tokens_per_step=1)
    )
    assert getattr(options(settings, **{name: limit}), name) == limit
    error = refusal(settings, 1, **{name: limit + 1})
    assert error.param == name
    assert name in error.message
    assert f"at most {limit}" in error.message


def test_limit_of_particles_counts_all_searches_of_a_request() -> None:
    settings = Settings(max_particles=12)
    assert resolve("a", {"n_particles": 4}, settings, **MODELS, n_searches=3).options.n_particles == 4
    assert options(settings, n_particles=12).n_particles == 12
    assert refusal(settings, n_particles=13).param == "n_particles"
    error = refusal(settings, n_searches=3, n_particles=5)
    assert error.param == "n_particles"
    assert "at most 12 " in error.message
    assert "got 15" in error.message


SIZE = {"n_particles": 2, "max_steps": 3, "max_tokens_per_step": 5}


@pytest.mark.parametrize(
    ("chosen", "worst"),
    [
        ({}, 30),
        ({"max_total_tokens": 29}, 29),
        ({"max_total_tokens": 31}, 30),
        ({"lookahead": "reuse"}, 60),
        ({"lookahead": "redraw"}, 60),
        ({"lookahead": "redraw", "max_total_tokens": 59}, 59),
        ({"max_tokens_per_particle": 7}, 14),
        ({"max_tokens_per_particle": 7, "lookahead": "reuse"}, 28),
        ({"method": "best_of_n", "max_tokens_per_particle": 7}, 14),
        ({"method": "self_consistency", "max_tokens_per_particle": 100}, 30),
        ({"max_steps": None}, 2 * 40 * 5),
        ({"max_tokens_per_step": None}, 2 * 512),
    ],
)
def test_limit_of_tokens_is_what_the_caller_allows_the_particles(chosen: dict[str, Any], worst: int) -> None:
    choices = {**SIZE, **chosen}
    assert worst_case_tokens(SearchOptions(**choices), 512) == worst
    assert options(Settings(max_tokens_per_request=worst), **choices).max_total_tokens == worst
    error = refusal(Settings(max_tokens_per_request=worst - 1), **choices)
    assert error.param == "max_total_tokens"
    assert f"got {worst}" in error.message
    assert f"at most {worst - 1} " in error.message
    assert refusal(Settings(max_tokens_per_request=3 * worst - 1), n_searches=3, **choices).param == "max_total_tokens"


@pytest.mark.parametrize("context_length", [512, 4096, 32_768, 131_072])
def test_a_caller_who_sets_no_length_is_not_refused_for_it(context_length: int) -> None:
    models = {**MODELS, "context_length": context_length}
    whole = resolve("a", {"n_particles": 128}, Settings(), **models).options
    assert whole.max_total_tokens == Settings().max_tokens_per_request
    assert resolve("a", {"n_particles": 16}, Settings(), **models, n_searches=8).options.max_total_tokens == 2**17
    assert worst_case_tokens(SearchOptions(n_particles=128, max_tokens_per_particle=200), context_length) == 128 * 200
    short = {"n_particles": 128, "max_tokens_per_particle": 200}
    assert resolve("a", short, Settings(max_tokens_per_request=128 * 200), **models).options.max_tokens_per_particle == 200


def test_open_maxima_stay_within_the_server_s_limits() -> None:
    settings = Settings(max_steps=30, max_tokens_per_step=100, max_tokens_per_request=1000)
    found = resolve("a", {}, settings, has_reward_model=True, context_length=100_000).options
    assert (found.max_steps, found.max_tokens_per_step, found.max_total_tokens) == (30, 100, 1000)
    assert refusal(Settings(max_tokens_per_request=7)).param == "max_total_tokens"


def test_limit_of_characters() -> None:
    settings = Settings(max_problem_chars=3)
    check_length("abc", settings)
    with pytest.raises(InvalidRequest, match="at most 3 characters, got 4") as refused:
        check_length("abcd", settings, "problems.7.problem")
    assert refused.value.param == "problems.7.problem"
