"""Admission counts exactly, loses no request, and is fair between callers."""

import asyncio
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from epf.core.errors import InvalidRequest, Overloaded, RateLimited, SearchServiceError
from epf.service.searches.admission import FairAdmission, Ticket

MAX_RUNNING, MAX_WAITING, MAX_PER_CALLER, LARGEST = 16, 40, 32, 12


class Client:
    """A request that waits for its grant in a task of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, caller: str, n: int, ticket: Ticket) -> None:
        self.caller = caller
        self.n = n
        self.ticket = ticket
        self.turn = loop.create_task(self._turn())

    async def _turn(self) -> None:
        await self.ticket.granted()

    @property
    def granted(self) -> bool:
        return self.turn.done()


class Server(RuleBasedStateMachine):
    """Callers send, are granted, release and send again, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.admission = FairAdmission(max_running=MAX_RUNNING, max_waiting=MAX_WAITING, max_per_caller=MAX_PER_CALLER)
        self.clients: list[Client] = []
        self.gone: list[Client] = []
        self.given: dict[str, int] = defaultdict(int)
        self.counted: set[Client] = set()
        # Particles granted up to the time since which two callers both wait, or a request is the first of its caller.
        self.both_wait: dict[tuple[str, str], tuple[int, int]] = {}
        self.first: dict[str, tuple[Client, dict[str, int]]] = {}

    def teardown(self) -> None:
        """Release running requests repeatedly: every request is granted, and nothing is left at the end."""
        while self.clients:
            running = [client for client in self.clients if client.granted]
            assert running, "requests are queued, but none runs: a wake-up was lost"
            for client in running:
                self._leave(client)
                self._settle()
        assert (self.admission.n_running, self.admission.n_waiting) == (0, 0)
        assert not self.admission._callers
        self.loop.close()

    def n(self, granted: bool, caller: str | None = None) -> int:
        return sum(c.n for c in self.clients if c.granted == granted and caller in (None, c.caller))

    @rule(caller=st.sampled_from("abcd"), n=st.integers(1, LARGEST))
    def enters(self, caller: str, n: int) -> None:
        running, waiting = self.n(True), self.n(False)
        under_way = self.n(True, caller) + self.n(False, caller)
        try:
            client = Client(self.loop, caller, n, self.admission.enter(caller, n))
        except RateLimited:
            assert under_way + n > MAX_PER_CALLER
        except Overloaded:
            assert under_way + n <= MAX_PER_CALLER
            assert waiting + n > MAX_WAITING
        else:
            self.clients.append(client)
            assert under_way + n <= MAX_PER_CALLER
            self._settle()
            assert client.granted or waiting + n <= MAX_WAITING
            assert not client.granted or running + n <= MAX_RUNNING
            if not waiting:
                assert client.granted == (running + n <= MAX_RUNNING), "nobody is before it"
        self._settle()

    @rule(data=st.data())
    @precondition(lambda self: self.clients)
    def leaves(self, data: st.DataObject) -> None:
        self._leave(data.draw(st.sampled_from(self.clients)))
        self._settle()

    @rule(data=st.data())
    @precondition(lambda self: self.gone)
    def leaves_again(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.gone)).ticket.release()
        self._settle()

    @invariant()
    def counts_are_exact_and_within_limits(self) -> None:
        assert self.admission.n_running == self.n(True) <= MAX_RUNNING
        assert self.admission.n_waiting == self.n(False) <= MAX_WAITING

    @invariant()
    def a_caller_s_requests_are_granted_in_order(self) -> None:
        for caller in "abcd":
            granted = [client.granted for client in self.clients if client.caller == caller]
            assert granted == sorted(granted, reverse=True)

    @invariant()
    def room_is_kept_only_for_one_that_does_not_fit(self) -> None:
        firsts = [client.n for client in self._firsts().values()]
        assert not firsts or max(firsts) > MAX_RUNNING - self.n(True)

    @invariant()
    def callers_that_wait_are_given_alike(self) -> None:
        for (one, other), (before_one, before_other) in self.both_wait.items():
            assert abs(self.given[one] - before_one - self.given[other] + before_other) < 4 * LARGEST

    @invariant()
    def no_request_is_passed_for_ever(self) -> None:
        for caller, (_, before) in self.first.items():
            for other in set("abcd") - {caller}:
                assert self.given[other] - before.get(other, 0) < 4 * LARGEST

    def _firsts(self) -> dict[str, Client]:
        return {client.caller: client for client in reversed(self.clients) if not client.granted}

    def _leave(self, client: Client) -> None:
        self.clients.remove(client)
        self.gone.append(client)
        client.ticket.release()
        client.turn.cancel()

    def _settle(self) -> None:
        """Let granted requests resume, and record the grants."""
        for _ in range(2):
            self.loop.run_until_complete(asyncio.sleep(0))
        for client in self.clients:
            if client.granted and client not in self.counted:
                self.counted.add(client)
                self.given[client.caller] += client.n
        firsts = self._firsts()
        pairs = [(one, other) for one in firsts for other in firsts if one < other]
        self.both_wait = {pair: self.both_wait.get(pair, (self.given[pair[0]], self.given[pair[1]])) for pair in pairs}
        kept = {caller: note for caller, note in self.first.items() if firsts.get(caller) is note[0]}
        self.first = {caller: kept.get(caller, (client, dict(self.given))) for caller, client in firsts.items()}


