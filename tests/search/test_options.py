import math
from typing import Any, get_args

import pytest

from epf.core.errors import InvalidRequest
from epf.search import METHODS, SearchOptions, asolve, solve, stream
from epf.search.methods.method import COMMON, Method
from epf.search.options import MAX_PARTICLES, MAX_STEPS, MethodName, bounded
from epf.search.runner import resolve_options, resolve_request
from tests.search.scripted import Generator, RewardModel, drive, solution, step

BAD = [
    *(("n_particles", value) for value in (0, -1, MAX_PARTICLES + 1, 1.5, True, "8", None)),
    *(("max_steps", value) for value in (0, MAX_STEPS + 1, 1.5)),
    *(("max_tokens_per_step", value) for value in (0, 8193)),
    *(("temperature", value) for value in (-0.1, 2.1, math.nan, math.inf, "hot", True)),
    *(("top_p", value) for value in (0, -1, 1.1, math.nan)),
    *(("separator", value) for value in ("x" * 17, None, 3)),
    *(
        (name, "no such thing")
        for name in ("annealing", "lookahead", "resampling", "weighting", "answer_selection", "aggregation")
    ),
    *(("annealing", value) for value in (None, ["ess"])),
    *(
        (name, value)
        for name in ("ess_threshold", "early_phase", "lookahead_weight", "pool_fraction", "certainty")
        for value in (-0.01, 1.01, math.nan, None)
    ),
    *(("odds_power", value) for value in (-0.01, 10.01, math.nan, None)),
    *(("slopes", value) for value in (1.0, (-0.01,), (10.01,), (1.0, math.nan), ("1",), (1.0,) * (MAX_STEPS + 1))),
    *(("waves", value) for value in (0, MAX_PARTICLES + 1, 1.5, None)),
    *(("horizon", value) for value in (0, 2.0)),
    *(("beam_width", value) for value in (0, MAX_PARTICLES + 1, 2.0, None)),
    *((name, value) for name in ("resample_finished", "entropy_zscore") for value in (1, None)),
    *(("iterations", value) for value in (0, MAX_PARTICLES + 1, 1.5, True)),
    *(("seed", value) for value in (-2, 2**63, 1.0, "1")),
    *(("max_tokens_per_particle", value) for value in (0, 1.5)),
    *(("stop", value) for value in ("END", ("",), ("x",) * 5, ("x" * 257,), (7,))),
    *(("straggler_quantile", value) for value in (0, 1.01, "0.5")),
    *(("max_seconds", value) for value in (0, -1, math.nan, math.inf)),
    *(("max_total_tokens", value) for value in (0, 1.5)),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_an_invalid_option_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        SearchOptions(**{name: value})
    assert caught.value.param == name
    assert caught.value.message.startswith(f"{name} must be")
    assert repr(value)[:200] in caught.value.message


@pytest.mark.parametrize(
    "options",
    [
        {"n_particles": MAX_PARTICLES, "max_steps": MAX_STEPS, "horizon": 1},
        {"temperature": 0, "top_p": 1, "ess_threshold": 0, "early_phase": 1, "lookahead_weight": 1},
        {"seed": -1},
        {"seed": 0, "max_seconds": 0.001, "max_total_tokens": 8},
        {"seed": 2**63 - 1, "separator": "x" * 16},
        {"separator": "", "stop": ("x" * 256,) * 4},
        {"slopes": [0.0, 10.0]},
        {"slopes": (1,) * MAX_STEPS},
    ],
)
def test_the_limits_themselves_are_allowed(options: dict[str, Any]) -> None:
    SearchOptions(**options)


def test_every_particle_needs_a_token() -> None:
    with pytest.raises(InvalidRequest, match="at least n_particles \\(8\\)") as caught:
        resolve_request("problem", SearchOptions(max_total_tokens=7))
    assert caught.value.param == "max_total_tokens"
    assert resolve_request("problem", SearchOptions(method="sample", max_total_tokens=1)).options.n_particles == 1


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_a_method_reads_or_fixes_options_that_exist(method: Method) -> None:
    options = set(SearchOptions.model_fields)
    assert options >= method.own | COMMON | set(method.fixed)
    assert METHODS[method.name] is method
    SearchOptions(**method.fixed)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_its_own_values_whatever_the_defaults(method: MethodName) -> None:
    asked = SearchOptions(method=method)
    resolved = resolve_options(METHODS[method], asked)
    assert resolved.answer_selection is not None
    changed = set(METHODS[method].fixed) | {"answer_selection"}
    assert resolved.model_dump(exclude=changed) == asked.model_dump(exclude=changed)
    assert resolve_options(METHODS[method], resolved) == resolved


def test_the_methods_are_those_that_can_be_named() -> None:
    assert tuple(METHODS) == get_args(MethodName)


def test_options_that_were_given_are_known() -> None:
    assert SearchOptions(seed=3, n_particles=8).chosen() == {"n_particles": 8, "seed": 3}


@pytest.mark.parametrize("problem", ["", "  \n", None])
def test_an_empty_problem_is_refused_before_any_token(problem: Any) -> None:
    generator = Generator(solution(2))
    with pytest.raises(InvalidRequest) as caught:
        drive(asolve(problem, generator=generator, reward_model=RewardModel()))
    assert caught.value.param == "problem"
    assert generator.calls == []


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        drive(asolve("problem", method="magic", generator=Generator(solution(2)), reward_model=RewardModel()))
    assert caught.value.param == "method"
    assert "epf" in caught.value.message


def test_a_stream_refuses_too() -> None:
    with pytest.raises(InvalidRequest):
        drive(anext(stream("", generator=Generator(solution(2)), reward_model=RewardModel())))


@pytest.mark.parametrize(
    ("context_length", "maxima"),
    [(128, (40, 256)), (1024, (40, 256)), (2048, (64, 512)), (4096, (128, 1024)), (131_072, (200, 1024))],
)
def test_open_maxima_fit_the_context(context_length: int, maxima: tuple[int, int]) -> None:
    found = bounded(SearchOptions(n_particles=3), context_length)
    assert (found.max_steps, found.max_tokens_per_step) == maxima
    assert found.chosen() == {"n_particles": 3}
    chosen = bounded(SearchOptions(max_steps=1, max_tokens_per_step=8192), context_length)
    assert (chosen.max_steps, chosen.max_tokens_per_step) == (1, 8192)


def test_a_search_takes_the_maxima_that_fit_its_generator() -> None:
    generator = Generator(lambda call: step(f"s{call.depth}"))
    generator.context_length = 2048
    result = solve("problem", method="self_consistency", n_particles=1, generator=generator)
    assert (result.stop_reason, len(result.particles[0].steps)) == ("max_steps", 64)
    assert {call.sampling.max_tokens for call in generator.calls} == {512}
