"""What ``epf doctor`` finds out about a tokenizer and its chat template, next to a server that may count otherwise."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from epf.core.generator import Message
from epf.diagnosis.check import run_checks
from epf.diagnosis.endpoint import Endpoint
from epf.diagnosis.finding import Finding
from epf.diagnosis.token_checks import QUESTION, TokenChecks
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from tests.engines import markers
from tests.engines.http.server import Answer, Request, upstream
from tests.engines.markers import without_special_flags

FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
TEMPLATE = (STORIES.generator / "chat_template.jinja").read_text(encoding="utf-8")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A tokenizer that a test may change."""
    for name in FILES:
        shutil.copy(STORIES.generator / name, tmp_path)
    return tmp_path


def found(directory: Path, answer: Callable[[Request], Answer] | None = None) -> tuple[dict[str, Finding], int]:
    """What the checks find, and the number of tokens that they cost."""

    async def main() -> tuple[dict[str, Finding], int]:
        async with asyncio.timeout(30), upstream(answer or (lambda _: Answer({}, 404))) as server:
            endpoint = Endpoint(server.url, "the generator", "") if answer else None
            checks = TokenChecks(directory, endpoint, "qwen")
            try:
                findings = {finding.check: finding async for finding in run_checks("it", list(checks.checks()), set())}
            finally:
                if endpoint is not None:
                    await endpoint.aclose()
            return findings, checks.n_tokens

    return asyncio.run(main())


def test_a_tokenizer_in_order(directory: Path) -> None:
    findings, n_tokens = found(directory)
    assert {finding.mark for finding in findings.values()} == {"ok"}
    assert findings["chat template"].found == "takes a system message, begins the reply, its markers cannot be typed"
    assert findings["separator"].found == "a blank line is one token; tokens that contain one: 1, such as '\\n\\n'"
    assert n_tokens == 0


def test_a_template_that_takes_no_system_message(directory: Path) -> None:
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    (directory / "chat_template.jinja").write_text(refusing + TEMPLATE)
    findings, _ = found(directory)
    assert (findings["chat template"].mark, "takes no system message" in findings["chat template"].found) == ("ok", True)


def test_a_template_that_does_not_begin_the_reply(directory: Path) -> None:
    (directory / "chat_template.jinja").write_text("{{ messages[-1]['content'] }}")
    findings, _ = found(directory)
    assert findings["chat template"].mark == "warning"
    assert "add_generation_prompt" in findings["chat template"].advice


def test_markers_that_are_no_special_tokens_cannot_be_typed_either(tmp_path: Path) -> None:
    findings, _ = found(without_special_flags(tmp_path))
    assert findings["chat template"].mark == "ok"
    assert "its markers cannot be typed" in findings["chat template"].found


@pytest.mark.parametrize(
    ("words", "found_out"),
    [
        (("Instruction:", "Response:"), "('### Instruction:', '### Response:'), which is refused in messages"),
        (("1", "2"), "('### 1', '### 2'), which is too common to be refused, so a problem can forge a turn"),
    ],
)
def test_a_template_that_begins_turns_with_plain_text(words: tuple[str, str], found_out: str, directory: Path) -> None:
    user, assistant = (f"### {word}" for word in words)
    turn = f"{{{{ '{user}' if m['role'] == 'user' else '{assistant}' }}}}\n{{{{ m['content'] }}}}\n\n"
    template = f"{{% for m in messages %}}{turn}{{% endfor %}}{{% if add_generation_prompt %}}{assistant}\n{{% endif %}}"
    (directory / "chat_template.jinja").write_text(template)
    findings, _ = found(directory)
    assert findings["chat template"].mark == "warning"
    assert findings["chat template"].found == f"it begins turns with plain text {found_out}"


def test_a_marker_that_the_vocabulary_cannot_spell(tmp_path: Path) -> None:
    findings, _ = found(markers.write(tmp_path, *markers.MARKERS["phi"], kind="words"))
    assert findings["chat template"].mark == "warning"
    assert findings["chat template"].found.startswith("problems that contain <|")


