import asyncio
import threading

import pytest

import epf.search as search
from epf.core.errors import InvalidRequest
from epf.search import Answered, Event, SearchOptions, SearchResult, asolve, solve, stream
from tests.search.scripted import Generator, Models, RewardModel, drive, solution


def models() -> Models:
    return {"generator": Generator(solution(3, n_answers=1)), "reward_model": RewardModel()}


def test_solve_without_an_event_loop() -> None:
    assert solve("problem", n_particles=3, **models()).answer == "0"


def test_solve_inside_a_running_event_loop() -> None:
    async def cell() -> SearchResult:
        return solve("problem", n_particles=3, **models())

    assert drive(cell()).answer == "0"


def test_asolve_and_stream_agree() -> None:
    async def both() -> tuple[SearchResult, Event]:
        result = await asolve("problem", seed=3, **models())
        events = [event async for event in stream("problem", seed=3, **models())]
        return result, events[-1]

    result, last = drive(both())
    assert isinstance(last, Answered)
    assert last.result.particles == result.particles


def test_options_by_name_win_over_an_options_object() -> None:
    result = solve("problem", options=SearchOptions(n_particles=2, seed=4), n_particles=5, **models())
    assert (len(result.particles), result.seed) == (5, 4)


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match=r"'particles' is not an option of a search.*n_particles") as refused:
        solve("problem", particles=5, **models())
    assert refused.value.param == "particles"


def test_many_searches_at_once() -> None:
    shared = models()

    async def many() -> list[SearchResult]:
        return await asyncio.gather(*(asolve("problem", seed=s, n_particles=4, **shared) for s in range(10)))

    assert {result.answer for result in drive(many())} == {"0"}


def test_public_names() -> None:
    assert len(set(search.__all__)) == len(search.__all__)
    assert all(hasattr(search, name) for name in search.__all__)


def test_stopping_at_the_answer_leaves_no_engine_running() -> None:
    before = set(threading.enumerate())  # other tests of this process may keep an engine open

    async def first_answer() -> str | None:
        async for event in stream(
            "Tom has 3 pens. He buys 4 more. How many pens does he have?", generator="stories", n_particles=2, seed=1
        ):
            if isinstance(event, Answered):
                new = set(threading.enumerate()) - before
                assert not [thread.name for thread in new if "stories" in thread.name]
                return event.result.answer
        return None

    assert asyncio.run(first_answer()) is not None
