"""A process reward model in vLLM, in this process: one request per new step, for which the prefix cache holds all before it.

The prompt ends where the newest step is scored (see :mod:`epf.reward_models.families.family`), so that only one position has to
be read. A head that vLLM can pool at the last token is requested with ``classify``, which reads the prefix cache by itself.
A head at every token is requested with ``token_classify``, which skips the cache by default. With the cache it returns one row
for each computed token, and the last row belongs to the newest step. (vLLM's ``STEP`` pooling counts positions from the start
of the prompt, so it goes wrong where tokens were cached.) A language model that answers with one of two tokens is loaded as a
classifier whose weights are the rows of these tokens in the output matrix.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from epf.core.errors import RewardModelError
from epf.engines.hub import model_directory, model_name
from epf.engines.onnx.config import read_json
from epf.engines.vllm import VllmEngine, check_installed, start_engine
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.families.family import Family, Read
from epf.reward_models.families.registry import load_family

TASKS: dict[Read, str] = {"sequence": "classify", "next_token": "classify", "tokens": "token_classify"}


class VllmBackend:
    """An engine with the pooling runner; see :class:`epf.reward_models.backend.ScoringBackend`.

    Args:
        engine: closed with this object.
        family: family of the engine's model.
        params: ``vllm.PoolingParams``.
    """

    def __init__(self, engine: VllmEngine, family: Family, params: Callable[..., Any]) -> None:
        self._engine = engine
        self._family = family
        self._params = params

    async def context_length(self) -> int:
        """Maximum number of tokens of one prompt."""
        return self._engine.context_length

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """Return the newest step's values; the prefix cache is skipped only if it hides them."""
        values, n_computed = await self._read(ids, read_cache=True)
        if len(values) < self._family.n_values:
            values, n_computed = await self._read(ids, read_cache=False)
        if self._family.read == "tokens" and len(values) == n_computed * self._family.n_values:
            values = values[-self._family.n_values :]
        return values, n_computed

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if the engine's process has ended."""
        await self._engine.check()

    async def aclose(self) -> None:
        """End the engine's process. A second call does nothing."""
        await self._engine.aclose()

    async def _read(self, ids: tuple[int, ...], *, read_cache: bool) -> tuple[list[float], int]:
        """Return all values of the engine, row by row, and the number of tokens that it computed."""
        task = TASKS[self._family.read]
        params = self._params(task=task, use_activation=False, skip_reading_prefix_cache=not read_cache)
        output = await self._engine.encode(ids, params)
        return output.outputs.data.flatten().tolist(), len(ids) - int(output.num_cached_tokens)


def load_vllm(model: str, family: str, *, tokenizer: str | Path | None = None, **options: Any) -> FamilyRewardModel:
    """Start vLLM with a model.

    Args:
        model: a directory, or a name on the Hugging Face hub.
        family: name of the family in :data:`epf.reward_models.families.registry.FAMILIES`.
        tokenizer: directory or hub name of the tokenizer, if ``model`` has none.
        options: additional arguments of vLLM's ``AsyncEngineArgs``, such as ``dtype`` or ``gpu_memory_utilization``.

    Raises:
        InvalidRequest: vLLM is not installed or does not know an option, or the model or family does not exist.
        ValueError, FileNotFoundError: the tokenizer does not belong to this family.
    """
    check_installed("reward_model", model)
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
    return FamilyRewardModel(
        VllmBackend(engine, loaded, PoolingParams), loaded, model_name(model), f"family {family}, vLLM in this process"
    )


def answers_as_labels(family: Family, directory: Path) -> dict[str, Any]:
    """Return the ``--hf-overrides`` that make vLLM classify with two rows of the output matrix."""
    (architecture,) = read_json(directory / "config.json")["architectures"]
    return {
        "architectures": [architecture.replace("ForCausalLM", "ForSequenceClassification")],
        "classifier_from_token": list(family.answers),
        "method": "no_post_processing",
    }
