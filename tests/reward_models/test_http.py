"""Clients of scoring servers on real sockets: the contract over our own server, and every way in which a server can fail."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from epf.core.errors import ContextTooLong, InvalidRequest, RewardModelError, SearchServiceError
from epf.core.reward_model import RewardModel, Score
from epf.engines.http.attempts import MAX_ATTEMPTS, MAX_RETRIES_SAVED
from epf.engines.http.connections import MAX_RESPONSE_BYTES
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.by_ids import ServerBackend
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.families.family import Family
from epf.reward_models.http import HttpRewardModel, connect
from epf.reward_models.judge import ChatJudge
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.contract.reward_model import RewardModelContract
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.service.serving import served
from tests.tiny_model import write_model

T = TypeVar("T")
GOOD = {"probability": 0.25, "n_tokens": 7}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-reward-model"
    write_model(path, "reward_model")
    return path


class TestContractOverOurServer(RewardModelContract):
    problem = "How many birds?"
    steps = ("5 birds.", "5 + 2 = 7.", "So 7.")

    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def run(self, test: Callable[[RewardModel], Awaitable[T]]) -> T:
        async def main() -> T:
            async with served(create_scoring_app(EmbeddedRewardModel(self.directory), Settings())) as (host, port):
                client = HttpRewardModel(connect([f"http://{host}:{port}"]))
                try:
                    return await test(client)
                finally:
                    await client.aclose()

        return asyncio.run(asyncio.wait_for(main(), 60))


def test_the_server_returns_the_score_of_the_model(directory: Path) -> None:
    async def main() -> tuple[Score, Score]:
        here = EmbeddedRewardModel(directory)
        async with served(create_scoring_app(EmbeddedRewardModel(directory), Settings())) as (host, port):
            there = HttpRewardModel(connect([f"http://{host}:{port}"]))
            scores = await here.score("A?", ["b", "c"]), await there.score("A?", ["b", "c"])
            await there.aclose()
        await here.aclose()
        return scores

    here, there = asyncio.run(main())
    assert here == there


def family(read: str, n_values: int) -> Family:
    """A family whose token ids are characters; the answers of its language model are tokens 43 and 45."""

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        return tuple(map(ord, problem + "".join(f"{step}\n" for step in steps)))

    return Family("tiny", prompt, read, n_values, 0, ("+", "-"), (43, 45))  # type: ignore[arg-type]


def models(length: int = 100) -> Answer:
    return Answer({"object": "list", "data": [{"id": "tiny", "max_model_len": length}]})


def opened(kind: str, urls: Sequence[str], **options: Any) -> RewardModel:
    connection = connect(urls, **options)
    if kind == "ours":
        return HttpRewardModel(connection)
    if kind == "judge":
        return ChatJudge(connection, "tiny", "judge")
    shape = family(*{"classify": ("sequence", 1), "pooling": ("tokens", 2), "completions": ("next_token", 2)}[kind])
    return FamilyRewardModel(ServerBackend(connection, shape, "tiny"), shape, "tiny")


def as_vllm(request: Request) -> Answer:
    """Response of vLLM: the raw value of a trace is its number of tokens / 10; with two labels, that value and its negative."""
    if request.path == "/v1/models":
        return models()
    body = request.body
    assert body["model"] == "tiny"
    if request.path == "/v1/completions":
        assert body["max_tokens"] == 1
        assert body["return_tokens_as_token_ids"] is True
        raw = len(body["prompt"]) / 10
        top = {"token_id:43": raw - 9, "token_id:45": -raw - 9, "token_id:7": -20.0}
        return Answer({"choices": [{"text": "+", "logprobs": {"top_logprobs": [top]}}]})
    raw = len(body["input"]) / 10
    p = 1 / (1 + math.exp(-raw * (1 if request.path == "/classify" else 2)))
    if request.path == "/classify":
        probs = [p if body["use_activation"] else raw]
        return Answer({"data": [{"index": 0, "label": None, "probs": probs, "num_classes": 1}]})
    assert request.path == "/pooling"
    assert body["task"] == "token_classify"
    rows = [[p, 1 - p] if body["use_activation"] else [raw, -raw]]
    return Answer({"data": [{"index": 0, "object": "pooling", "data": [[0.0, 0.0], *rows]}]})


def run(
    answer: Callable[[Request], Answer], kind: str, test: Callable[[RewardModel, Upstreams], Awaitable[T]], **options: Any
) -> T:
    async def main() -> T:
        async with upstream(answer) as server:
            client = opened(kind, [server.url], **options)
            try:
                return await test(client, server)
            finally:
                await client.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize(("kind", "scale"), [("classify", 1), ("pooling", 2), ("completions", 2)])
def test_routes_and_bodies_for_vllm(kind: str, scale: int) -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        score = await client.score("Why?", ["a", "bc"])
        assert score.probability == pytest.approx(1 / (1 + math.exp(-0.9 * scale)), abs=1e-12)
        assert score.n_tokens == 9
        with pytest.raises(ContextTooLong, match="100"):
            await client.score("Why?", ["a" * 100])
        with pytest.raises(InvalidRequest):
            await client.score("Why?", [])
        with pytest.raises(InvalidRequest, match="Unicode"):
            await client.score("Why \ud800?", ["a"])
        assert [request.path for request in server.requests].count("/v1/models") == 1

    run(as_vllm, kind, test)


def test_a_server_that_ignores_the_switch_is_rejected() -> None:
    def activated(request: Request) -> Answer:
        if request.body and "use_activation" in request.body:
            request.body["use_activation"] = True
        return as_vllm(request)

    async def test(client: RewardModel, server: Upstreams) -> None:
        for _ in range(2):
            with pytest.raises(RewardModelError, match="use_activation"):
                await client.score("Why?", ["a"])

    for kind in ("classify", "pooling"):
        run(activated, kind, test)


def test_a_server_without_the_model_is_rejected() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match="no model 'tiny'"):
            await client.score("Why?", ["a"])

    run(lambda _: Answer({"data": [{"id": "other", "max_model_len": 5}]}), "classify", test)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ({"token_id:43": -0.1, "token_id:9": -3.0, "token_id:45": -2.5}, 1 / (1 + math.exp(-2.4))),
        ({"token_id:43": -0.001, "token_id:9": -12.0}, 1 / (1 + math.exp(-11.999))),
        ({"token_id:45": -0.001, "token_id:9": -12.0}, 1 / (1 + math.exp(11.999))),
        ({"token_id:43": -1.0, "token_id:9": -2.0}, None),
        ({"token_id:8": -1.0, "token_id:9": -2.0}, None),
        ({}, None),
        ({"token_id:43": float("nan"), "token_id:45": -2.0}, None),
        ({"token_id:43": None, "token_id:45": -2.0}, None),
    ],
)
def test_an_answer_without_a_log_probability_is_not_guessed(top: dict[str, Any], expected: float | None) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/v1/models":
            return models()
        return Answer({"choices": [{"text": "+", "logprobs": {"top_logprobs": [top]}}]})

    async def test(client: RewardModel, server: Upstreams) -> None:
        if expected is None:
            with pytest.raises(RewardModelError):
                await client.score("Why?", ["a"])
        else:
            assert (await client.score("Why?", ["a"])).probability == pytest.approx(expected, abs=1e-9)

    run(answer, "completions", test)


KINDS = ("ours", "classify", "pooling", "completions")


def instead_of(good: Callable[[Request], Answer], bad: Answer) -> Callable[[Request], Answer]:
    """Invalid responses to scoring requests, valid ones to all others."""

    def answer(request: Request) -> Answer:
        if request.path == "/v1/models":
            return good(request)
        return Answer(GOOD) if request.path == "/elsewhere" else bad

    return answer


NONSENSE = {
    "html": Answer(b"<html>no</html>", headers={"content-type": "text/html"}),
    "a list": Answer([0.5]),
    "nothing": Answer({}),
    "null": Answer(None),
    "nested": Answer(b"[" * 100_000),
    "huge": Answer({"probability": 0.5, "n_tokens": 1, "x": "y" * MAX_RESPONSE_BYTES}),
    "nan": Answer(b'{"probability": NaN, "n_tokens": 1, "data": [{"probs": [NaN], "data": [[NaN, NaN]]}]}'),
    "text": Answer({"probability": "0.5", "n_tokens": 1, "data": [{"probs": ["0.5"], "data": [["0.5", "0.5"]]}]}),
    "true": Answer({"probability": True, "n_tokens": 1, "data": [{"probs": [True], "data": [[True, True]]}]}),
    "false": Answer({"probability": False, "n_tokens": 1, "data": [{"probs": [False], "data": [[False, False]]}]}),
    "a count that is true": Answer({"probability": 0.5, "n_tokens": True, "data": []}),
    "too many": Answer({"probability": [0.5], "n_tokens": 1, "data": [{"probs": [0.5] * 3, "data": [[0.5] * 3]}]}),
    "two steps": Answer({"probability": 1.5, "n_tokens": 1, "data": [{"probs": [0.5], "data": [[0.5, 0.5]]}] * 2}),
    "no rows": Answer({"probability": -0.1, "n_tokens": 1, "data": [{"probs": [], "data": []}]}),
    "no count": Answer({"probability": 0.5, "n_tokens": -1, "data": [], "choices": []}),
    "redirect": Answer({}, 302, {"location": "/elsewhere"}),
    "unauthorized": Answer({"error": {"message": "no"}}, 401),
    "no route": Answer({"detail": "Not Found"}, 404),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nonsense", sorted(NONSENSE))
def test_an_invalid_response_fails_only_its_request(kind: str, nonsense: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError):
            await client.score("Why?", ["a"])
        server.answer = as_vllm if kind != "ours" else lambda _: Answer(GOOD)
        assert 0 <= (await client.score("Why?", ["a"])).probability <= 1

    run(instead_of(as_vllm, NONSENSE[nonsense]), kind, test)


PASSING = {
    "unavailable": Answer(b"", 503),
    "bad gateway": Answer(b"<html>", 502),
    "too many requests": Answer({"error": {}}, 429),
    "reset": Answer(reset=True),
    "cut": Answer(GOOD, cut=True),
    "no JSON": Answer(b'{"probability": 0.'),
}


def script(answers: Iterable[Answer]) -> Callable[[Request], Answer]:
    """Send the answers one after the other."""
    rest = iter(answers)
    return lambda _: next(rest)


@pytest.mark.parametrize("fault", sorted(PASSING))
def test_a_temporary_fault_is_retried(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def test(client: RewardModel, server: Upstreams) -> None:
        assert await client.score("Why?", ["a"]) == Score(0.25, 7)
        assert len(server.requests) == 3

    run(script([PASSING[fault]] * 2 + [Answer(GOOD)]), "ours", test)


@pytest.mark.parametrize("fault", [*sorted(PASSING), "stall"])
def test_a_lasting_fault_ends_the_call(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match=f"after {MAX_ATTEMPTS} attempts"):
            await client.score("Why?", ["a"])
        assert len(server.requests) == MAX_ATTEMPTS

    run(lambda _: PASSING.get(fault, Answer(stall=True)), "ours", test, timeout_s=0.1 if fault == "stall" else 10)


def test_retry_after_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay: float) -> None:
        pauses.append(delay)
        await sleep(0)

    monkeypatch.setattr("epf.engines.http.replicas.asyncio.sleep", noted)

    async def test(client: RewardModel, server: Upstreams) -> None:
        await client.score("Why?", ["a"])

    responses = [{"retry-after": "3"}, {"retry-after": "9999"}, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}]
    run(script([*(Answer(b"", 503, headers) for headers in responses), Answer(GOOD)]), "ours", test)
    assert pauses[:2] == [3.0, 5.0]
    assert 0 <= pauses[2] <= 0.8


def test_retries_do_not_multiply_the_load_of_a_failing_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def test(client: RewardModel, server: Upstreams) -> int:
        for i in range(100):
            with pytest.raises(RewardModelError):
                await client.score("Why?", [str(i)])
        return len(server.requests)

    assert run(lambda _: Answer(b"", 503), "ours", test) <= 100 + MAX_RETRIES_SAVED + 10


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({"error": {"code": "context_length_exceeded", "param": None}}, 400), ContextTooLong),
        (Answer({"error": {"code": 400, "param": "input_tokens", "message": "maximum context"}}, 400), ContextTooLong),
        (Answer({"error": {"code": "request_too_large"}}, 413), ContextTooLong),
        (Answer({"error": {"code": "invalid_value", "param": "steps"}}, 400), InvalidRequest),
        (Answer({"error": {"code": "invalid_value", "param": "model"}}, 400), RewardModelError),
        (Answer({"error": "no"}, 400), RewardModelError),
    ],
)
def test_a_rejection_blames_the_trace_or_the_reward_model(answer: Answer, error: type[SearchServiceError]) -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(SearchServiceError) as caught:
            await client.score("Why?", ["a"])
        assert type(caught.value) is error
        assert len(server.requests) == 1

    run(lambda _: answer, "ours", test)


def test_concurrent_equal_calls_are_sent_once() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        scores = await asyncio.gather(*(client.score("Why?", ["a"]) for _ in range(5)))
        assert sorted(score.n_tokens for score in scores) == [0, 0, 0, 0, 7]
        assert {score.probability for score in scores} == {0.25}
        assert len(server.requests) == 1

    run(lambda _: Answer(GOOD), "ours", test)


def test_a_cancelled_call_disconnects() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        call = asyncio.create_task(client.score("Why?", ["a"]))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.left.wait()

    run(lambda _: Answer(stall=True), "ours", test)


def test_a_dead_replica_is_ejected_and_a_problem_stays_on_one_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def main() -> None:
        async with upstream(lambda _: Answer(GOOD)) as one, upstream(lambda _: Answer(GOOD)) as two:
            client = opened("ours", [one.url, two.url])
            for i in range(8):
                for step in "ab":
                    await client.score(f"Problem {i}", [step])
            asked = [{request.body["problem"] for request in server.requests} for server in (one, two)]
            assert asked[0]
            assert asked[1]
            assert not asked[0] & asked[1]
            one.answer = lambda _: Answer(reset=True)
            before = len(one.requests)
            for i in range(8):
                assert await client.score(f"Problem {i}", ["c"]) == Score(0.25, 7)
            # Once on the idle connection, which the server may have closed in the meantime, and once on a new one.
            assert len(one.requests) == before + 2
            await client.aclose()

    asyncio.run(asyncio.wait_for(main(), 30))


READINESS = {"ours": "/readyz", "completions": "/health", "judge": "/v1/models"}


@pytest.mark.parametrize("kind", READINESS)
@pytest.mark.parametrize(
    ("one", "two", "ready"),
    [
        (Answer({}), Answer({}), True),
        (Answer({}, 503), Answer(b""), True),
        (Answer(reset=True), Answer({}), True),
        (Answer(stall=True), Answer({}), True),
        (Answer({}, 503), Answer(reset=True), False),
        (Answer({}, 302, {"location": "/"}), Answer({}, 401), False),
        (Answer(stall=True), Answer({}, 503), False),
    ],
)
def test_one_ready_replica_is_enough(kind: str, one: Answer, two: Answer, ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.connections.PROBE_TIMEOUT_S", 0.1 if one.stall and not ready else 60)

    async def main() -> None:
        async with upstream(lambda _: one) as first, upstream(lambda _: two) as second:
            client = opened(kind, [first.url, second.url])
            try:
                if ready:
                    await client.ready()
                else:
                    with pytest.raises(RewardModelError, match="No server of"):
                        await client.ready()
            finally:
                await client.aclose()
            paths = [request.path for server in (first, second) for request in server.requests]
            assert set(paths) <= {READINESS[kind]}
            assert len(paths) <= 2, "each is asked once"

    asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("status", [500, 401])
def test_the_key_goes_to_the_server_and_nowhere_else(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError) as caught:
            await client.score("a secret problem", ["a secret step"])
        assert server.requests[0].headers["authorization"] == "Bearer a-secret-key"
        for text in (str(caught.value), repr(client), caplog.text):
            assert "secret" not in text
        assert server.url in str(caught.value)
        assert server.url in caplog.text

    words = "no a-secret-key, a secret problem, Bearer a-secret-key, [a secret step]"
    run(lambda _: Answer({"error": {"message": words}}, status), "ours", test, api_key="a-secret-key", timeout_s=5)


@pytest.mark.parametrize("urls", [[], ["ftp://x"], ["localhost:80"]])
def test_urls_are_checked_at_once(urls: list[str]) -> None:
    with pytest.raises((ValueError, InvalidRequest), match="http"):
        connect(urls)


def test_numbers_stay_exact() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        assert (await client.score("Why?", ["a"])).probability == 0.1234567890123456
        assert json.loads(json.dumps(server.requests[0].body)) == {"problem": "Why?", "steps": ["a"]}

    run(lambda _: Answer({"probability": 0.1234567890123456, "n_tokens": 0}), "ours", test)
