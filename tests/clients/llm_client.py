"""llm with extra-openai-models.yaml, by its Python interface and once by its command line."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llm
import openai
from cases import (
    GUARD_S,
    KEY,
    MODEL,
    PROBLEM,
    TOO_LONG,
    after_retry,
    raised,
    report,
    until_nothing_runs,
    until_something_runs,
    url,
)

# The script runs in an environment without this project. Its root comes last, where it hides nothing.
sys.path.append(str(Path(__file__).parents[2]))
from tests.processes import running

MODELS = {
    "search": ("real", MODEL),
    "sample": ("real", "stories-generator"),
    "unknown": ("real", "gpt-4o"),
    "overloaded": ("overloaded", MODEL),
    "faulty": ("faulty", MODEL),
    "endless": ("endless", MODEL),
}
Path(os.environ["LLM_USER_PATH"], "extra-openai-models.yaml").write_text(
    "".join(
        f"- model_id: {id}\n  model_name: {name}\n  api_base: {url(server)}\n  api_key_name: epf\n"
        for id, (server, name) in MODELS.items()
    ),
    encoding="utf-8",
)
Path(os.environ["LLM_USER_PATH"], "keys.json").write_text(json.dumps({"epf": KEY}), encoding="utf-8")


def chat(text: str = PROBLEM, *, model: str = "search", key: str | None = None, stream: bool = True, **options: Any) -> Any:
    return llm.get_model(model).prompt(text, stream=stream, key=key, **options)


def basic() -> None:
    assert "\\boxed{28}" in chat(stream=False, seed=1).text()
    command = [sys.executable, "-m", "llm", "-m", "search", "-o", "seed", "1", "--no-log", PROBLEM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GUARD_S)
    assert "\\boxed{28}" in done.stdout, done.stderr


def stream() -> None:
    assert "".join(chat(seed=1)) == chat(seed=1, stream=False).text()


def determined(usage: Any) -> tuple[int, int]:
    """As in cases, in the words of llm."""
    return usage.input, usage.output - usage.details["completion_tokens_details"]["reasoning_tokens"]


def usage() -> None:
    streamed, whole = chat(seed=1), chat(seed=1, stream=False)
    assert streamed.text() == whole.text()
    assert determined(streamed.usage()) == determined(whole.usage())
    assert whole.usage().output > 0
    assert whole.usage().details["completion_tokens_details"]["reasoning_tokens"] > 0


def stop() -> None:
    assert chat(seed=1, stop="\n\n").text() == "45 - 17 = 28."


def seed_twice() -> None:
    assert chat(model="sample", seed=9, temperature=1.5).text() == chat(model="sample", seed=9, temperature=1.5).text()


def one_token() -> None:
    reply = chat(max_tokens=1, stream=False)
    assert reply.text()
    assert reply.response_json["choices"][0]["finish_reason"] == "length"
    assert determined(reply.usage())[1] == 1


def bad_model() -> None:
    assert raised(openai.NotFoundError, lambda: chat(model="unknown").text()).code == "model_not_found"


def bad_key() -> None:
    assert raised(openai.AuthenticationError, lambda: chat(key="wrong").text()).code == "invalid_api_key"


def too_long() -> None:
    assert raised(openai.BadRequestError, lambda: chat(TOO_LONG).text()).code == "context_length_exceeded"


def overload() -> None:
    after_retry(lambda: chat(model="overloaded").text())


def fault() -> None:
    assert raised(openai.APIError, lambda: chat(model="faulty").text()).code == "generator_error"


def disconnect() -> None:
    command = [sys.executable, "-m", "llm", "-m", "endless", "--no-log", PROBLEM]
    with running(command, stdout=subprocess.DEVNULL) as process:
        until_something_runs()
        process.kill()
    until_nothing_runs()


report(
    f"llm {version('llm')}",
    {
        "models": "it reads its models from a file",
        "basic": basic,
        "stream": stream,
        "usage": usage,
        "n=3": "it requests only one choice",
        "stop": stop,
        "seed twice": seed_twice,
        "one token": one_token,
        "logprobs": "it has no such option for chats",
        "bad model": bad_model,
        "bad key": bad_key,
        "bad JSON": "it builds the body itself",
        "too long": too_long,
        "overload": overload,
        "mid-stream fault": fault,
        "disconnect": disconnect,
    },
    otherwise="it has no such call",
)
