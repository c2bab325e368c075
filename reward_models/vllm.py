"""A process reward model in vLLM, in this process: one request per new step, and the prefix cache serves all before it.

The prompt ends where the newest step is judged (see :mod:`epf.reward_models.families.family`), so one position is all that has
to be read. A head that vLLM can pool at the last token is asked with ``classify``, which reads the prefix cache by itself. A
head at every token is asked with ``token_classify``, which skips the cache unless it is told not to; then it returns a row for
each computed token, the last of which is the newest step's. (Its ``STEP`` pooling counts positions from the start of the
prompt, so it goes wrong where tokens were cached.) A language model that answers with one of two tokens is loaded as a
classifier whose weights are these tokens' rows of the output matrix.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from epf.core.errors import RewardModelError
from epf.engines.hub import model_directory, model_name
from epf.engines.onnx.config import read_json
from epf.engines.vllm import VllmEngine, check_installed, start_engine
from epf.reward_models.families.family import Family, Read
from epf.reward_models.families.registry import load_family
from epf.reward_models.pooled import PooledRewardModel

TASKS: dict[Read, str] = {"sequence": "classify", "next_token": "classify", "tokens": "token_classify"}


class VllmPool:
    """Asks an engine with the pooling runner; see :class:`epf.reward_models.pooled.Pool`.

    Args:
        engine: closed with this object.
        family: of the engine's model.
        params: ``vllm.PoolingParams``.
    """

    def __init__(self, engine: VllmEngine, family: Family, params: Callable[..., Any]) -> None:
        self._engine = engine
        self._family = family
        self._params = params

    async def context_length(self) -> int:
        """Most tokens of one prompt."""
        return self._engine.context_length

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """The newest step's values; the cache is left unread only where it hid them."""
        values, n_computed = await self._read(ids, read_cache=True)
        if len(values) < self._family.n_values:
            values, n_computed = await self._read(ids, read_cache=False)
        if self._family.read == "tokens" and len(values) == n_computed * self._family.n_values:
            values = values[-self._family.n_values :]
        return values, n_computed

    async def ready(self) -> None:
        """Raise if the engine's process has ended."""
        await self._engine.check()

    async def aclose(self) -> None:
        """End the engine's process. A second call does nothing."""
        await self._engine.aclose()

    async def _read(self, ids: tuple[int, ...], *, read_cache: bool) -> tuple[list[float], int]:
        """All values that the engine returns, one row after the other, and how many tokens it computed."""
        task = TASKS[self._family.read]
        params = self._params(task=task, use_activation=False, skip_reading_prefix_cache=not read_cache)
        output = await self._engine.encode(ids, params)
        return output.outputs.data.flatten().tolist(), len(ids) - int(output.num_cached_tokens)


def load_vllm(model: str, family: str, *, tokenizer: str | Path | None = None, **options: Any) -> PooledRewardModel:
    """Start vLLM with a model.

    Args:
        model: a directory, or a name on the Hugging Face hub.
        family: its name in :data:`epf.reward_models.families.registry.FAMILIES`.
        tokenizer: directory or name of the tokenizer's files, if not in ``model``.
        options: further arguments of vLLM's ``AsyncEngineArgs``, such as ``dtype`` or ``gpu_memory_utilization``.

    Raises:
        InvalidRequest: vLLM is not installed, does not know an option, there is no such model, or the family is not known.
        ValueError, FileNotFoundError: the tokenizer is not this family's.
    """
    check_installed("reward_model")
    from vllm import PoolingParams
    from vllm.config import PoolerConfig

    if tokenizer is not None:
        options["tokenizer"] = str(tokenizer)
    directory = model_directory(tokenizer or model, setting="reward_model.tokenizer" if tokenizer else "reward_model.name")
    loaded = load_family(family, directory)
    if loaded.read == "next_token":
        options["hf_overrides"] = answers_as_labels(loaded, directory)
    pooling = {"tok_pooling_type": "ALL"} if loaded.read == "tokens" else {"seq_pooling_type": "LAST"}
    pooler = PoolerConfig(task=TASKS[loaded.read], **pooling)
    engine = start_engine("the reward model", RewardModelError, model=model, runner="pooling", pooler_config=pooler, **options)
    return PooledRewardModel(VllmPool(engine, loaded, PoolingParams), loaded, model_name(model))


def answers_as_labels(family: Family, directory: Path) -> dict[str, Any]:
    """Overrides of the model's configuration (``--hf-overrides``) that make vLLM classify by two rows of the output matrix."""
    (architecture,) = read_json(directory / "config.json")["architectures"]
    return {
        "architectures": [architecture.replace("ForCausalLM", "ForSequenceClassification")],
        "classifier_from_token": list(family.answers),
        "method": "no_post_processing",
    }
