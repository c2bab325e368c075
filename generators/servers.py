"""Generators behind OpenAI-compatible servers: by token ids or with a tokenizer where possible, by text otherwise."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from epf.core.errors import GeneratorError, InvalidRequest
from epf.core.generator import Generator
from epf.engines.http.dialect import Dialect
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.kinds import NAMES, ServerKind
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.engines.hub import model_directory
from epf.engines.onnx.config import read_json
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.chat.continuing import NO_ROUTE, Continuation
from epf.generators.chat.generator import ASSUMED_CONTEXT, ChatGenerator, cannot_continue
from epf.generators.chat.request import FIELDS
from epf.generators.chat.sampler import ask_for_continuation
from epf.generators.openai.contexts import context_length
from epf.generators.openai.discovery import ServedModel, find_model
from epf.generators.openai.generator import OpenAiGenerator

logger = logging.getLogger(__name__)

NEVER_BY_IDS: frozenset[ServerKind] = frozenset({"ollama", "lm_studio", "azure", "openai"})
"""Servers that take no token ids, and name their models as no tokenizer is named."""

FIRST_CONTACT_S = 10.0
"""Maximum time for a server to list its models, which takes no work: a wrong address should not cost a minute."""

OFFER_COMPLETIONS: frozenset[ServerKind] = frozenset({"vllm", "sglang", "llama.cpp", "ollama", "lm_studio", "tgi"})
"""Servers that are known to have ``/v1/completions``."""


def load_server(
    urls: Sequence[str],
    *,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    api_key: str | None = None,
    timeout_s: float = 60.0,
) -> Generator:
    """Connect to equivalent servers and ask them what they serve. Blocks, and needs a thread in which no event loop runs.

    Where a tokenizer is named, or found under the model's name, everything travels as token ids if the server takes them.
    Otherwise nothing but text is exchanged.

    Args:
        urls: base URLs of the servers.
        model: name of the model on the servers; required if they serve several, or if they do not list what they serve.
        tokenizer: directory or hub name of the model's tokenizer.
        api_key: API key for the servers.
        timeout_s: maximum wait between chunks of a response, in seconds.

    Raises:
        GeneratorError: no server responds, or the servers do not have this model.
        InvalidRequest: a tokenizer is named, but does not exist.
        ValueError: a URL is invalid, the tokenizer has no chat template, or the length of the context is unknown.
    """

    def connect(limit_s: float = timeout_s) -> Upstream:
        return Upstream(urls, GeneratorError, "the generator", api_key=api_key, timeout_s=limit_s)

    async def discover() -> ServedModel:
        async with aclosing(connect(min(timeout_s, FIRST_CONTACT_S))) as upstream:
            await upstream.loaded()
            return await find_model(upstream, model)

    served = asyncio.run(discover())
    directory = tokenizer_of(served, tokenizer)
    if directory is not None and asyncio.run(_offers_completions(connect(), served)):
        n_context = served.context_length or read_json(directory / "config.json").get("max_position_embeddings")
        if n_context is None:
            raise ValueError(f"Neither the server of {served.name} nor the tokenizer's config.json gives the context length.")
        servers, found_as = ", ".join(map(address, urls)), _found_as(directory, served, tokenizer)
        description = f"{NAMES[served.server]} at {servers}, with the tokenizer of {found_as}, context of {n_context} tokens"
        return OpenAiGenerator(connect(), ChatTokenizer(directory), served.name, n_context, description)
    dialect = Dialect("the generator", FIELDS)

    async def ask() -> tuple[Continuation, int | None]:
        """How they continue, and the length of the context, which some report only once they have loaded the model."""
        async with aclosing(connect()) as upstream:
            continuation = await ask_for_continuation(upstream, served, dialect)
            return continuation, served.context_length or await context_length(upstream, served.server, served.name)

    continuation, length = asyncio.run(ask())
    served = replace(served, context_length=length)
    for line in _losses(served, continuation, tokenizer=directory is not None):
        logger.warning("%s", line)
    return ChatGenerator(connect(), served, continuation, dialect)


async def _offers_completions(upstream: Upstream, served: ServedModel) -> bool:
    """Whether the servers have ``/v1/completions``; a server of an unknown kind is asked for one token."""
    async with aclosing(upstream):
        if served.server in OFFER_COMPLETIONS:
            return True
        try:
            await upstream.ask("/v1/completions", {"model": served.name, "prompt": "1", "max_tokens": 1})
        except UpstreamRejected as rejected:
            refusal = rejected.refusal
            return refusal.status not in NO_ROUTE or bool(refusal.code or refusal.named({"model"}))
        except GeneratorError:
            return True  # it answers in its own way, or not now: the first step shows how
        return True


def tokenizer_of(served: ServedModel, named: str | Path | None) -> Path | None:
    """Directory of the tokenizer that is named, or else of the one that has the model's name; None without one."""
    if named:
        return model_directory(named, setting="generator.tokenizer")
    if served.server in NEVER_BY_IDS:
        return None
    for name in dict.fromkeys(filter(None, (served.source, served.name))):
        try:
            return model_directory(name, setting="generator.tokenizer")
        except InvalidRequest:
            continue
    return None


def _found_as(directory: Path, served: ServedModel, named: str | Path | None) -> str:
    """The name under which the tokenizer in ``directory`` was found; the hub's cache has it in its paths."""
    source = served.source or served.name
    return str(named or (source if source.replace("/", "--") in str(directory).replace("/", "--") else served.name))


def _losses(served: ServedModel, continuation: Continuation, *, tokenizer: bool) -> list[str]:
    """What is not possible by text with this server, a sentence each. ``tokenizer`` is whether one is known."""
    kind = NAMES[served.server]
    why = "The server of the generator offers no /v1/completions" if tokenizer else f"No tokenizer of {served.name!r} is known"
    fix = "" if tokenizer else " Name one with --tokenizer or EPF_GENERATOR__TOKENIZER if you can."
    losses = [
        f"{why}, so its server ({kind}) is asked by text: there are no token ids, and it may tokenize a prefix otherwise "
        f"than it was sampled.{fix}"
    ]
    if continuation.style is None:
        losses.append(cannot_continue(served.server))
    if continuation.style == "text":
        losses.append(f"The server ({kind}) has no chats: the conversation is sent as plain text, without a chat template.")
    if not continuation.log_probs:
        losses.append(
            f"The server ({kind}) returns no log probabilities: the method ipf and log probabilities are not available."
        )
    if not continuation.counts:
        losses.append(
            f"The server ({kind}) counts no tokens: each piece that it streams counts as one, and prompts count as 0."
        )
    if served.context_length is None:
        losses.append(
            f"The server ({kind}) does not give the length of its context: limits are derived from {ASSUMED_CONTEXT} tokens."
        )
    return losses
