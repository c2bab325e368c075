"""The process reward models that ship with this package: small Llama models with one output, in ONNX Runtime."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from epf.core.errors import ContextTooLong, RewardModelError
from epf.core.generator import Message
from epf.core.off_loop import off_loop
from epf.core.reward_model import Score
from epf.engines.onnx.batcher import Batcher
from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.pairs import DEFAULT_PAIR
from epf.engines.onnx.prefix_cache import PrefixCache
from epf.engines.onnx.scorer import Scorer, ScoreRequest, ScoreResult
from epf.engines.tokenizer import ChatTokenizer, TextTokenizer
from epf.reward_models.base import check_trace
from epf.reward_models.families.embedded import SEPARATOR


class EmbeddedRewardModel:
    """Scores steps with a model directory; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        directory: Hugging Face directory with ``model.onnx``, a sequence classifier with one label.
        max_cache_bytes: maximum memory for the keys and values of traces that may be extended.
        n_threads: number of threads of ONNX Runtime.
    """

    def __init__(
        self,
        directory: Path | str = DEFAULT_PAIR.reward_model,
        *,
        max_cache_bytes: int = 64 * 2**20,
        n_threads: int = 1,
    ) -> None:
        directory = Path(directory)
        self._config = load_config(directory)
        self._tokenizer = ChatTokenizer(directory)
        self._separator_ids = self._tokenizer.encode(SEPARATOR)
        self._step_ids = TextTokenizer(directory, markers=(SEPARATOR,)).text
        scorer = Scorer(Decoder(directory, self._config, 1, n_threads), PrefixCache(max_cache_bytes))
        self._batcher: Batcher[ScoreRequest, ScoreResult] = Batcher(f"reward model {self.name}", scorer, RewardModelError)

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return self._config.name

    @property
    def description(self) -> str:
        """How the model runs."""
        return "embedded in this process"

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps`` given ``problem`` and the steps before it."""
        check_trace(problem, steps)
        ids, boundaries = await off_loop(len(problem) + sum(map(len, steps)), partial(self._ids, problem, steps))
        if len(ids) > self._config.context_length:
            limit = self._config.context_length
            raise ContextTooLong(f"The trace has {len(ids)} tokens, but {self.name} has a context of {limit} tokens.")
        result = await self._batcher.run(ScoreRequest(tuple(ids), tuple(boundaries)))
        return Score(result.probability, result.n_tokens)

    def _ids(self, problem: str, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """Token ids of a trace, and where the problem and each step end in them."""
        ids = list(self._tokenizer.render([Message("user", problem)]))
        boundaries = [len(ids)]
        for step in steps:
            ids.extend(self._step_ids(step) + self._separator_ids)
            boundaries.append(len(ids))
        return ids, boundaries

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now."""
        self._batcher.check()

    async def aclose(self) -> None:
        """Fail open calls and end the thread."""
        await self._batcher.aclose()