IDS = ChatTokenizer(STORIES.generator).render([Message("user", QUESTION.content)])


def serves(*, counted: int = len(IDS), chat: bool = True, ids: Any = (), text: str = "", refuses_ids: bool = False) -> Any:
    """A server that counts ``counted`` tokens in every prompt."""

    def answer(request: Request) -> Answer:
        usage = {"usage": {"prompt_tokens": counted}}
        if "chat" in request.path:
            return Answer({"choices": [], **usage}) if chat else Answer({"error": "not found"}, 404)
        if refuses_ids and not isinstance(request.body["prompt"], str):
            return Answer({"error": "prompt must be text"}, 400)
        choice = {"text": text, **({"token_ids": list(ids)} if ids else {})}
        return Answer({"choices": [choice], **usage})

    return answer


@pytest.mark.parametrize("chat", [True, False])
def test_a_server_that_counts_the_same(chat: bool, directory: Path) -> None:
    findings, n_tokens = found(directory, serves(chat=chat))
    assert findings["tokenizer"].mark == "ok"
    assert findings["tokenizer"].found == f"a prompt has {len(IDS)} tokens, here and on the server"
    assert n_tokens == 2 * len(IDS) + 1 + 4


@pytest.mark.parametrize("chat", [True, False])
def test_a_server_of_another_model_counts_otherwise(chat: bool, directory: Path) -> None:
    findings, _ = found(directory, serves(counted=99, chat=chat))
    assert findings["tokenizer"].mark == "warning"
    assert findings["tokenizer"].found == f"a prompt has {len(IDS)} tokens here, but 99 on the server"
    assert "EPF_GENERATOR__TOKENIZER" in findings["tokenizer"].advice


@pytest.mark.parametrize(
    ("server", "mark", "words"),
    [
        (serves(ids=(17, 1017), text="zebra"), "failed", "the ids that the server sampled spell"),
        (serves(refuses_ids=True), "ok", "reads text, not token ids"),
        (serves(), "ok", "reads token ids, and returns text"),
        (lambda _: Answer({"error": "no"}, 500), "ok", "reads text, not token ids"),
        (lambda _: Answer({"choices": 7, "usage": {"prompt_tokens": True}}), "ok", "reads token ids, and returns text"),
        (
            lambda _: Answer({"choices": [{"token_ids": [[]], "logprobs": {"content": 3}}]}),
            "ok",
            "reads token ids, and returns text",
        ),
        (lambda _: Answer({"choices": None}), "ok", "reads token ids, and returns text"),
        (lambda _: Answer({"choices": [None], "usage": 3}), "ok", "reads token ids, and returns text"),
    ],
)
def test_token_ids_of_a_server(server: Callable[[Request], Answer], mark: str, words: str, directory: Path) -> None:
    finding = found(directory, server)[0]["token ids"]
    assert finding.mark == mark
    assert words in finding.found


def test_a_server_that_returns_ids_of_this_tokenizer(directory: Path) -> None:
    ids = ChatTokenizer(directory).encode("2 + 3 = 5.")
    finding = found(directory, serves(ids=ids, text="2 + 3 = 5."))[0]["token ids"]
    assert (finding.mark, finding.found) == ("ok", "the server reads token ids, and returns them")


@pytest.mark.parametrize(("text", "mark"), [("2 + 3 = 5.", "ok"), ("Paris", "failed")])
def test_ids_that_llama_cpp_names_in_its_log_probabilities(text: str, mark: str, directory: Path) -> None:
    content = [{"id": id_, "token": "?", "logprob": -0.1} for id_ in ChatTokenizer(directory).encode("2 + 3 = 5.")]
    choice = {"text": text, "logprobs": {"content": content}}
    finding = found(directory, lambda _: Answer({"choices": [choice]}))[0]["token ids"]
    assert finding.mark == mark
