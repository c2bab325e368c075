"""The order of answers: short before long, least served request first, nobody starves."""

from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.search.answers.fair_queue import N_LEVELS, FairQueue, Job, Request, slices_s

SLICES_S = slices_s(1.0)


def job(text: str = "x", request: Request | None = None) -> Job:
    return Job(text, Request() if request is None else request, Future())


def simulate(costs_s: dict[str, list[float]], late: str = "", at_s: float = 0.0) -> dict[str, float]:
    """Read the answers of several requests and return how long each request waits for its last.

    All come at time 0, except the request ``late``. Each level works alone, as on a machine with a core for each.
    """
    queue = FairQueue(SLICES_S)
    waiting = {name: [(job("x", request), cost_s) for cost_s in costs_s[name]] for name, request in requests(costs_s)}
    cost_s = {it: cost for jobs in waiting.values() for it, cost in jobs}
    name_of = {it: name for name, jobs in waiting.items() for it, _ in jobs}
    running: dict[int, tuple[float, Job]] = {}
    done_s: dict[str, float] = {}
    n_left, now_s = len(cost_s), 0.0
    while n_left:
        for name in [name for name in waiting if name != late or now_s >= at_s or not running]:
            for it, _ in waiting.pop(name):
                queue.push(it)
        for level in set(range(N_LEVELS)) - set(running):
            if (taken := queue.pop(level)) is not None:
                running[level] = now_s + min(cost_s[taken], SLICES_S[level]), taken
        level = min(running, key=lambda level: running[level][0])
        now_s, ended = running.pop(level)
        queue.charge(ended, min(cost_s[ended], SLICES_S[level]))
        if cost_s[ended] <= SLICES_S[level] or not queue.demote(ended):
            done_s[name_of[ended]] = now_s
            n_left -= 1
    return done_s | {late: done_s[late] - at_s} if late else done_s


def requests(costs_s: dict[str, list[float]]) -> list[tuple[str, Request]]:
    return [(name, Request()) for name in costs_s]


def test_slices_grow_to_the_limit() -> None:
    assert slices_s(2.56) == pytest.approx((0.01, 0.04, 0.16, 0.64, 2.56))


def test_the_least_served_request_comes_first_and_in_it_the_shortest_text() -> None:
    queue, first, second = FairQueue(SLICES_S), Request(served_s=0.2), Request(served_s=0.1)
    for text, request in (("aa", first), ("a", first), ("bbb", second), ("b", second)):
        queue.push(job(text, request))
    taken = [queue.pop(0) for _ in range(4)]
    assert [it.text for it in taken if it] == ["b", "bbb", "a", "aa"]
    assert queue.pop(0) is None


def test_of_requests_served_alike_the_one_with_the_fewest_answers_comes_first() -> None:
    queue, many, few = FairQueue(SLICES_S), Request(), Request(served_s=0.9 * SLICES_S[0])
    for request in (many, many, many, few, few):
        queue.push(job(request=request))
    order = []
    while (it := queue.pop(0)) is not None:
        queue.charge(it, 1.0)
        order.append("few" if it.request is few else "many")
    assert order == ["few", "many", "few", "many", "many"]


def test_equally_served_requests_come_in_turn() -> None:
    queue, requests = FairQueue(SLICES_S), [Request() for _ in range(3)]
    for request in requests:
        for _ in range(2):
            queue.push(job(request=request))
    order = []
    while (it := queue.pop(0)) is not None:
        queue.charge(it, 1.0)
        order.append(requests.index(it.request))
    assert order == [0, 1, 2, 0, 1, 2]


def test_a_request_with_a_long_answer_leaves_level_0_with_all_its_answers() -> None:
    queue, slow, other = FairQueue(SLICES_S), Request(), job("other")
    long, short = job("long", slow), job("short", slow)
    queue.push(short)
    queue.push(other)
    assert queue.demote(long)
    assert queue.pop(0) is other
    assert {queue.pop(1), queue.pop(1)} == {long, short}
    queue.push(late := job("late", slow))
    assert queue.pop(0) is None
    assert queue.pop(1) is late


def test_many_answers_leave_level_0_to_requests_with_few() -> None:
    queue, many, few = FairQueue(SLICES_S), Request.of(9), Request.of(8)
    queue.push(one_of_many := job(request=many))
    queue.push(one_of_few := job(request=few))
    assert queue.pop(0) is one_of_few
    assert queue.pop(0) is None
    assert queue.pop(1) is one_of_many


def test_an_answer_is_demoted_to_the_last_level_and_no_further() -> None:
    queue, it = FairQueue(SLICES_S), job()
    for level in range(1, N_LEVELS):
        assert queue.demote(it)
        assert queue.pop(level) is it
    assert not queue.demote(it)
    assert queue.drain() == []


def test_new_requests_do_not_starve_one_that_was_served_a_little() -> None:
    queue, old = FairQueue(SLICES_S), job()
    queue.push(old)
    assert queue.demote(old)
    queue.charge(old, SLICES_S[0])
    for _ in range(3):
        attack = Request(first_level=1)
        for _ in range(38):
            queue.push(job(request=attack))
    assert queue.pop(1) is old


def test_dropped_answers_are_skipped_and_draining_takes_the_rest() -> None:
    queue = FairQueue(SLICES_S)
    jobs = [job() for _ in range(4)]
    for it in jobs:
        queue.push(it)
    jobs[0].dropped = True
    assert queue.pop(0) is jobs[1]
    assert set(queue.drain()) == set(jobs[2:])
    assert queue.pop(0) is None


@pytest.mark.parametrize("cost_s", [0.001, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("at_s", [0.0, 5.0, 50.0])
def test_a_stranger_waits_for_answers_that_are_little_longer_than_its_own(cost_s: float, at_s: float) -> None:
    """It waits only for the answer under way, whether the attack begins at the same time or before."""
    hanging = {f"attack {n}": [9.0] * 38 for n in range(4)}
    alone = simulate({"stranger": [cost_s]})["stranger"]
    attacked = simulate({**hanging, "stranger": [cost_s]}, "stranger", at_s)["stranger"]
    passed = [slice_s for slice_s, before_s in zip(SLICES_S, (0.0, *SLICES_S), strict=False) if cost_s > before_s]
    assert attacked - alone <= sum(passed) + SLICES_S[0]


costs = st.lists(st.sampled_from([0.0001, 0.003, 0.05, 0.4, 2.0]), min_size=1, max_size=6)


@given(st.dictionaries(st.sampled_from("abcd"), costs, min_size=1))
def test_every_answer_is_read(costs_s: dict[str, list[float]]) -> None:
    done_s = simulate(costs_s)
    assert set(done_s) == set(costs_s)
    assert max(done_s.values()) <= sum(sum(SLICES_S) for costs in costs_s.values() for _ in costs)
