import math

import pytest

from epf.core.errors import InvalidRequest
from epf.search import SearchConfig, asolve, stream
from epf.search.validation import MAX_PARTICLES, MAX_STEPS, MAX_TOKENS_PER_STEP
from tests.search.scripted import Generator, RewardModel, drive, solution

BAD = [
    *(("n_particles", value) for value in (0, -1, MAX_PARTICLES + 1, 1.5, True, "8", None)),
    *(("max_steps", value) for value in (0, MAX_STEPS + 1, None)),
    *(("max_tokens_per_step", value) for value in (0, MAX_TOKENS_PER_STEP + 1)),
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
    *(("horizon", value) for value in (0, 2.0)),
    *(("beam_width", value) for value in (0, MAX_PARTICLES + 1, 2.0, None)),
    *((name, value) for name in ("resample_finished", "entropy_zscore") for value in (1, None)),
    *(("iterations", value) for value in (0, MAX_PARTICLES + 1, 1.5, True)),
    *(("seed", value) for value in (-1, 2**63, 1.0, "1")),
    *(("max_tokens_per_particle", value) for value in (0, 1.5)),
    *(("stop", value) for value in ("END", ["END"], ("",), ("x",) * 5, ("x" * 257,), (7,))),
    *(("straggler_quantile", value) for value in (0, 1.01, "0.5")),
    *(("max_seconds", value) for value in (0, -1, math.nan, math.inf)),
    *(("max_total_tokens", value) for value in (0, 7, 1.5)),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_option_is_refused_by_name(name, value):
    with pytest.raises(InvalidRequest) as caught:
        SearchConfig(**{name: value})
    assert caught.value.param == name
    assert caught.value.message.startswith(f"{name} must be")
    assert repr(value) in caught.value.message


@pytest.mark.parametrize(
    "options",
    [
        {"n_particles": MAX_PARTICLES, "max_steps": MAX_STEPS, "horizon": 1},
        {"temperature": 0, "top_p": 1, "ess_threshold": 0, "early_phase": 1, "lookahead_weight": 1},
        {"seed": 0, "max_seconds": 0.001, "max_total_tokens": 8},
        {"seed": 2**63 - 1, "separator": "x" * 16},
        {"separator": "", "stop": ("x" * 256,) * 4},
    ],
)
def test_the_edges_are_allowed(options):
    SearchConfig(**options)


@pytest.mark.parametrize("problem", ["", "  \n", None])
def test_an_empty_problem_is_refused_before_any_token(problem):
    generator = Generator(solution(2))
    with pytest.raises(InvalidRequest) as caught:
        drive(asolve(problem, generator=generator, reward_model=RewardModel()))
    assert caught.value.param == "problem"
    assert generator.calls == []


def test_an_unknown_method_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        drive(asolve("problem", method="magic", generator=Generator(solution(2)), reward_model=RewardModel()))
    assert caught.value.param == "method"
    assert "epf" in caught.value.message


def test_a_stream_refuses_too():
    with pytest.raises(InvalidRequest):
        drive(anext(stream("", generator=Generator(solution(2)), reward_model=RewardModel())))
