"""Servers that hang in different ways, on real sockets: their calls move on, they are ejected, and they come back."""

import asyncio
import dataclasses
import json
from collections.abc import Callable

import pytest

from epf.core.deadlines import working_until
from epf.core.errors import GeneratorError
from epf.engines.http.replicas import Upstream
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.engines.http.test_replicas import GOOD, PART, ask, of, run
from tests.service.serving import until

HANGING = {
    "before the head": Answer(stall=True),
    "within the head": Answer(slow_head=True),
    "after the head": Answer(b"", drip=b""),
    "within the stream": Answer(PART, drip=b""),
    "after comments": Answer(b"", drip=b": still here\n\n"),
}
WELL = Answer({})
SILENT = Answer(stall=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed, and ejected servers are looked at again, after a moment."""
    monkeypatch.setattr("epf.engines.http.health.QUIET_S", 0.05)
    monkeypatch.setattr("epf.engines.http.health.EJECTION_S", 0.02)
    monkeypatch.setattr("epf.engines.http.health.LOADING_POLL_S", 0.01)
    monkeypatch.setattr("epf.engines.http.silence.STALL_S", 0.5)
    monkeypatch.setattr("epf.engines.http.connections.PROBE_TIMEOUT_S", 1.0)
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)
    monkeypatch.setattr("epf.engines.http.attempts.MIN_SHARE_S", 0.3)


def only(calls: Answer, health: Answer = WELL) -> Callable[[Request], Answer]:
    """A server that responds to health checks and to calls in different ways."""
    return lambda request: health if request.path == "/health" else calls


def paths(server: Upstreams) -> list[str]:
    return [request.path for request in server.requests]


@pytest.mark.slow
@pytest.mark.parametrize("hanging", sorted(HANGING))
def test_a_server_that_hangs_although_its_health_is_well_is_left_and_comes_back(
    hanging: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        assert await ask(replicas, home) == [1, 2]
        servers[0].answer = only(HANGING[hanging])
        assert await asyncio.gather(*(ask(replicas, home) for _ in range(8))) == [[1, 2]] * 8
        assert (replicas._replicas[0].ejected, replicas._replicas[1].ejected) == (True, False)
        before = paths(servers[1]).count("/stream")
        assert await ask(replicas, home) == [1, 2]
        assert paths(servers[1]).count("/stream") == before + 1
        # Its health is well and does not bring it back; a request that it can answer does.
        await until(lambda: paths(servers[0]).count("/stream") > 1 + 8)
        assert replicas._replicas[0].ejected
        servers[0].answer = only(GOOD)
        await until(lambda: not replicas._replicas[0].ejected)
        before = len(servers[0].requests)
        assert await ask(replicas, home) == [1, 2]
        assert paths(servers[0])[before:] == ["/stream"]
        longest_s = replicas._health.pace.longest_s(asyncio.get_running_loop().time())
        assert longest_s is not None
        assert longest_s < 0.5, "a silence that ended in an ejection is not what is usual"

    run([only(GOOD), only(GOOD)], test, timeout_s=60)
    ejected, back = caplog.messages
    assert ejected.startswith("replica 0 is ejected: the server of the generator at http://127.0.0.1:")
    assert "it responds to health checks, but responded to no call for" in ejected
    assert back == "replica 0 of the generator is reachable again"


@pytest.mark.slow
def test_a_server_that_goes_on_with_other_calls_is_not_ejected() -> None:
    """One call of it may take long."""

    def answer(request: Request) -> Answer:
        return Answer(PART, drip=b"") if (request.body or {}).get("slow") else GOOD

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        slow = asyncio.ensure_future(replicas.post("/slow", {"slow": True}))
        await until(lambda: len(servers[0].requests) == 1)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + 1.5
        while loop.time() < end_s:
            assert await ask(replicas) == [1, 2]
        assert not replicas._replicas[0].ejected
        slow.cancel()
        await asyncio.wait([slow])

    run([answer], test, timeout_s=60)


def test_calls_that_were_cancelled_are_evidence() -> None:
    """No call waits for long enough by itself."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        assert await ask(replicas) == [1, 2]
        servers[0].answer = only(Answer(stall=True))
        n_calls = 0
        while not replicas._replicas[0].ejected:
            n_calls += 1
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ask(replicas)
        assert n_calls > 1
        with pytest.raises(GeneratorError, match="does not respond to requests") as caught:
            await replicas.ready("/health")
        assert caught.value.unready == "does not respond to requests"

    run([only(GOOD)], test, timeout_s=60)


@pytest.mark.slow
def test_half_of_the_time_is_left_for_another_server() -> None:
    """Nothing is known of how long calls take, so that only the deadline says how long to wait."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        loop = asyncio.get_running_loop()
        with working_until(loop.time() + 4) as deadline:
            assert await ask(replicas, of(0)[0]) == [1, 2]
        assert deadline is not None
        assert deadline.remaining_s > 0
        assert [paths(server).count("/stream") for server in servers] == [1, 1]

    run([only(Answer(stall=True)), only(GOOD)], test, timeout_s=60)


@pytest.mark.slow
def test_a_call_of_the_only_server_fails_before_the_deadline_and_says_why() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        loop = asyncio.get_running_loop()
        with working_until(loop.time() + 3) as deadline, pytest.raises(GeneratorError) as caught:
            await ask(replicas)
        assert deadline is not None
        assert deadline.remaining_s > 0
        assert f"The server of the generator at {servers[0].url} failed after 1 attempt: it responded to no call" in str(
            caught.value
        )
        assert "nor to a health check" in str(caught.value)
        assert caught.value.retryable
        with pytest.raises(GeneratorError, match="does not respond to health checks"):
            await replicas.ready("/health")

    run([lambda _: Answer(stall=True)], test, timeout_s=60)


@pytest.mark.slow
def test_the_only_server_is_not_asked_again_after_its_timeout_if_it_hangs() -> None:
    """A command has no deadline, and should not wait four times."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        with pytest.raises(GeneratorError, match=r"after 1 attempt: no response within 1\.5 seconds, nor to a health check"):
            await ask(replicas)
        assert paths(servers[0]).count("/stream") == 1

    run([lambda _: Answer(stall=True)], test, timeout_s=1.5)


def test_a_model_is_waited_for_before_the_first_question(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("epf.engines.http.replicas.LOADING_POLL_S", 0.01)

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        loaded = asyncio.ensure_future(replicas.loaded())
        await until(lambda: len(servers[0].requests) >= 3)
        assert not loaded.done()
        servers[0].answer = lambda _: WELL
        await loaded

    run([lambda _: LOADING], test)
    (message,) = caplog.messages
    assert "failed: status 503: Loading model: waiting up to 300 seconds for its model" in message


@pytest.mark.parametrize("health", [WELL, Answer({}, 404), Answer(b"", 503), Answer(b"<html></html>"), Answer(reset=True)])
def test_no_server_is_waited_for_that_does_not_say_that_it_loads_its_model(health: Answer) -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        await replicas.loaded()

    run([lambda _: health], test)


@pytest.mark.slow
def test_all_servers_hang() -> None:
    """The last one is named, and the call does not wander between them."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        loop = asyncio.get_running_loop()
        (home,) = of(0)
        with working_until(loop.time() + 4) as deadline, pytest.raises(GeneratorError) as caught:
            await ask(replicas, home)
        assert deadline is not None
        assert deadline.remaining_s > 0
        assert f"at {servers[1].url} failed after 2 attempts" in str(caught.value)
        assert [paths(server).count("/stream") for server in servers] == [1, 1]
        with pytest.raises(GeneratorError, match=f"{servers[0].url} does not .* {servers[1].url} does not"):
            await replicas.ready("/health")

    run([lambda _: Answer(stall=True)] * 2, test, timeout_s=60)


def test_a_call_that_the_deadline_ends_leaves_word_of_what_it_waited_for() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + 1
        with working_until(end_s) as deadline, pytest.raises(TimeoutError):
            async with asyncio.timeout_at(end_s):
                await ask(replicas)
        assert deadline is not None
        assert f"the server of the generator at {servers[0].url}: it responds to health checks, but" in deadline.waited_for

    run([only(Answer(stall=True))], test, timeout_s=60)


@pytest.mark.parametrize("failing", [Answer(b"", 503), Answer({"error": "no"}, 500)])
def test_a_server_that_fails_one_call_after_the_other_is_ejected(failing: Answer) -> None:
    """Its calls would use up the budget of retries, and then fail although another server is well."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        assert await ask(replicas, home) == [1, 2]
        servers[0].answer = only(failing)
        for _ in range(100):
            assert await ask(replicas, home) == [1, 2]
        assert replicas._replicas[0].n_ejections == 1
        assert replicas._attempts._retries > 50
        assert "fails requests" in await replicas._unready(replicas._replicas[0], ["/health"], unknown=False)
        assert paths(servers[1]).count("/stream") == 100
        servers[0].answer = only(GOOD)
        await until(lambda: not replicas._replicas[0].ejected)

    run([only(GOOD), only(GOOD)], test)


def test_too_many_requests_are_no_reason_to_eject_a_server() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        for _ in range(5):
            assert await ask(replicas, of(0)[0]) == [1, 2]
        assert replicas._replicas[0].n_ejections == 0

    run([only(Answer(b"", 429)), only(GOOD)], test)


@pytest.mark.slow
def test_a_server_that_responds_to_a_call_during_a_health_check_is_well() -> None:
    """One that does one thing at a time responds to its calls first."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (server,), (replica,) = servers, replicas._replicas
        answered = asyncio.Event()
        server.answer = only(dataclasses.replace(GOOD, after=answered), SILENT)
        slow = asyncio.ensure_future(ask(replicas, "a"))
        await until(lambda: "/health" in paths(server))
        server.answer = only(GOOD, SILENT)
        assert await ask(replicas, "b") == [1, 2]
        assert await replicas._health.check(replica), "the check that runs already"
        assert replica.n_ejections == 0
        answered.set()
        assert await slow == [1, 2]

    run([only(GOOD)], test)


@pytest.mark.slow
def test_a_slow_server_that_is_well_is_ejected_once_at_most() -> None:
    """A judge of which nothing is known yet may take longer than a server is believed. Then that is known."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (replica,) = replicas._replicas
        before_s = replicas._health.stall_s()
        answered = asyncio.Event()
        servers[0].answer = only(dataclasses.replace(GOOD, after=answered))
        call = asyncio.ensure_future(ask(replicas, "a"))
        await until(lambda: replica.ejected)
        answered.set()
        assert await call == [1, 2]
        assert not replica.ejected
        assert replicas._health.stall_s() > before_s

    run([only(GOOD)], test, timeout_s=4)


@pytest.mark.parametrize(
    "refusal", [Answer(b"", 429), Answer(b"", 503, {"retry-after": "0.001"}), Answer(b"", 429, {"retry-after": "nan"})]
)
def test_the_only_server_is_asked_again_until_it_has_room(refusal: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """More often than other failures are forgiven, and at no cost to the budget for those."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        full = servers[0].answer
        servers[0].answer = lambda request: full(request) if len(servers[0].requests) <= 20 else GOOD
        with working_until(asyncio.get_running_loop().time() + 30):
            assert await ask(replicas, "a") == [1, 2]
        assert len(servers[0].requests) == 21
        assert replicas._attempts._retries > 60
        assert len(caplog.messages) == 1

    run([only(refusal)], test)


@pytest.mark.parametrize(("retry_after", "n_requests"), [("0.2", range(2, 20)), ("100", range(1, 2)), ("inf", range(1, 2))])
def test_a_server_without_room_until_the_deadline_fails_the_call_before(retry_after: str, n_requests: range) -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        with working_until(asyncio.get_running_loop().time() + 1), pytest.raises(GeneratorError, match="status 429"):
            await ask(replicas, "a")
        assert len(servers[0].requests) in n_requests

    run([only(Answer(b"", 429, {"retry-after": retry_after}))], test)


def test_a_server_whose_health_is_well_but_breaks_off_each_call_comes_back_for_a_call_only() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        assert await ask(replicas, home) == [1, 2]
        servers[0].answer = only(Answer(reset=True))
        assert await ask(replicas, home) == [1, 2]
        await until(lambda: not replicas._replicas[0].ejected)  # its health is well
        assert await ask(replicas, home) == [1, 2]
        await until(lambda: paths(servers[0]).count("/stream") >= 6)
        assert replicas._replicas[0].ejected
        assert replicas._replicas[0].n_ejections == 2
        servers[0].answer = only(GOOD)
        await until(lambda: not replicas._replicas[0].ejected)

    run([only(GOOD), only(GOOD)], test)


LOADING = Answer({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)


def test_a_server_that_loads_its_model_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        calls = [asyncio.ensure_future(ask(replicas)) for _ in range(8)]
        await until(lambda: paths(servers[0]).count("/health") >= 3)
        assert paths(servers[0]).count("/stream") == 8  # they do not ask again and again
        servers[0].answer = lambda _: GOOD
        assert await asyncio.gather(*calls) == [[1, 2]] * 8
        assert replicas._attempts._retries == 64

    run([lambda _: LOADING], test)
    assert caplog.messages == ["replica 0 of the generator is loading its model: its calls wait"]


def test_a_server_that_loads_its_model_for_too_long() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        loop = asyncio.get_running_loop()
        with working_until(loop.time() + 0.5), pytest.raises(GeneratorError, match="status 503: Loading model") as caught:
            await ask(replicas)
        assert servers[0].url in str(caught.value)

    run([lambda _: LOADING], test)


def test_another_server_is_asked_while_one_loads_its_model() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        assert await ask(replicas, of(0)[0]) == [1, 2]
        assert [paths(server).count("/stream") for server in servers] == [1, 1]

    run([lambda _: LOADING, only(GOOD)], test)


@pytest.mark.slow
def test_cancelled_calls_of_a_server_that_hangs_leave_no_task_behind() -> None:
    async def main() -> None:
        async with upstream(lambda _: Answer(stall=True)) as one, upstream(lambda _: Answer(stall=True)) as two:
            replicas = Upstream([one.url, two.url], GeneratorError, "the generator")
            before = asyncio.all_tasks()
            calls = [asyncio.ensure_future(ask(replicas)) for _ in range(20)]
            await until(lambda: any(replica.ejected for replica in replicas._replicas))
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            await replicas.aclose()
            serving = {task for task in asyncio.all_tasks() if "serve" in repr(task.get_coro())}
            assert asyncio.all_tasks() - before - serving == set()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_question_goes_to_the_next_server_if_one_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.replicas.OPTIONAL_TIMEOUT_S", 0.3)

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        assert await replicas.ask("/v1/models") == {"data": []}

    run([lambda _: Answer(stall=True), lambda _: Answer({"data": []})], test)


def test_an_error_about_a_response_names_the_server_that_sent_it() -> None:
    async def refuse(events: object) -> None:
        raise GeneratorError("The generator's server sent nonsense.")

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        with pytest.raises(GeneratorError) as caught:
            await replicas.stream("/stream", {}, refuse, affinity=of(1)[0], deadline_s=20)
        assert str(caught.value) == f"The server of the generator at {servers[1].url} sent nonsense."
        assert caught.value.message == str(caught.value)

    run([lambda _: GOOD, lambda _: GOOD], test)


def test_an_error_about_a_score_names_the_server_that_sent_it() -> None:
    def refuse(_: object) -> None:
        raise GeneratorError("The server of the generator sent nonsense.")

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        with pytest.raises(GeneratorError) as caught:
            await replicas.read("/score", {}, refuse, affinity=of(1)[0])
        assert str(caught.value) == f"The server of the generator at {servers[1].url} sent nonsense."

    run([lambda _: WELL, lambda _: WELL], test)


def test_a_server_that_never_answered_anything_comes_back_with_its_health() -> None:
    """No request is known with which it could be tried, and nobody sends one to a service that is not ready."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        for _ in range(3):
            with pytest.raises(GeneratorError, match="status 500"):
                await ask(replicas)
        assert replicas._replicas[0].n_ejections == 1
        await until(lambda: not replicas._replicas[0].ejected)
        await replicas.ready("/health")

    run([only(Answer({"error": "no"}, 500))], test)


def test_the_request_that_tries_a_server_repeats_one_that_was_answered() -> None:
    """A request that hangs any server would keep it out for good."""
    bodies: list[object] = []

    def answer(request: Request) -> Answer:
        if request.path == "/health":
            return WELL
        bodies.append(request.body)
        return Answer(stall=True) if "poison" in json.dumps(request.body) else Answer({"ok": True})

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        await replicas.post("/score", {"problem": "good"})
        poisoned = asyncio.ensure_future(replicas.post("/score", {"problem": "poison"}))
        await until(lambda: replicas._replicas[0].ejected)
        poisoned.cancel()
        await asyncio.wait([poisoned])
        await until(lambda: not replicas._replicas[0].ejected)
        assert bodies == [{"problem": "good"}, {"problem": "poison"}, {"problem": "good"}]

    run([answer], test)
