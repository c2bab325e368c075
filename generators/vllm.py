"""A generator in vLLM, in this process: one request per step, by token ids, for which the prefix cache holds all before it.

Tokens are read as they arrive, and the request ends with the step. vLLM gets the tokens that end a step by themselves, so that
it samples nothing after them in vain. If a separator is spread over several tokens, it samples one or two tokens too many.

The same seed and prefix give the same step up to vLLM's arithmetic. The last bits of its sums depend on what else is in the
batch and on what was cached. In float32 on a CPU, this changes no token in our tests; at a GPU's lower precision, it may.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from epf.core.errors import GeneratorError
from epf.core.generator import Abilities, Finish, Message, Sampling, Step, TopTokens
from epf.engines.hub import model_directory, model_name
from epf.engines.tokenizer import ChatTokenizer
from epf.engines.vllm import VllmEngine, check_installed, start_engine
from epf.generators.steps import StepReader, step_limit

LARGEST_SEED = 2**63 - 1
MAX_SEPARATORS_CACHED = 64
MAX_STOP_TOKENS = 64


class VllmGenerator:
    """Samples steps from an engine; see :class:`epf.core.generator.Generator`.

    Args:
        engine: closed with this object.
        tokenizer: tokenizer of the engine's model.
        name: name of the model.
        params: ``vllm.SamplingParams``.
    """

    def __init__(self, engine: VllmEngine, tokenizer: ChatTokenizer, name: str, params: Callable[..., Any]) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._name = name
        self._params = params
        self._stop_ids = lru_cache(maxsize=MAX_SEPARATORS_CACHED)(self._find_stop_ids)

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return self._name

    @property
    def description(self) -> str:
        """How the model runs, and its context."""
        return f"vLLM in this process, context of {self.context_length} tokens"

    @property
    def abilities(self) -> Abilities:
        """It can do everything, and a cancelled step leaves the engine's batch at once."""
        return Abilities(cancels=True)

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of prompt and continuation together."""
        return self._engine.context_length

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._tokenizer.render(messages)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that the model continues without its chat template."""
        return self._tokenizer.text_ids(text)

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text: UTF-8 that may begin or end within a character; empty for special tokens."""
        return self._tokenizer.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call ends the engine's request."""
        limit = step_limit(
            prefix_ids,
            sampling,
            name=self._name,
            vocabulary=self._engine.vocabulary,
            context_length=self.context_length,
        )
        reader = StepReader(prefix_ids, sampling.separator, self._tokenizer.turn_end_ids, self._tokenizer.token_bytes)
        log_probs: list[float] = []
        top: list[TopTokens] = []
        finish: Finish | None = None

        def is_over(output: Any) -> bool:
            nonlocal finish
            (new,) = output.outputs
            for token_id, log_prob in zip(new.token_ids, new.logprobs, strict=True):
                log_probs.append(log_prob[token_id].logprob)
                if sampling.top_log_probs:
                    top.append(self._top(log_prob, sampling.top_log_probs))
                finish = reader.add(token_id)
                if finish is not None:
                    break
            if sampling.on_tokens is not None:
                sampling.on_tokens(len(log_probs))
            if sampling.on_text is not None:
                sampling.on_text(reader.text)
            return finish is not None

        await self._engine.generate(prefix_ids, self._params_of(sampling, limit, seed), is_over)
        if finish is None and len(log_probs) < limit:
            raise GeneratorError("The engine of the generator ended a step too early.")
        return reader.step(finish or "length", log_probs, top)

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call would fail now."""
        await self._engine.check()

    async def aclose(self) -> None:
        """Fail open calls and end the engine's process."""
        await self._engine.aclose()

    def _top(self, log_probs: Mapping[int, Any], n: int) -> TopTokens:
        """The ``n`` most likely tokens of one position, for which vLLM lists the sampled one as well, wherever it ranks."""
        ranked = sorted(log_probs.items(), key=lambda item: -item[1].logprob)[:n]
        return tuple((self.token_bytes(id_), one.logprob) for id_, one in ranked if one.logprob > -math.inf)

    def _params_of(self, sampling: Sampling, limit: int, seed: int) -> Any:
        from vllm.sampling_params import RequestOutputKind

        return self._params(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=seed & LARGEST_SEED,
            max_tokens=limit,
            logprobs=sampling.top_log_probs,
            ignore_eos=True,  # its end tokens are among ours
            stop_token_ids=self._stop_ids(sampling.separator),
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _find_stop_ids(self, separator: str) -> list[int]:
        """Tokens that end a step by themselves; only the shortest if there are many, since vLLM scans them at every token."""
        within = self._tokenizer.tokens_with(separator) if separator else ()
        shortest = sorted(within, key=lambda id_: len(self._tokenizer.token_bytes(id_)))
        return [*sorted(self._tokenizer.turn_end_ids), *shortest[:MAX_STOP_TOKENS]]


def generator_on(engine_client: Any, *, name: str) -> VllmGenerator:
    """The generator of an engine that vLLM's own server runs and ends; do not close it. ``name`` is what the server calls it.

    Raises:
        ValueError: the model has no chat template.
    """
    from vllm import SamplingParams

    directory = model_directory(engine_client.model_config.tokenizer, setting="tokenizer")
    engine = VllmEngine(engine_client, "the generator", GeneratorError)
    return VllmGenerator(engine, ChatTokenizer(directory), name, SamplingParams)


def load_vllm(model: str, *, tokenizer: str | Path | None = None, **options: Any) -> VllmGenerator:
    """Start vLLM with a model.

    Args:
        model: a directory, or a name on the Hugging Face hub.
        tokenizer: directory or hub name of the tokenizer, if ``model`` has none.
        options: additional arguments of vLLM's ``AsyncEngineArgs``, such as ``dtype`` or ``gpu_memory_utilization``.

    Raises:
        InvalidRequest: vLLM is not installed or does not know an option, or the model does not exist.
        ValueError: the model has no chat template.
    """
    check_installed("generator", model)
    from vllm import SamplingParams
    from vllm.platforms import current_platform

    if tokenizer is not None:
        options["tokenizer"] = str(tokenizer)
    directory = model_directory(tokenizer or model, setting="generator.tokenizer" if tokenizer else "generator.name")
    chat = ChatTokenizer(directory)
    if current_platform.is_cpu():
        # If a prompt is read in chunks, vLLM resets a seeded random generator, which ends the engine on a CPU.
        options.setdefault("enable_chunked_prefill", False)
    engine = start_engine("the generator", GeneratorError, model=model, **options)
    return VllmGenerator(engine, chat, model_name(model), SamplingParams)
