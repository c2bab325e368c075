"""Token ids on servers that answer in other ways than vLLM's first: exact scores, llama.cpp, Skywork's plugin."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest

from epf.core.errors import ContextTooLong, RewardModelError
from epf.core.reward_model import RewardModel
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.by_ids import ServerBackend
from epf.reward_models.families.family import Family
from epf.reward_models.http import connect
from tests.engines.http.server import Answer, Request, Upstreams, upstream

T = TypeVar("T")

NONE = Answer({"detail": "Not Found"}, 404)
LISTED = Answer({"object": "list", "data": [{"id": "tiny", "max_model_len": 100}]})
LLAMA_CPP = Answer({"object": "list", "data": [{"id": "/models/tiny.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}]})


def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(ord, problem + "".join(f"{step}\n" for step in steps)))


NEXT_TOKEN = Family("tiny", prompt, "next_token", 2, 0, ("+", "-"), (43, 45))
HEAD = Family("tiny", prompt, "tokens")


def run(
    answers: dict[str, Callable[[dict[str, Any]], Answer]],
    test: Callable[[RewardModel, Upstreams], Awaitable[T]],
    family: Family = NEXT_TOKEN,
    listed: Answer = LISTED,
) -> T:
    def answer(request: Request) -> Answer:
        if request.path == "/v1/models":
            return listed
        return answers[request.path](request.body) if request.path in answers else NONE

    async def main() -> T:
        async with upstream(answer) as server:
            server.records = lambda request: request.body is not None
            client = FamilyRewardModel(ServerBackend(connect([server.url]), family, "tiny"), family, "tiny")
            try:
                return await test(client, server)
            finally:
                await client.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


def first(**top: float) -> Callable[[dict[str, Any]], Answer]:
    """vLLM's completion, with these log probabilities of token ids."""
    named = {name.replace("_", ":").replace("token:id", "token_id"): value for name, value in top.items()}
    return lambda _: Answer({"choices": [{"text": "x", "logprobs": {"top_logprobs": [named]}}]})


UNLIKELY = first(token_id_7=-0.1, token_id_8=-3.0)


def exactly(score: object, n_read: int = 7) -> Answer:
    """vLLM 0.32: ``GenerativeScoringResponse`` in ``vllm/entrypoints/generate/generative_scoring/serving.py``."""
    usage = {"prompt_tokens": n_read, "total_tokens": n_read + 1, "completion_tokens": 1, "prompt_tokens_details": None}
    data = [{"index": 0, "object": "score", "score": score}]
    return Answer({"id": "generative-scoring-1", "object": "list", "created": 1, "model": "tiny", "data": data, "usage": usage})


def test_answers_that_are_unlikely_are_scored_exactly_by_vllm() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        score = await client.score("Why?", ["ab"])
        assert score.probability == pytest.approx(0.3, abs=1e-12)
        assert score.n_tokens == 7
        assert server.requests[-1].body == {
            "model": "tiny",
            "query": list(map(ord, "Why?ab")),
            "items": [[10]],
            "label_token_ids": [43, 45],
            "apply_softmax": True,
            "add_special_tokens": False,
        }

    run({"/v1/completions": UNLIKELY, "/generative_scoring": lambda _: exactly(0.3)}, test)


@pytest.mark.parametrize("score", [0, 1, 1e-30])
def test_a_score_of_0_or_1_is_one(score: float) -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        assert (await client.score("Why?", ["ab"])).probability == pytest.approx(score, abs=1e-15)

    run({"/v1/completions": UNLIKELY, "/generative_scoring": lambda _: exactly(score)}, test)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (exactly(True), "not in"),
        (exactly(math.nan), "not in"),
        (exactly(1.5), "not in"),
        (exactly("0.5"), "not in"),
        (exactly(0.5, 4), "read 4 of 7 tokens"),
        (Answer({"data": []}), "without the score"),
        (Answer({"error": {"message": "boom"}}, 400), "boom"),
    ],
)
def test_what_is_no_exact_score_is_an_error_that_names_the_server(answer: Answer, message: str) -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match=message) as caught:
            await client.score("Why?", ["ab"])
        assert server.url in str(caught.value)

    run({"/v1/completions": UNLIKELY, "/generative_scoring": lambda _: answer}, test)


def test_a_server_that_allows_no_log_probabilities_scores_exactly() -> None:
    refused = Answer({"error": {"message": "Requested sample logprobs of 20, which is greater than max allowed: 5"}}, 400)

    async def test(client: RewardModel, server: Upstreams) -> None:
        assert (await client.score("Why?", ["ab"])).probability == pytest.approx(0.3)

    run({"/v1/completions": lambda _: refused, "/generative_scoring": lambda _: exactly(0.3)}, test)


