"""``GET /metrics`` after requests with known effects, read over a real socket with Prometheus' own parser."""

import asyncio
import math
import random
from typing import Any

import pytest
from pydantic import SecretStr

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.fakes import N_STEPS, ScriptedGenerator, ScriptedRewardModel
from tests.service.metrics_client import client_of
from tests.service.serving import events_of, posted, searches_of, until

CHAT = {"messages": [{"role": "user", "content": "four"}]}


def test_searches_are_counted_exactly() -> None:
    """The metrics equal the sums of the usage in the responses, for every route."""

    async def scenario() -> None:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel())
        async with client_of(app) as client:
            whole = (await client.post("/solve", {"problem": "abc", "n_particles": 4, "seed": 3})).json()
            stream = events_of((await client.post("/solve", {"problem": "ab", "stream": True, "seed": 5})).text)
            problems = [
                "a",
                {"problem": "bcd", "method": "best_of_n"},
                {"problem": "e", "max_total_tokens": 4, "n_particles": 2},
            ]
            batch = events_of((await client.post("/solve/batch", {"problems": problems, "seed": 1})).text)
            alone = (await client.post("/solve", {"problem": "abcde", "n_particles": 1, "seed": 3})).json()
            chat = (await client.post("/v1/chat/completions", {**CHAT, "model": "pf-4", "n": 2, "seed": 1})).json()
            scored = (await client.post("/score", {"problem": "abc", "steps": ["1", "2", "3"]})).json()
            reading = await client.read_metrics()

        results = [whole, stream[-1]["result"], alone, *(event["result"] for event in batch if event["type"] == "solved")]
        usages = [result["usage"] for result in results] + [choice["search"]["usage"] for choice in chat["choices"]]
        assert len(usages) == 8
        assert reading.values("epf_tokens_total") == {
            ("prompt",): sum(len(text) for text in ("abc", "ab", "a", "bcd", "e", "abcde", "four", "four")),
            ("generated",): sum(usage["generated_tokens"] for usage in usages),
            ("discarded",): sum(usage["discarded_tokens"] for usage in usages),
            ("prm",): sum(usage["prm_tokens"] for usage in usages) + scored["prm_tokens"],
        }
        assert reading.values("epf_prm_call_duration_seconds_count") == {(): sum(usage["prm_calls"] for usage in usages) + 3}
        assert reading.values("epf_searches_total") == {
            ("epf", "finished"): 4,
            ("epf", "budget"): 1,
            ("best_of_n", "finished"): 1,
            ("pf", "finished"): 2,
        }
        assert reading.values("epf_search_duration_seconds_count") == {("epf",): 5, ("best_of_n",): 1, ("pf",): 2}
        assert reading.total("epf_search_duration_seconds_sum") == pytest.approx(sum(usage["total_s"] for usage in usages))
        for activity in ("generating", "scoring", "resampling", "waiting"):
            seconds = sum(usage[f"{activity}_s"] for usage in usages)
            assert reading.values("epf_search_activity_seconds_total")[activity,] == pytest.approx(seconds)
        assert reading.values("epf_searches_failed_total") == {}
        assert reading.values("epf_searches_in_progress") == {(): 0}

    asyncio.run(scenario())


def test_rounds_are_recorded_as_fractions() -> None:
    """Half of the first steps have a very low score, so the effective sample size is low and the search anneals."""
    asked = {"problem": "a", "n_particles": 4, "horizon": 8, "ess_threshold": 1.0, "seed": 2}

    class Half(ScriptedRewardModel):
        n_asked = 0

        async def score(self, problem: str, steps: Any) -> Score:
            self.n_asked += 1
            return Score(0.5 if self.n_asked % 2 else 1e-9, 1)

    async def scenario() -> None:
        async with client_of(create_app(ScriptedGenerator(), Half())) as client:
            rounds = (await client.post("/solve", asked)).json()["steps"]
            await client.post("/solve", {**asked, "n_particles": 1})
            reading = await client.read_metrics()
        resamplings = [record for record in rounds if record["resampled"]]
        assert 0 < len(resamplings) < len(rounds)
        assert any(record["temperature"] > 1 for record in resamplings)
        assert any(record["distinct_ancestors"] < 4 for record in resamplings)
        for name, values in {
            "epf_round_ess_ratio": [record["ess"] / 4 for record in rounds],
            "epf_round_entropy_ratio": [record["entropy"] / math.log(4) for record in rounds],
            "epf_resampling_temperature": [record["temperature"] for record in resamplings],
            "epf_resampling_distinct_ancestors_ratio": [record["distinct_ancestors"] / 4 for record in resamplings],
        }.items():
            assert reading.values(f"{name}_count") == {("epf",): len(values)}, "a search of one particle is not counted here"
            assert reading.values(f"{name}_sum")["epf",] == pytest.approx(sum(values))

    asyncio.run(scenario())


