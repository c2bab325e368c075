"""Log probabilities of all particles over HTTP, from the embedded pair, and what the entropy tools make of them as they are."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from epf.cli.main import main
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.service.app import create_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of, events_of

PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
BODY = {"problem": PROBLEM, "n_particles": 3, "seed": 1}
TOKENS = ("token_ids", "tokens", "logprobs", "top_logprobs")


@asynccontextmanager
async def embedded() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(EmbeddedGenerator(STORIES.generator), EmbeddedRewardModel(STORIES.reward_model))) as client:
        yield client


def posted(path: str, body: dict[str, Any]) -> httpx.Response:
    async def send() -> httpx.Response:
        async with embedded() as client:
            return await client.post(path, json=body)

    return asyncio.run(send())


def steps_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for particle in result["particles"] for step in particle["steps"]]


def test_each_step_has_its_tokens() -> None:
    result = posted("/solve", {**BODY, "logprobs": True, "top_logprobs": 4}).json()
    assert len(result["particles"]) == 3
    for step in steps_of(result):
        ids, texts, values, tops = (step[name] for name in TOKENS)
        assert len(ids) == len(texts) == len(values) == len(tops) == step["n_tokens"]
        assert "".join(texts).startswith(step["text"])
        for text, value, top in zip(texts, values, tops, strict=True):
            assert len(top) == 4
            assert value <= 0
            assert math.fsum(math.exp(one["logprob"]) for one in top) <= 1 + 1e-6
            assert {"token": text, "logprob": value} in top or value <= top[-1]["logprob"]


def test_without_the_options_a_result_is_as_before() -> None:
    plain = posted("/solve", {**BODY, "return_particles": True}).json()
    assert all(set(step) == {"text", "finish", "n_tokens"} for step in steps_of(plain))
    without_top = posted("/solve", {**BODY, "logprobs": True}).json()
    assert all(set(step) == {"text", "finish", "n_tokens", "token_ids", "tokens", "logprobs"} for step in steps_of(without_top))
    assert "particles" not in posted("/solve", BODY).json()
    assert [step["text"] for step in steps_of(plain)] == [step["text"] for step in steps_of(without_top)]


def test_all_routes_of_searches_have_them() -> None:
    options = {"logprobs": True, "top_logprobs": 2}

    async def send() -> list[dict[str, Any]]:
        async with embedded() as client:
            whole = (await client.post("/solve", json={**BODY, **options})).json()
            streamed = events_of((await client.post("/solve", json={**BODY, **options, "stream": True})).text)
            batch = events_of(
                (await client.post("/solve/batch", json={"problems": [PROBLEM], "n_particles": 3, "seed": 1, **options})).text
            )
            chat = {"model": "epf-3", "messages": [{"role": "user", "content": PROBLEM}], "search": {"seed": 1, **options}}
            answered = (await client.post("/v1/chat/completions", json=chat)).json()
            return [whole, streamed[-1]["result"], batch[1]["result"], answered["choices"][0]["search"]]

    first, *others = asyncio.run(send())
    for other in others:
        assert other["particles"] == first["particles"]


def test_the_tools_read_a_result_over_http(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bounds that `tokens` derives hold the exact entropies of the model."""

    async def send() -> tuple[dict[str, Any], dict[str, Any]]:
        async with embedded() as client:
            solved = (await client.post("/solve", json={**BODY, "logprobs": True, "top_logprobs": 20})).json()
            asked = {"solved": [solved], "vocabulary": 1024}
            found = await client.post("/entropy/tokens", json=asked)
            assert found.status_code == 200, found.text
            others: dict[str, dict[str, Any]] = {
                "ranking": {"student": "logprobs", "teacher": "scores"},
                "rate-distortion": {"read": "logprobs", "target": "last_score"},
            }
            for tool, options in others.items():
                answered = await client.post(f"/entropy/{tool}", json={"solved": [solved], **options})
                assert answered.status_code == 200, answered.text
            return solved, found.json()

    solved, found = asyncio.run(send())
    assert found["n_tokens"] == sum(step["n_tokens"] for step in steps_of(solved))
    assert found["n_undecided"] < found["n_tokens"] / 10
    for row, step in zip(found["rows"], steps_of(solved), strict=True):
        log_p = np.array(step["logprobs"])
        top = np.array([[one["logprob"] for one in tokens] for tokens in step["top_logprobs"]])
        rest = np.maximum(1 - np.exp(top).sum(axis=1), 0)
        least = -(np.exp(top) * top).sum(axis=1) - rest * np.log(np.where(rest > 0, rest, 1))
        expected = -np.exp(log_p) * -np.expm1(log_p) * (log_p + least)
        np.testing.assert_allclose(row["changes"], expected, atol=1e-6)
    file = tmp_path / "solved.json"
    file.write_text(json.dumps(solved))
    assert main(["entropy", "tokens", str(file), "--vocabulary", "1024", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_the_command_line_writes_what_the_tools_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps({"problem": PROBLEM}) + "\n" + json.dumps({"problem": "Tom has 12 apples."}) + "\n")
    options = ["--json", "--logprobs", "--top-logprobs", "3", "--n-particles", "2", "--seed", "1"]
    assert main(["solve", "--file", str(problems), *options]) == 0
    file = tmp_path / "solved.jsonl"
    file.write_text(capsys.readouterr().out)
    assert main(["entropy", "tokens", str(file), "--advantage", "scores", "--json"]) == 0
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    found = json.loads(capsys.readouterr().out)
    assert found["n_tokens"] == sum(step["n_tokens"] for row in rows for step in steps_of(row))


def test_saved_streams_and_files_with_failures_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that a search writes: the events of one or of a batch, and lines of problems of which one failed."""
    options = {"n_particles": 2, "seed": 1, "logprobs": True}

    async def send() -> list[str]:
        async with embedded() as client:
            return [
                (await client.post("/solve", json={"problem": PROBLEM, "stream": True, **options})).text,
                (await client.post("/solve/batch", json={"problems": [PROBLEM, "17 * 24 = ?"], **options})).text,
            ]

    solve, batch = asyncio.run(send())
    failed = {"row": 2, "problem": "x", "error": {"message": "no", "type": "t", "param": None, "code": "c"}}
    lines = [{"row": 1, "problem": PROBLEM, **events_of(solve)[-1]["result"]}, failed]
    for text, n_traces in ((solve, 2), (batch, 4), ("\n".join(map(json.dumps, lines)), 2)):
        file = tmp_path / "saved.txt"
        file.write_text(text)
        assert main(["entropy", "tokens", str(file), "--json"]) == 0
        names = {row["name"].split(".")[0] for row in json.loads(capsys.readouterr().out)["rows"]}
        assert len(names) == n_traces


def test_a_result_without_particles_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "solved.json"
    file.write_text(json.dumps(posted("/solve", BODY).json()))
    assert main(["entropy", "tokens", str(file)]) == 2
    assert "without its particles: ask for them with return_particles or logprobs" in capsys.readouterr().err


def test_tokens_are_only_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "--logprobs", PROBLEM]) == 2
    assert "Add --json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/solve", {**BODY, "logprobs": True, "top_logprobs": 20, "n_particles": 128}, "top_logprobs"),
        ("/solve", {**BODY, "top_logprobs": 5}, "top_logprobs"),
        ("/solve", {**BODY, "logprobs": "yes"}, "logprobs"),
        (
            "/solve/batch",
            {"problems": ["a", {"problem": "b", "logprobs": True, "top_logprobs": 21}]},
            "problems.1.top_logprobs",
        ),
        (
            "/v1/chat/completions",
            {
                "model": "epf-8",
                "n": 16,
                "messages": [{"role": "user", "content": "a"}],
                "search": {"logprobs": True, "top_logprobs": 20},
            },
            "search.top_logprobs",
        ),
    ],
)
def test_what_is_too_much_is_refused_before_anything_is_sampled(path: str, body: dict[str, Any], param: str) -> None:
    async def send() -> httpx.Response:
        generator = ScriptedGenerator(error=AssertionError("nothing may be sampled"))
        async with client_of(create_app(generator, ScriptedRewardModel())) as client:
            return await client.post(path, json=body)

    response = asyncio.run(send())
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
