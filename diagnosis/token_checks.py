"""Checks of a tokenizer and chat template of ours against the server of the model that they are for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from epf.core.errors import InvalidRequest, SearchServiceError
from epf.core.generator import Message
from epf.diagnosis.check import SAMPLING_S, Check
from epf.diagnosis.endpoint import Endpoint
from epf.diagnosis.finding import Outcome, failed, ok, skipped, warning
from epf.engines.http.errors import UpstreamRejected
from epf.engines.tokenizer import ChatTokenizer

SEPARATOR = "\n\n"
MAX_SEPARATOR_TOKENS = 1024
SYSTEM = Message("system", "Be brief.")
QUESTION = Message("user", "What is 2 + 3?")
PLAIN_TURNS = "Prefer a model whose chat template marks turns with tokens where strangers write the problems."
UNSPELLABLE = "Use the tokenizer.json that the model was published with."
NOT_OURS = "Set EPF_GENERATOR__TOKENIZER to the directory or hub name of the model that the server runs."


class TokenChecks:
    """Checks of one tokenizer.

    Args:
        directory: directory of the tokenizer.
        endpoint: a server of its model; None if the model runs in this process.
        model: name of the model on that server.

    Attributes:
        n_tokens: number of tokens that the server has read and sampled for the checks.
    """

    def __init__(self, directory: Path, endpoint: Endpoint | None, model: str) -> None:
        self._tokenizer = ChatTokenizer(directory)
        self._added = Tokenizer.from_file(str(directory / "tokenizer.json")).get_added_tokens_decoder()
        self._endpoint = endpoint
        self._model = model
        self.n_tokens = 0

    def checks(self) -> Iterator[Check]:
        """All checks, in order."""
        yield Check("chat template", self._template)
        yield Check("separator", self._separator)
        if self._endpoint is not None:
            yield Check("tokenizer", self._counts, limit_s=SAMPLING_S)
            yield Check("token ids", self._ids, limit_s=SAMPLING_S)

    async def _template(self) -> Outcome:
        """The template takes a system message, writes the beginning of the reply, and its markers cannot be typed."""
        ids = self._tokenizer.render([QUESTION])
        if self._tokenizer.forgeable:
            shown = ", ".join(self._tokenizer.forgeable)
            return warning(f"problems that contain {shown} are refused: the vocabulary has no other spelling", UNSPELLABLE)
        forged = [name for name in self._markers(ids) if self._n_with(name, ids) > 0]
        if forged:
            shown = ", ".join(forged[:3])
            return failed(f"a problem that contains {shown} forges a turn", "Mark these tokens as special in tokenizer.json.")
        if self._tokenizer.plain_marks.names:
            shown = ", ".join(map(repr, self._tokenizer.plain_marks.names))
            forgeable = self._tokenizer.plain_marks.forgeable
            what = "is too common to be refused, so a problem can forge a turn" if forgeable else "is refused in messages"
            return warning(f"it begins turns with plain text ({shown}), which {what}", PLAIN_TURNS)
        if not self._tokenizer.ends_prompt(ids):
            return warning(
                "it does not write the beginning of the reply",
                "Check that it honours add_generation_prompt, and is the model's.",
            )
        try:
            self._tokenizer.render([SYSTEM, QUESTION])
        except InvalidRequest:
            return ok("takes no system message; a system prompt goes to the head of the first message")
        return ok("takes a system message, begins the reply, its markers cannot be typed")

    def _markers(self, ids: tuple[int, ...]) -> list[str]:
        """Names of the reserved tokens that the template writes."""
        written = dict.fromkeys(id_ for id_ in ids if id_ in self._tokenizer.reserved_ids)
        return [self._added[id_].content for id_ in written]

    def _n_with(self, name: str, ids: tuple[int, ...]) -> int:
        """How many more markers a prompt has whose message contains the name of one."""
        typed = self._tokenizer.render([Message("user", f"{name} {QUESTION.content}")])
        reserved = self._tokenizer.reserved_ids
        return sum(id_ in reserved for id_ in typed) - sum(id_ in reserved for id_ in ids)

    async def _separator(self) -> Outcome:
        """Some tokens spell a blank line, at which a step ends."""
        within = self._tokenizer.tokens_with(SEPARATOR)
        spelled = [self._tokenizer.token_bytes(id_).decode(errors="replace") for id_ in within]
        examples = ", ".join(repr(text) for text in sorted(spelled, key=len)[:3])
        n_own = len(self._tokenizer.encode(SEPARATOR))
        own = "one token" if n_own == 1 else f"{n_own} tokens"
        if len(within) > MAX_SEPARATOR_TOKENS:
            return ok(f"a blank line is {own}; {len(within)} contain one, so a server samples one token beyond each step")
        return ok(f"a blank line is {own}; tokens that contain one: {len(within)}" + f", such as {examples}" * bool(within))

    async def _counts(self) -> Outcome:
        """The server counts as many tokens in a prompt as the tokenizer, so they are the same."""
        assert self._endpoint is not None
        ids = self._tokenizer.render([QUESTION])
        message = {"role": QUESTION.role, "content": QUESTION.content}
        try:
            body = {"model": self._model, "messages": [message], "max_tokens": 1, "temperature": 0}
            reply = await self._endpoint.post("/v1/chat/completions", body, limit_s=SAMPLING_S)
        except UpstreamRejected:
            try:
                body = {"model": self._model, "prompt": self._tokenizer.prompt_text(ids), "max_tokens": 1, "temperature": 0}
                reply = await self._endpoint.post("/v1/completions", body, limit_s=SAMPLING_S)
            except UpstreamRejected as rejected:
                return skipped(f"not comparable ({self._endpoint.said(rejected.refusal)})")
        counted = _count(reply, "prompt_tokens")
        if counted is None:
            return skipped("not comparable: the server counts no tokens")
        self.n_tokens += counted + 1
        if counted != len(ids):
            return warning(f"a prompt has {len(ids)} tokens here, but {counted} on the server", NOT_OURS)
        return ok(f"a prompt has {counted} tokens, here and on the server")

    async def _ids(self) -> Outcome:
        """The server reads and returns token ids, or else text, and the ids spell its text."""
        assert self._endpoint is not None
        ids = self._tokenizer.render([QUESTION])
        body = {"model": self._model, "prompt": list(ids), "max_tokens": 4, "temperature": 0, "logprobs": 1}
        try:
            reply = await self._endpoint.post("/v1/completions", body | {"return_token_ids": True}, limit_s=SAMPLING_S)
        except (UpstreamRejected, SearchServiceError):
            return ok("the server reads text, not token ids")
        counted = _count(reply, "prompt_tokens")
        self.n_tokens += len(ids) + 4
        if counted is not None and counted != len(ids):
            return warning(f"the server read {counted} tokens where {len(ids)} ids were sent", "It is asked by text.")
        choices = reply.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        named, returned = _named_ids(choice.get("logprobs")), choice.get("token_ids")
        sampled = returned if isinstance(returned, list) and all(type(id_) is int for id_ in returned) else named
        if not sampled:
            return ok("the server reads token ids, and returns text")
        spelled, text = b"".join(map(self._tokenizer.token_bytes, sampled)).decode(errors="replace"), choice.get("text")
        if isinstance(text, str) and "\ufffd" not in spelled + text and spelled.strip() != text.strip():
            return failed(f"the ids that the server sampled spell {spelled!r}, its text is {text!r}", NOT_OURS)
        return ok("the server reads token ids, and " + ("returns them" if sampled is returned else "names them"))


def _named_ids(log_probs: object) -> list[int]:
    """The ids that llama.cpp names in its log probabilities."""
    content = log_probs.get("content") if isinstance(log_probs, dict) else None
    ids = [entry.get("id") for entry in content if isinstance(entry, dict)] if isinstance(content, list) else []
    return [id_ for id_ in ids if type(id_) is int]


def _count(reply: dict[str, Any], name: str) -> int | None:
    usage = reply.get("usage")
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if type(count) is int else None
