"""A generator in vLLM, in this process: one request per step, by token ids, and the prefix cache serves all before it.

vLLM stops in two places. Its scheduler stops at a token id, so it is given every token that holds the whole separator, which
ends most steps. Its detokeniser, which sees a token later, stops at a text: that ends the steps whose separator falls into
several tokens. Where the step ends is decided here, over the same bytes as for every other generator.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from embedded.hub import model_directory, model_name
from embedded.tokenizer import ChatTokenizer
from embedded.vllm import VllmEngine, check_installed, start_engine
from errors import GeneratorError
from generators.checks import step_limit
from generators.protocol import Message, Sampling, Step
from generators.steps import read_step

LARGEST_SEED = 2**63 - 1
SEPARATORS_KEPT = 64


class VllmGenerator:
    """Samples steps from an engine; see :class:`generators.protocol.Generator`.

    Args:
        engine: closed with this object.
        tokenizer: of the engine's model.
        name: of that model.
        params: ``vllm.SamplingParams``.
    """

    def __init__(self, engine: VllmEngine, tokenizer: ChatTokenizer, name: str, params: Callable[..., Any]) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._name = name
        self._params = params
        self._stops = lru_cache(maxsize=SEPARATORS_KEPT)(self._find_stops)

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and continuation together."""
        return self._engine.context_length

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._tokenizer.render(messages)

    def token_bytes(self, token_id: int) -> bytes:
        """What this token adds to the text, UTF-8 that may begin or end within a character; nothing for a special token."""
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
        output = await self._engine.generate(prefix_ids, self._params_of(sampling, limit, seed))
        (sampled,) = output.outputs
        log_probs = [at[id_].logprob for id_, at in zip(sampled.token_ids, sampled.logprobs, strict=True)]
        step = read_step(
            sampled.token_ids, log_probs, prefix_ids, sampling.separator, self._tokenizer.eos_ids, self._tokenizer.token_bytes
        )
        if step.finish == "length" and len(step.token_ids) < limit:
            raise GeneratorError(f"the generator's engine ended a step before its end ({sampled.finish_reason})")
        return step

    async def ready(self) -> None:
        """Raise GeneratorError if a call would fail now."""
        await self._engine.check()

    async def aclose(self) -> None:
        """Fail open calls and end the engine's process."""
        await self._engine.aclose()

    def _params_of(self, sampling: Sampling, limit: int, seed: int) -> Any:
        from vllm.sampling_params import RequestOutputKind

        stop_ids, stop_texts = self._stops(sampling.separator)
        return self._params(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=seed & LARGEST_SEED,
            max_tokens=limit,
            logprobs=0,
            ignore_eos=True,  # its own end tokens, which are among ours
            stop_token_ids=stop_ids,
            stop=stop_texts,
            detokenize=bool(stop_texts),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _find_stops(self, separator: str) -> tuple[list[int], list[str]]:
        """Tokens that end a step by themselves, and texts that may end it over several tokens."""
        eos_ids = sorted(self._tokenizer.eos_ids)
        if not separator:
            return eos_ids, []
        within = self._tokenizer.tokens_with(separator)
        return [*eos_ids, *within], [separator] if len(separator.encode()) > 1 else []


def load_vllm(model: str, *, tokenizer: str | Path | None = None, **options: Any) -> VllmGenerator:
    """Start vLLM with a model.

    Args:
        model: a directory, or a name on the Hugging Face hub.
        tokenizer: directory or name of the tokenizer's files, if not in ``model``.
        options: further arguments of vLLM's ``AsyncEngineArgs``, such as ``dtype`` or ``gpu_memory_utilization``.

    Raises:
        InvalidRequest: vLLM is not installed, does not know an option, or there is no such model.
        ValueError: the model has no chat template.
    """
    check_installed("generator")
    from vllm import SamplingParams

    if tokenizer is not None:
        options["tokenizer"] = str(tokenizer)
    directory = model_directory(tokenizer or model, setting="generator_tokenizer" if tokenizer else "generator_name")
    chat = ChatTokenizer(directory)
    engine = start_engine("the generator", GeneratorError, model=model, **options)
    return VllmGenerator(engine, chat, model_name(model), SamplingParams)
