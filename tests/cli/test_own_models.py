"""Commands with models of one's own: what the flags choose, and what is printed of it."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from epf.cli.main import main
from epf.service.scoring_app import create_scoring_app
from tests.engines.http.server import Answer, upstream
from tests.examples import README, examples
from tests.fakes import ScriptedRewardModel
from tests.generators.openai.completions_server import completions_app
from tests.reward_models.test_documented import in_hub_cache
from tests.service.serving import served
from tests.tiny_model import CONTEXT, write_model

PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"

Command = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "tiny"
    write_model(directory, "generator")
    return directory


@pytest.fixture
def epf(directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command next to a generator's server, ``{g}``, and a scoring server, ``{r}``."""

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        async def command() -> int:
            async with (
                served(completions_app(directory, by_ids=True)) as generator,
                served(create_scoring_app(ScriptedRewardModel())) as reward_model,
            ):
                places = {"{g}": "http://{}:{}".format(*generator), "{r}": "http://{}:{}/v1/".format(*reward_model)}
                filled = [places.get(argument, argument) for argument in arguments]
                with monkeypatch.context() as patch:
                    if "{g}" in arguments:  # the context of the tiny model has no room for a system prompt
                        patch.setenv("EPF_GENERATOR__SYSTEM_PROMPT", "")
                    return await asyncio.to_thread(main, filled)

        code = asyncio.run(command())
        captured = capsys.readouterr()
        return code, captured.out, [line.removeprefix("epf: ") for line in captured.err.splitlines() if line[:4] == "epf:"]

    return run


SOLVE = ("solve", "--json", "--n-particles", "2", "--max-steps", "2", "--max-tokens-per-step", "4", PROBLEM)


def test_a_generator_alone(epf: Command, directory: Path) -> None:
    code, out, found = epf(*SOLVE, "--generator", "{g}", "--tokenizer", str(directory))
    assert (code, json.loads(out)["method"]) == (0, "self_consistency")
    generator, reward_model = found
    assert generator.startswith("generator tiny: ")
    assert generator.endswith(f", with the tokenizer of {directory}, context of {CONTEXT} tokens")
    assert reward_model == (
        "no reward model, since none was named (--reward-model, EPF_REWARD_MODEL): only ipf, sample and self_consistency "
        "can be used; the default method is self_consistency"
    )


def test_both_models(epf: Command, directory: Path) -> None:
    code, out, found = epf(*SOLVE, "--generator", "{g}", "--tokenizer", str(directory), "--reward-model", "{r}")
    assert (code, json.loads(out)["method"]) == (0, "epf")
    assert len(found) == 2
    assert found[1].startswith("reward model scripted-reward-model: epf serve-prm at http://127.0.0.1:")
    assert found[1].endswith("; the default method is epf")


