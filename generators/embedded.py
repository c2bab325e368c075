"""The generators that ship with this package: small Llama models in ONNX Runtime, no GPU and no download."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from epf.core.errors import GeneratorError
from epf.core.generator import Abilities, Finish, Message, Sampling, Step
from epf.engines.onnx.batcher import Batcher
from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.pairs import DEFAULT_PAIR
from epf.engines.onnx.prefix_cache import PrefixCache
from epf.engines.onnx.stepper import SampledStep, Stepper, StepRequest
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.steps import StepReader, step_limit


class EmbeddedGenerator:
    """Samples steps from a model directory; see :class:`epf.core.generator.Generator`.

    Args:
        directory: Hugging Face directory with ``model.onnx``.
        max_rows: maximum number of particles that decode at the same time; others wait.
        max_cache_bytes: maximum memory for the keys and values of prefixes that may be needed again.
        n_threads: number of threads of ONNX Runtime.
    """

    def __init__(
        self,
        directory: Path | str = DEFAULT_PAIR.generator,
        *,
        max_rows: int = 256,
        max_cache_bytes: int = 64 * 2**20,
        n_threads: int = 1,
    ) -> None:
        directory = Path(directory)
        self._config = load_config(directory)
        self._tokenizer = ChatTokenizer(directory)
        without_text = self._tokenizer.special_ids | set(range(self._tokenizer.size, self._config.vocabulary))
        forbidden = np.array(sorted(without_text - self._tokenizer.eos_ids), np.int64)
        decoder = Decoder(directory, self._config, max_rows, n_threads)
        self._stepper = Stepper(decoder, PrefixCache(max_cache_bytes), max_rows, forbidden)
        self._batcher: Batcher[StepRequest, SampledStep] = Batcher(f"generator {self.name}", self._stepper, GeneratorError)

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return self._config.name

    @property
    def description(self) -> str:
        """How the model runs, and its context."""
        return f"embedded in this process, context of {self.context_length} tokens"

    @property
    def abilities(self) -> Abilities:
        """It can do everything, and a cancelled step leaves the batch at the next token."""
        return Abilities(cancels=True)

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of prompt and continuation together."""
        return self._config.context_length

    @property
    def n_computed(self) -> int:
        """Number of tokens that the model has computed so far, including prompts, without those read from the cache."""
        return self._stepper.n_computed

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
        """Sample one step after ``prefix_ids``; cancelling the call ends the row at the next token."""
        limit = step_limit(
            prefix_ids, sampling, name=self.name, vocabulary=self._config.vocabulary, context_length=self.context_length
        )
        reader = StepReader(prefix_ids, sampling.separator, self._tokenizer.eos_ids, self._tokenizer.token_bytes)
        add = reader.add if sampling.on_text is None else _showing(reader, sampling.on_text)
        if sampling.on_tokens is not None:
            add = _counting(add, sampling.on_tokens)
        n_top = sampling.top_log_probs
        request = StepRequest(tuple(prefix_ids), limit, sampling.temperature, sampling.top_p, seed, n_top, add)
        sampled = await self._batcher.run(request)
        top = (tuple((self.token_bytes(id_), log_prob) for id_, log_prob in one) for one in sampled.top)
        return reader.step(sampled.finish, sampled.log_probs, top)

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call would fail now."""
        self._batcher.check()

    async def aclose(self) -> None:
        """Fail open calls and end the thread."""
        await self._batcher.aclose()


def _counting(add: Callable[[int], Finish | None], on_tokens: Callable[[int], None]) -> Callable[[int], Finish | None]:
    """``add`` that reports the number of tokens so far."""
    n_tokens = 0

    def counted(token_id: int) -> Finish | None:
        nonlocal n_tokens
        n_tokens += 1
        on_tokens(n_tokens)
        return add(token_id)

    return counted


def _showing(reader: StepReader, on_text: Callable[[str], None]) -> Callable[[int], Finish | None]:
    """``reader.add`` for the engine's thread, which shows the text in the event loop of the caller."""
    loop = asyncio.get_running_loop()

    def add(token_id: int) -> Finish | None:
        finish = reader.add(token_id)
        with suppress(RuntimeError):  # the loop of a caller that has left is closed
            loop.call_soon_threadsafe(on_text, reader.text)
        return finish

    return add