TestServer = Server.TestCase
TestServer.settings = settings(max_examples=100, stateful_step_count=60, deadline=None, derandomize=True)


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


def admission(**options: Any) -> FairAdmission:
    return FairAdmission(**{"max_running": 100, "max_waiting": 100_000, "max_per_caller": 100_000, **options})


async def granted(ticket: Ticket) -> bool:
    waiting = asyncio.create_task(ticket.granted())
    await asyncio.sleep(0)
    return waiting.done() or not waiting.cancel()


def refusal(error: type[SearchServiceError], room: FairAdmission, caller: str, n: int) -> SearchServiceError:
    before = room.n_running, room.n_waiting
    with pytest.raises(error) as caught:
        room.enter(caller, n)
    assert (room.n_running, room.n_waiting) == before, "a refused request takes no capacity"
    return caught.value


@in_a_loop
async def test_callers_share_by_particles() -> None:
    """An early caller, one with many small requests and one with large requests are granted equal shares."""
    room = admission(max_running=8)
    leaving = [room.enter("other", 8)]
    waiting = [("early", 8, room.enter("early", 8)) for _ in range(4)]
    waiting += [("small", 2, room.enter("small", 2)) for _ in range(16)]
    waiting += [("large", 8, room.enter("large", 8)) for _ in range(4)]
    given = {"early": 0, "small": 0, "large": 0}
    order = ""
    while waiting:
        for ticket in leaving:
            ticket.release()
        now = [row for row in waiting if await granted(row[2])]
        waiting = [row for row in waiting if row not in now]
        leaving = [ticket for *_, ticket in now]
        for caller, n, _ in now:
            given[caller] += n
            order += caller[0]
            assert max(given.values()) - min(given.values()) <= 8
    assert order == "esssslesssslesssslessssl"


@in_a_loop
async def test_a_large_request_is_overtaken_but_not_for_ever() -> None:
    """Small requests of new callers use the capacity that it cannot, until they have been granted as much as it requests."""
    room = admission()
    holding = [room.enter("holder", 10) for _ in range(10)]
    large, larger = room.enter("large", 60), room.enter("larger", 90)
    holding.pop().release()
    n_passed = 0
    while await granted(small := room.enter(f"caller {n_passed}", 10)):
        n_passed += 1
        small.release()
        assert n_passed < 100, "it is passed for ever"
    assert n_passed == 6
    while len(holding) > 4:
        assert not await granted(large)
        holding.pop().release()
    assert await granted(large)
    assert not await granted(larger)
    assert not await granted(small)


@in_a_loop
async def test_a_request_that_does_not_fit_blocks_only_its_own_caller() -> None:
    room = admission()
    room.enter("holder", 50)
    large, own = room.enter("large", 60), room.enter("large", 1)
    assert await granted(room.enter("small", 10))
    assert not await granted(own)
    large.release()
    assert await granted(own)


@in_a_loop
async def test_callers_have_limits_of_their_own_and_share_those_of_the_server() -> None:
    room = admission(max_running=10, max_waiting=10, max_per_caller=12)
    first, second = room.enter("alice", 8), room.enter("alice", 4)
    assert await granted(first)
    assert not await granted(second)
    assert "12" in refusal(RateLimited, room, "alice", 1).message
    room.enter("bob", 6)
    refusal(Overloaded, room, "carol", 3)
    second.release()
    room.enter("alice", 4)
    assert (room.n_running, room.n_waiting) == (8, 10)


@pytest.mark.parametrize("limits", [{"max_running": 10}, {"max_per_caller": 10}])
def test_a_request_that_could_never_run_is_invalid(limits: dict[str, int]) -> None:
    error = refusal(InvalidRequest, admission(**limits), "a", 11)
    assert error.param == "n_particles"
    assert "10" in error.message


@pytest.mark.parametrize(
    ("error", "held_s", "n", "retry_s"),
    [
        (Overloaded, 0.1, 10, 1),  # at least one second
        (Overloaded, 8.0, 10, 8),  # all running requests must end
        (Overloaded, 8.0, 5, 4),  # half of them
        (Overloaded, 8.3, 10, 9),  # rounded up
        (Overloaded, 200.0, 10, 120),  # at most what clients accept as a pause
        (RateLimited, 8.0, 5, 4),
    ],
)
def test_the_retry_time_follows_from_the_duration_of_recent_requests(
    error: type[SearchServiceError], held_s: float, n: int, retry_s: float
) -> None:
    now_s = 0.0
    room = admission(max_running=10, max_waiting=0, max_per_caller=10, clock=lambda: now_s)
    for _ in range(100):
        ticket = room.enter("a", 10)
        now_s += held_s
        ticket.release()
    room.enter("a", 10)
    assert refusal(error, room, "a" if error is RateLimited else "b", n).retry_after_s == retry_s


def test_cost_of_an_operation_in_a_long_queue() -> None:
    """Prints the cost when many callers are queued and the first request of each is examined in vain."""
    room = admission(max_running=8)
    room.enter("holder", 4)
    tickets = [room.enter(f"caller {i}", 8) for _ in range(10) for i in range(100)]
    since_s = time.perf_counter()
    for ticket in tickets:
        ticket.release()
    print(f"{1e6 * (time.perf_counter() - since_s) / len(tickets):.1f} us to leave a queue of 100 callers")
    assert room.n_waiting == 0