def test_llama_cpp_reads_ids_and_names_the_tokens() -> None:
    def complete(body: dict[str, Any]) -> Answer:
        top = [{"id": 43, "token": " +", "bytes": [32, 43], "logprob": -0.1}, {"id": 45, "token": " -", "logprob": -2.5}]
        if body["logprobs"] < 1000 and body["prompt"][-2] == ord("c"):
            top = [{"id": 9, "token": " +", "logprob": -0.1}]
        usage = {"prompt_tokens": 7, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}
        return Answer({"choices": [{"text": " +", "logprobs": {"content": [{**top[0], "top_logprobs": top}]}}], "usage": usage})

    async def test(client: RewardModel, server: Upstreams) -> None:
        expected = pytest.approx(1 / (1 + math.exp(-2.4)))
        score = await client.score("Why?", ["ab"])
        assert score.probability == expected
        assert score.n_tokens == 3
        assert (await client.score("Why?", ["ac"])).probability == expected, "more of them are asked for"
        routes = [request.path for request in server.requests]
        assert routes == ["/v1/completions", "/v1/completions", "/generative_scoring", "/v1/completions"]
        await client.score("Why?", ["ac", "c"])
        assert [request.path for request in server.requests].count("/generative_scoring") == 1

    run({"/v1/completions": complete}, test, listed=LLAMA_CPP)


def test_a_model_that_does_not_answer_so_is_an_error_that_says_what_to_check() -> None:
    def complete(body: dict[str, Any]) -> Answer:
        refused = Answer({"error": {"message": "logprobs: at most 20", "param": "logprobs"}}, 400)
        return UNLIKELY(body) if body["logprobs"] == 20 else refused

    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match=r"does not have '\+' and '-' among the 20.*family tiny") as caught:
            await client.score("Why?", ["ab"])
        assert server.url in str(caught.value)
        assert not caught.value.retryable

    run({"/v1/completions": complete}, test)


def test_a_context_without_room_for_an_answer_is_the_trace_s_fault() -> None:
    words = "This model's maximum context length is 7 tokens. However, you requested 8 tokens"

    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(ContextTooLong):
            await client.score("Why?", ["ab"])

    run({"/v1/completions": lambda _: Answer({"error": {"message": words}}, 400)}, test)


def embeddings(*rewards: object) -> Callable[[dict[str, Any]], Answer]:
    """SkyworkAI/skywork-o1-prm-inference, README: ``[data.embedding[-1] for data in responses.data]``, on vLLM 0.6.4."""
    data = [{"index": 0, "object": "embedding", "embedding": list(rewards)}]
    return lambda _: Answer({"id": "embd-1", "object": "list", "model": "tiny", "data": data, "usage": {"prompt_tokens": 7}})


def test_the_plugin_of_skywork_returns_rewards_as_embeddings() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        for step in ("ab", "bc"):
            assert (await client.score("Why?", [step])).probability == pytest.approx(1 / (1 + math.exp(-1.5)))
        assert [request.path for request in server.requests] == ["/pooling", *["/v1/embeddings"] * 3]
        body = {"model": "tiny", "input": list(map(ord, "Why?bc\n")), "encoding_format": "float"}
        assert server.requests[-1].body == body

    run({"/v1/embeddings": embeddings(0.1, -3.0, 1.5)}, test, HEAD)


@pytest.mark.parametrize("rewards", [[], [0.1] * 8, [0.1, True], [0.1, None], [0.1, math.nan]])
def test_other_embeddings_are_no_rewards(rewards: list[object]) -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match=server.url):
            await client.score("Why?", ["ab"])

    run({"/v1/embeddings": embeddings(*rewards)}, test, HEAD)


def test_a_head_without_any_route_is_an_error_that_names_the_server() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match=rf"{server.url}/v1/embeddings .*404"):
            await client.score("Why?", ["ab"])

    run({}, test, HEAD)


def test_a_server_without_log_probabilities_is_named_with_those_that_have_them() -> None:
    async def test(client: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError, match=rf"{server.url} returned no log probabilities.*Ollama") as caught:
            await client.score("Why?", ["ab"])
        assert not caught.value.retryable

    run({"/v1/completions": lambda _: Answer({"choices": [{"text": "+", "logprobs": None}]})}, test)