def test_the_largest_values_are_in_the_last_bucket() -> None:
    """Equal weights have maximum diversity; with these n, rounding raises their entropy above log n."""

    async def scenario() -> None:
        reward_model = ScriptedRewardModel()
        async with client_of(create_app(ScriptedGenerator(), reward_model)) as client:
            for n in (5, 12, 13):
                await client.post("/solve", {"problem": "a", "n_particles": n, "max_steps": N_STEPS - 1})
            reading = await client.read_metrics()
        for name in ("epf_round_ess_ratio", "epf_round_entropy_ratio", "epf_resampling_distinct_ancestors_ratio"):
            buckets = reading.values(f"{name}_bucket")
            assert buckets["1.0", "epf"] == buckets["+Inf", "epf"] > 0, name
            assert buckets["0.9", "epf"] == 0, name

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
def test_all_tokens_of_a_failed_search_are_discarded(stream: bool) -> None:
    class Breaks(ScriptedRewardModel):
        async def score(self, problem: str, steps: Any) -> Score:
            if len(steps) == 2:
                raise RewardModelError("broken")
            return await super().score(problem, steps)

    async def scenario() -> None:
        async with client_of(create_app(ScriptedGenerator(), Breaks())) as client:
            response = await client.post("/solve", {"problem": "a", "n_particles": 2, "stream": stream})
            assert response.status_code == (200 if stream else 502)
            reading = await client.read_metrics()
        assert reading.values("epf_searches_failed_total") == {("reward_model_error", "epf"): 1}
        assert reading.values("epf_errors_total") == {("reward_model_error",): 1}
        assert reading.values("epf_searches_total") == {}
        tokens = reading.values("epf_tokens_total")
        assert tokens["generated",] == tokens["discarded",] > 2
        assert reading.values("epf_searches_in_progress") == {(): 0}

    asyncio.run(scenario())


def test_a_bug_is_an_internal_error() -> None:
    async def scenario() -> None:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel())
        async with client_of(app) as client:
            await until(lambda: ServiceState.of(app).searches is not None)
            ServiceState.of(app).searches = None
            assert (await client.post("/solve", {"problem": "a"})).status_code == 500
            reading = await client.read_metrics()
        assert reading.values("epf_errors_total") == {("internal_error",): 1}
        assert reading.values("epf_http_requests_total")["POST", "/solve", "500"] == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["client_gone", "delete"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/solve", {"problem": "a"}),
        ("/solve", {"problem": "a", "stream": True}),
        ("/solve/batch", {"problems": ["a", "b", "c"]}),
        ("/v1/chat/completions", {**CHAT, "model": "epf-8", "stream": True}),
    ],
)
@pytest.mark.slow
def test_cancellations_are_counted_by_reason(how: str, path: str, body: dict[str, Any]) -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        app = create_app(generator, ScriptedRewardModel())
        async with client_of(app) as client:
            async with posted(client.address, path, body, x_request_id="mine", connection="close") as mine:
                await until(lambda: generator.n_running == (24 if path == "/solve/batch" else 8))
                during = await client.read_metrics()
                if how == "delete":
                    assert (await client.request("DELETE", "/solve/mine")).status_code == 200
                    await mine.reader.read()
            client.n_requests += 1
            reading = await client.read_metrics()
        assert during.values("epf_searches_in_progress") == {(): 3 if path == "/solve/batch" else 1}
        assert during.values("epf_cancellations_total") == {}
        assert reading.values("epf_cancellations_total") == {(how,): 1}
        assert reading.values("epf_searches_in_progress") == {(): 0}
        assert reading.values("epf_searches_failed_total") == {}
        assert reading.values("epf_errors_total") == ({("cancelled",): 1} if how == "delete" else {})
        begun = body.get("stream") or path == "/solve/batch"
        assert reading.values("epf_http_requests_total")["POST", path, "200" if begun else "499"] == 1

    asyncio.run(scenario())


def test_a_comment_is_not_a_first_event() -> None:
    """A queued search sends comments; its first event is that of the search."""

    class Turn:
        come = asyncio.Event()

        async def granted(self) -> None:
            await self.come.wait()

        def release(self) -> None:
            return

    class Later:
        def enter(self, caller: str, n_particles: int) -> Turn:
            return Turn()

    async def scenario() -> None:
        settings = Settings(keep_alive_s=0.01)
        app = create_app(ScriptedGenerator(), ScriptedRewardModel(), settings)
        async with client_of(app) as client:
            await until(lambda: ServiceState.of(app).searches is not None)
            searches_of(app)._admission = Later()
            for turn in (False, True):
                Turn.come = asyncio.Event()
                async with posted(client.address, "/solve", {"problem": "a", "stream": True}, connection="close") as mine:
                    await mine.reader.readuntil(b": ping\n\n")
                    if turn:
                        Turn.come.set()
                        await mine.reader.read()
                client.n_requests += 1
                reading = await client.read_metrics()
                assert reading.values("epf_stream_first_event_seconds_count") == ({("/solve",): 1} if turn else {})
        assert reading.values("epf_stream_first_event_seconds_bucket")["0.005", "/solve"] == 0, "pings come after 10 ms"

    asyncio.run(scenario())


