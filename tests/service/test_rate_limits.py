"""Requests and tokens per minute: what counts, what the headers say, and what a real client makes of it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from epf.core.errors import RateLimited
from epf.service.access.bucket import Bucket, duration
from epf.service.access.limits import Limits, OwnLimits
from epf.service.access.rate_limits import MAX_BUCKETS, RateLimits
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import Writer
from tests.service.serving import client_of, events_of, posted, served, until

KEY, OTHER = "a-key-of-the-tests", "another-key-of-the-tests"
KEYS = {"tests": SecretStr(KEY), "others": SecretStr(OTHER)}
PROBLEM = {"problem": "2 + 2?", "method": "sample"}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def limiting(clock: Clock, own: Callable[[str], OwnLimits] = lambda _: OwnLimits(), **limits: int) -> RateLimits:
    return RateLimits(Limits(**limits), own, clock=clock)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0s"),
        (0.0001, "1ms"),
        (0.012, "12ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (1.5, "1.5s"),
        (7.66, "7.66s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (90.25, "1m30.25s"),
        (3600, "1h0m0s"),
        (3725.5, "1h2m5.5s"),
    ],
)
def test_durations_are_written_as_the_openai_api_does(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_requests_are_limited_and_come_back_one_by_one() -> None:
    clock = Clock()
    limits = limiting(clock, requests=60)
    for n in range(60, 0, -1):
        assert limits.headers("a")["x-ratelimit-remaining-requests"] == str(n)
        limits.admit("a")
    for _ in range(2):  # a refused request costs nothing
        with pytest.raises(RateLimited, match="60 requests per minute") as refused:
            limits.admit("a")
        assert refused.value.retry_after_s == pytest.approx(1)
    limits.admit("b")
    assert limits.headers("a") == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
    }
    clock.now_s += 1
    limits.admit("a")
    with pytest.raises(RateLimited):
        limits.admit("a")
    clock.now_s += 10_000
    assert limits.headers("a")["x-ratelimit-remaining-requests"] == "60"


def test_a_debt_of_tokens_is_paid_back_before_the_next_request() -> None:
    clock = Clock()
    limits = limiting(clock, tokens=600)
    limits.admit("a")
    limits.charge("a", 1500)
    with pytest.raises(RateLimited, match="600 tokens per minute") as refused:
        limits.admit("a")
    assert refused.value.retry_after_s == pytest.approx(90.1)
    assert limits.headers("a")["x-ratelimit-remaining-tokens"] == "0"
    assert limits.headers("a")["x-ratelimit-reset-tokens"] == "2m30s"
    clock.now_s += 90.1
    limits.admit("a")


def test_the_longer_wait_is_named() -> None:
    clock = Clock()
    limits = limiting(clock, requests=1, tokens=60)
    limits.admit("a")
    limits.charge("a", 240)
    with pytest.raises(RateLimited, match="tokens") as refused:
        limits.admit("a")
    assert refused.value.retry_after_s == pytest.approx(181)


def test_a_changed_limit_applies_at_once_and_what_was_used_stays_used() -> None:
    clock, own = Clock(), {"a": OwnLimits(requests=10)}
    limits = RateLimits(Limits(), lambda caller: own.get(caller, OwnLimits()), clock=clock)
    for _ in range(10):
        limits.admit("a")
    own["a"] = OwnLimits(requests=12)
    assert limits.headers("a")["x-ratelimit-remaining-requests"] == "2"
    own["a"] = OwnLimits(requests="none")
    assert limits.headers("a") == {}
    limits.admit("a")


def test_a_lower_limit_makes_nobody_wait_for_longer_than_one_request_of_it() -> None:
    clock, own = Clock(), {"a": OwnLimits(requests=1000, tokens=1000)}
    limits = RateLimits(Limits(), lambda caller: own.get(caller, OwnLimits()), clock=clock)
    for _ in range(500):
        limits.admit("a")
    limits.charge("a", 1500)
    own["a"] = OwnLimits(requests=10)
    with pytest.raises(RateLimited) as refused:
        limits.admit("a")
    assert refused.value.retry_after_s == pytest.approx(6)
    own["a"] = OwnLimits(requests=10, tokens=100)
    limits.charge("a", 600)
    own["a"] = OwnLimits(tokens=10)
    with pytest.raises(RateLimited) as refused:
        limits.admit("a")
    assert refused.value.retry_after_s == pytest.approx(60 / 10 * 501), "a debt stays one"


def test_memory_is_bounded_whoever_calls() -> None:
    clock = Clock()
    limits = limiting(clock, requests=60, tokens=60)
    limits.admit("first")
    for i in range(3 * MAX_BUCKETS):
        clock.now_s += 0.01
        limits.admit(str(i))
    assert len(limits._buckets) <= 2 * MAX_BUCKETS


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50)), max_size=40), st.integers(1, 100))
def test_no_more_is_used_than_the_rate_allows(uses: list[tuple[float, int]], limit: int) -> None:
    """Over any time from the beginning: the limit, one bucket more, and the last use, which may go into debt."""
    now_s, used, last = 0.0, 0, 0
    bucket = Bucket(limit, now_s)
    for pause_s, n in uses:
        now_s += pause_s
        if bucket.wait_s(now_s) == 0:
            bucket.take(n, now_s)
            used, last = used + n, n
        assert used - last <= limit * (1 + now_s / 60) + 1e-6
        assert 0 <= bucket.remaining(now_s) <= limit


def app(generator: Any = None, **settings: Any) -> FastAPI:
    keys = settings.pop("api_keys", KEYS)
    built = create_app(generator or ScriptedGenerator(), ScriptedRewardModel(), Settings(api_keys=keys, **settings))
    ServiceState.of(built).rate_limits.clock = Clock()
    return built


def left(response: httpx.Response, kind: str) -> int:
    return int(response.headers[f"x-ratelimit-remaining-{kind}"])


def authorized(key: str = KEY) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_request_beyond_the_limit_is_refused_in_the_common_form() -> None:
    async def scenario() -> None:
        async with client_of(app(max_requests_per_minute=2)) as client:
            client.headers.update(authorized())
            first, wrong, third = [await client.post("/solve", json=body) for body in (PROBLEM, {"problem": 1}, PROBLEM)]
            assert [response.status_code for response in (first, wrong, third)] == [200, 400, 429]
            assert [left(response, "requests") for response in (first, wrong, third)] == [1, 0, 0]
            error = third.json()["error"]
            assert (error["type"], error["code"], error["param"]) == ("rate_limit_error", "rate_limit_exceeded", None)
            assert "max_requests_per_minute" in error["message"]
            assert 1 <= int(third.headers["retry-after"]) <= 30
            assert third.headers["x-should-retry"] == "true"
            assert third.headers["x-ratelimit-limit-requests"] == "2"
            for path in ("/v1/models", "/metrics", "/nothing"):
                listed = await client.get(path)
                assert (listed.status_code in (200, 404), left(listed, "requests")) == (True, 0)
            assert 'epf_rate_limited_total{limit="requests"} 1.0' in (await client.get("/metrics")).text
            other = await client.post("/solve", json=PROBLEM, headers=authorized(OTHER))
            assert (other.status_code, left(other, "requests")) == (200, 1)
            assert (
                (await client.post("/solve", json=PROBLEM, headers=authorized("a-wrong-key-of-nobody")))
                .headers.keys()
                .isdisjoint({"x-ratelimit-limit-requests"})
            )
            for probe in ("/healthz", "/readyz"):
                assert "x-ratelimit-limit-requests" not in (await client.get(probe)).headers

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "body", "n_tokens"),
    [
        ("/solve", PROBLEM, lambda answer: answer["usage"]["prompt_tokens"] + answer["usage"]["generated_tokens"]),
        ("/solve", {"problem": "2?", "n_particles": 4}, lambda answer: 2 + answer["usage"]["generated_tokens"]),
        ("/score", {"problem": "2?", "steps": ["a", "b", "c"]}, lambda answer: answer["prm_tokens"]),
        ("/v1/chat/completions", {"model": "epf-2", "messages": [{"role": "user", "content": "2?"}]}, None),
        ("/v1/chat/completions", {"model": "epf-2", "n": 3, "messages": [{"role": "user", "content": "2?"}]}, None),
        ("/v1/completions", {"model": "epf-2", "prompt": "2?"}, None),
        ("/v1/responses", {"model": "epf-2", "input": "2?"}, None),
    ],
)
def test_tokens_are_charged_as_usage_counts_them(path: str, body: dict[str, Any], n_tokens: Any) -> None:
    async def scenario() -> None:
        async with client_of(app(max_tokens_per_minute=10**9)) as client:
            response = await client.post(path, json=body, headers=authorized())
            assert response.status_code == 200, response.text
            answer = response.json()
            used = n_tokens(answer) if n_tokens else answer["usage"]["total_tokens"]
            if body.get("n"):  # a conversation is counted once there, and costs once for each search
                used += (body["n"] - 1) * answer["usage"]["prompt_tokens"]
            assert used > 0
            after = await client.get("/v1/models", headers=authorized())
            assert 10**9 - left(after, "tokens") == used

    asyncio.run(scenario())


def test_a_batch_is_one_request_and_costs_the_tokens_of_all_its_problems() -> None:
    async def scenario() -> None:
        async with client_of(app(max_tokens_per_minute=10**6, max_requests_per_minute=10)) as client:
            body = {"problems": [{"problem": "12?"}, {"problem": "345?"}], "n_particles": 2}
            response = await client.post("/solve/batch", json=body, headers=authorized())
            done = events_of(response.text)[-1]
            after = await client.get("/v1/models", headers=authorized())
            assert 10**6 - left(after, "tokens") == done["generated_tokens"] + 3 + 4
            assert left(after, "requests") == 9

    asyncio.run(scenario())


def test_tokens_of_one_request_delay_the_next() -> None:
    async def scenario() -> None:
        async with client_of(app(max_tokens_per_minute=5)) as client:
            first, second = [await client.post("/solve", json=PROBLEM, headers=authorized()) for _ in range(2)]
            assert (first.status_code, second.status_code) == (200, 429)
            assert "max_tokens_per_minute" in second.json()["error"]["message"]
            assert 'epf_rate_limited_total{limit="tokens"} 1.0' in (await client.get("/metrics", headers=authorized())).text

    asyncio.run(scenario())


def test_a_stream_that_is_left_has_cost_what_was_sent() -> None:
    """A plain sample is one long step, which never ends here: six characters of it count as two tokens."""
    writer = Writer(gate=asyncio.Event(), shown=["40", "40 + 2"])
    built = app(writer, max_tokens_per_minute=10**6)

    async def scenario() -> None:
        async with asyncio.timeout(60), served(built) as address:
            problem = "2 + 2?"
            body = {"problem": problem, "method": "sample", "n_particles": 1, "stream": True}
            async with posted(address, "/solve", body, authorization=f"Bearer {KEY}"):
                await writer.waiting.wait()
            await until(lambda: writer.n_running == 0)
            async with httpx.AsyncClient(base_url="http://{}:{}".format(*address), headers=authorized()) as client:
                assert 10**6 - left(await client.get("/v1/models"), "tokens") == len(problem) + 2

    asyncio.run(scenario())


def test_limits_of_the_keys_file_win_and_anonymous_callers_share_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"alice": {"key": "a-key-of-alice-1", "max_requests_per_minute": 1}, "bob": "b" * 20}))

    async def scenario() -> None:
        async with client_of(app(api_keys={}, api_keys_file=path, max_requests_per_minute=3)) as client:
            alice, bob = [
                (await client.get("/v1/models", headers=authorized(key))).headers["x-ratelimit-limit-requests"]
                for key in ("a-key-of-alice-1", "b" * 20)
            ]
            assert (alice, bob) == ("1", "3")
        async with client_of(app(api_keys={}, max_requests_per_minute=1)) as client:
            found = [(await client.post("/solve", json=PROBLEM)).status_code for _ in range(2)]
            assert found == [200, 429]
        async with client_of(app(api_keys={})) as client:
            assert not [name for name in (await client.post("/solve", json=PROBLEM)).headers if "ratelimit" in name]

    asyncio.run(scenario())


def test_cancelling_costs_no_request() -> None:
    async def scenario() -> None:
        async with client_of(app(max_requests_per_minute=1)) as client:
            client.headers.update(authorized())
            response = await client.post("/v1/responses/nothing/cancel")
            assert (response.status_code, left(response, "requests")) == (404, 1)
            assert left(await client.delete("/solve/nothing"), "requests") == 1

    asyncio.run(scenario())


def test_the_scoring_server_has_limits_too() -> None:
    async def scenario() -> None:
        settings = Settings(api_keys=KEYS, max_tokens_per_minute=100)
        async with client_of(create_scoring_app(ScriptedRewardModel(), settings)) as client:
            response = await client.post("/score", json={"problem": "2?", "steps": ["a"]}, headers=authorized())
            assert (response.status_code, left(response, "tokens")) == (200, 99)

    asyncio.run(scenario())


def test_pages_of_allowed_origins_can_read_what_is_left() -> None:
    async def scenario() -> None:
        async with client_of(app(max_requests_per_minute=9, allowed_origins=("https://chat.example.org",))) as client:
            headers = {**authorized(), "origin": "https://chat.example.org"}
            exposed = (await client.get("/v1/models", headers=headers)).headers["access-control-expose-headers"]
            assert "x-ratelimit-remaining-requests" in exposed

    asyncio.run(scenario())