def test_the_embedded_reward_model_next_to_another_generator_is_a_warning(
    epf: Command, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, _, _ = epf(*SOLVE, "--generator", "{g}", "--tokenizer", str(directory), "--reward-model", "stories")
    assert code == 0
    (warning,) = (record.getMessage() for record in caplog.records if record.name == "epf.search.pair")
    assert warning.startswith(
        "The reward model stories-reward-model does not know problems as the generator tiny solves them, so its"
    )


def test_a_method_that_needs_a_reward_model_is_refused_before_anything_is_loaded(epf: Command) -> None:
    code, _, lines = epf("solve", "--generator", "http://127.0.0.1:1", "--method", "epf", PROBLEM)
    assert code == 2
    assert lines[0].startswith("Method 'epf' needs a reward model, which is missing: choose ipf, self_consistency or sample")


def test_the_method_of_the_command_counts_and_not_the_default_of_a_service(
    epf: Command, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPF_SEARCH__METHOD", "epf")
    code, out, _ = epf(*SOLVE, "--generator", "{g}", "--tokenizer", str(directory), "--method", "ipf")
    assert (code, json.loads(out)["method"]) == (0, "ipf")


def test_a_server_that_is_down_is_one_line(epf: Command) -> None:
    code, out, lines = epf("solve", "--generator", "http://127.0.0.1:1", PROBLEM)
    assert (code, out, len(lines)) == (1, "", 1)
    assert lines[0].startswith("The server of the generator at http://127.0.0.1:1 failed after 1 attempt: connection failed (")


@pytest.mark.slow
def test_an_evaluation_of_all_methods_leaves_out_those_that_need_a_reward_model(
    epf: Command, directory: Path, tmp_path: Path
) -> None:
    limits = (
        "--limit",
        "1",
        "--seeds",
        "1",
        "--budgets",
        "1",
        "--max-steps",
        "1",
        "--max-tokens-per-step",
        "2",
        "--timed",
        "0",
    )
    own = ("--generator", "{g}", "--tokenizer", str(directory))
    code, out, lines = epf("eval", "--dataset", "synthetic", "--out", str(tmp_path / "run"), *limits, *own)
    assert code == 0
    assert lines[0].startswith("left out: epf, pf, ")
    assert lines[0].endswith("there is no reward model, which these methods need (--reward-model)")
    assert {line.split()[1] for line in out.splitlines() if line.startswith("| ")} >= {"ipf", "self_consistency", "sample"}
    assert "reward model none" in out
    code, _, lines = epf("eval", "--dataset", "synthetic", "--methods", "epf", "--out", str(tmp_path / "other"), *own)
    assert (code, lines[0][:35]) == (2, "Method 'epf' needs a reward model, ")


def test_scores_of_one_solution(epf: Command) -> None:
    code, out, found = epf("score", "--reward-model", "{r}", PROBLEM, "45 - 17 = 41.\n\nSo it is 42.", "The answer is 42.")
    assert code == 0
    assert out.splitlines() == [
        "step   score  text",
        "   1  0.1000  45 - 17 = 41.",
        "   2  0.8000  So it is 42.",
        "   3  0.8000  The answer is 42.",
    ]
    assert found[0].startswith("reward model scripted-reward-model: epf serve-prm at ")


def test_scores_of_a_file(epf: Command, tmp_path: Path) -> None:
    rows = [{"problem": "a?", "solution": "41\n\n42"}, {"question": "b?", "steps": ["42"]}]
    file = tmp_path / "solutions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert epf("score", "--reward-model", "{r}", "--file", str(file))[1] == "row 1: 0.1000  0.8000\nrow 2: 0.8000\n"
    code, out, _ = epf("score", "--reward-model", "{r}", "--json", "--file", str(file))
    first, second = map(json.loads, out.splitlines())
    assert (code, first["scores"], first["prm_tokens"]) == (0, [0.1, 0.8], 2)
    assert second == {
        "row": 2,
        "problem": "b?",
        "steps": ["42"],
        "model": "scripted-reward-model",
        "scores": [0.8],
        "prm_tokens": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give a problem and its steps in quotes, or --file."),
        (("a?",), "Give at least one step after the problem"),
        (("a?", " "), "The solution has no step."),
        ((" ", "b"), "The problem is empty."),
        (("-", "-"), "- stands for standard input"),
        (("--file", "no.jsonl"), "Cannot read no.jsonl"),
        (("--generator", "http://127.0.0.1:1", "a?", "b"), "There is no reward model to score with"),
        (("--reward-model", "none", "a?", "b"), "There is no reward model to score with"),
        (("--reward-model", "http://127.0.0.1:1", "--family", "other", "a?", "b"), "The server of the reward model at"),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_scored_is_one_line(epf: Command, arguments: tuple[str, ...], message: str) -> None:
    code, out, lines = epf("score", *arguments)
    assert (code, out) == (1 if message.startswith("The server") else 2, "")
    (line,) = lines
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "rejected the request with status 404: no such page. Check generator.url (EPF_GENERATOR__URL)"),
        ({"/v1/models": Answer(b"<html>hi</html>")}, "is not a JSON object. Is another service there? Give the address"),
        (
            {"/v1/models": Answer({"error": "no key"}, 401)},
            "401: no key. Set a key in generator.api_key (EPF_",
        ),
        ({"/v1/models": Answer({"error": "Loading model"}, 503)}, "failed after 1 attempt: status 503: Loading model."),
        ({"/v1/models": Answer({}, 301, {"location": "https://h/v1/models"})}, "301: it redirects to https://h/v1/models."),
        (
            {"/v1/models": Answer({"data": [{"id": "a"}, {"id": "b"}]})},
            "has the models a, b. Name one of them in generator",
        ),
        ({"/v1/models": Answer({"data": [{"id": "a"}]})}, "/v1/chat/completions rejected the request with status 404"),
    ],
)
def test_a_first_contact_that_fails_is_one_line(
    answers: Mapping[str, Answer],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    async def command() -> int:
        async with upstream(lambda request: answers.get(request.path, Answer(b"no such page", 404))) as server:
            return await asyncio.to_thread(main, ["solve", "--generator", server.url, PROBLEM])

    assert asyncio.run(command()) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    assert line.startswith("epf: The ")
    assert message in line
    assert [record for record in caplog.records if record.name.startswith("epf")] == [], "it would be printed, too"


def test_readme_shows_what_is_printed(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "Qwen/Qwen2.5-Math-1.5B-Instruct"
    (shown,) = (example.shown for example in examples(README, "epf serve --generator") if example.shown)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shutil.copytree(directory, in_hub_cache(tmp_path, model), dirs_exist_ok=True)
    listed = Answer({"data": [{"id": model, "owned_by": "vllm", "root": model, "max_model_len": 4096}]})

    async def command() -> None:
        async with upstream(lambda request: listed if request.path == "/v1/models" else Answer({}, 404)) as server:
            await asyncio.to_thread(main, ["solve", "--generator", server.url, PROBLEM])

    asyncio.run(command())
    printed = re.sub(r"127\.0\.0\.1:\d+", "localhost:8001", capsys.readouterr().err)
    assert [line.removeprefix("epf: ") for line in printed.splitlines()][:2] == shown.splitlines()


@pytest.mark.slow
def test_a_generator_reads_examples(epf: Command, directory: Path, tmp_path: Path) -> None:
    examples = tmp_path / "examples.jsonl"
    examples.write_text('{"problem": "1?", "solution": "2"}\n', encoding="utf-8")
    generator = (*SOLVE[:-1], "2?", "--generator", "{g}", "--tokenizer", str(directory))
    _, without, _ = epf(*generator)
    _, out, found = epf(*generator, "--examples", str(examples))
    assert found[0].endswith(f"context of {CONTEXT} tokens, 2 messages of examples")
    n_more = json.loads(out)["usage"]["prompt_tokens"] - json.loads(without)["usage"]["prompt_tokens"]
    assert n_more == len("<user\n1?>\n<assistant\n2>\n")
    examples.write_text('{"problem": "1?"}\n', encoding="utf-8")
    code, out, lines = epf(*generator, "--examples", str(examples))
    assert (code, out) == (2, "")
    assert lines[-1].startswith(f"generator.examples: {examples}, line 1: `solution`: Field required.")