def test_no_caller_can_create_a_series() -> None:
    """Random paths, methods, models, keys, ids and bodies create no series or label value beyond those of the code."""
    chance = random.Random(0)

    def word() -> str:
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=12))

    async def scenario() -> None:
        settings = Settings(api_keys={"the-caller": SecretStr("a-key-of-the-tests")})
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), settings)) as client:
            client.http.headers["authorization"] = "Bearer a-key-of-the-tests"

            async def every_kind() -> None:
                await client.request("GET", f"/{word()}")
                await client.request("POST", f"/{word()}/{word()}", json={word(): word()})
                await client.request("GET", f"/v1/models/{word()}/{word()}")
                await client.request("DELETE", f"/solve/{word()}")
                await client.request(word().upper(), "/solve")
                await client.request(word().upper(), f"/{word()}")
                await client.post("/v1/chat/completions", {**CHAT, "model": word()})
                await client.post("/solve", {"problem": word(), "method": word()})
                await client.post("/solve", {"problem": word(), word(): word()})
                headers = {"x-request-id": word(), "user-agent": word(), "from": word()}
                await client.request("POST", "/solve", json={"problem": word(), "n_particles": 2}, headers=headers)
                await client.request("POST", "/solve", json={}, headers={"authorization": f"Bearer {word()}"})

            await client.read_metrics()
            await every_kind()
            first = await client.read_metrics()
            for _ in range(4):
                await every_kind()
            last = await client.read_metrics()
        names = {(sample.name, tuple(sorted(sample.labels.items()))) for sample in first.samples}
        assert {(sample.name, tuple(sorted(sample.labels.items()))) for sample in last.samples} == names
        labels = last.labels()
        assert labels["method"] == {"GET", "POST", "DELETE", "other", "epf"}
        assert labels["route"] == {
            "none",
            "/metrics",
            "/solve",
            "/solve/{id}",
            "/v1/chat/completions",
            "/v1/models/{id:path}",
        }
        assert last.values("epf_http_requests_total")["other", "/solve", "405"] == 5
        assert last.values("epf_http_requests_total")["other", "none", "404"] == 5
        assert last.values("epf_http_requests_total")["POST", "none", "401"] == 5

    asyncio.run(scenario())


def test_applications_of_one_process_share_no_metrics() -> None:
    async def scenario() -> None:
        apps = [create_app(ScriptedGenerator(), ScriptedRewardModel()) for _ in range(2)]
        async with client_of(apps[0]) as one, client_of(apps[1]) as other:
            await one.post("/solve", {"problem": "a"})
            assert (await one.read_metrics()).values("epf_searches_total") == {("epf", "finished"): 1}
            reading = await other.read_metrics()
        assert reading.values("epf_searches_total") == {}
        assert reading.values("epf_build_info") == {("scripted-generator", "scripted-reward-model", "0.1.0"): 1}

    asyncio.run(scenario())


def test_particles_are_counted_when_the_metrics_are_read() -> None:
    async def scenario() -> None:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel())
        n_running = 1
        ServiceState.of(app).metrics.watch_particles(running=lambda: n_running, waiting=lambda: 7)
        async with client_of(app) as client:
            n_running = 5
            assert (await client.read_metrics()).values("epf_particles") == {("running",): 5, ("waiting",): 7}

    asyncio.run(scenario())


def test_the_scoring_server_counts_its_traces() -> None:
    async def scenario() -> None:
        async with client_of(create_scoring_app(ScriptedRewardModel())) as client:
            for _ in range(3):
                await client.post("/score", {"problem": "a", "steps": ["1 + 1 = 2"]})
            await client.post("/score", {"problem": "a"})
            reading = await client.read_metrics()
        assert reading.values("epf_prm_call_duration_seconds_count") == {(): 3}
        assert reading.values("epf_tokens_total") == {("prm",): 3}
        requests = reading.values("epf_http_requests_total")
        assert (requests["POST", "/score", "200"], requests["POST", "/score", "400"]) == (3, 1)
        assert reading.values("epf_errors_total") == {("missing_field",): 1}
        assert not [name for name in reading.families if "search" in name]

    asyncio.run(scenario())
