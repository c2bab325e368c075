"""Attention maps and hidden states of a model that reads a trace: input of ``attention`` and ``features``.

The model is a directory in the form of Hugging Face: ``config.json``, safetensors, tokenizer and chat template. Nothing is
downloaded and no code of the directory is run. Needs the extra ``torch``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epf.core.errors import InvalidRequest
from epf.core.extras import needed
from epf.entropy.core.checks import refuse
from epf.entropy.traces import Trace

SEPARATOR = "\n\n"
"""Stands after each step but the last, where the trace has no token ids."""


@dataclass(frozen=True, slots=True)
class Internals:
    """What went on in the model, on the prompt and the trace's tokens: t in all.

    Attributes:
        token_ids: prompt and trace, ``(t,)``.
        step_of: number of each token's step, from 0; None in the prompt.
        attention: maps, ``(l, h, t, t)``.
        hidden: states after each layer, the embedding first, ``(l + 1, t, d)``.
    """

    token_ids: tuple[int, ...]
    step_of: tuple[int | None, ...]
    attention: NDArray[np.float32]
    hidden: NDArray[np.float32]


class Reader:
    """A model that reads traces."""

    def __init__(self, directory: Path) -> None:
        """Load it.

        Raises:
            InvalidRequest: the directory holds no model that can be loaded.
            NotInstalled: torch or transformers is missing.
        """
        self._torch, transformers = needed("torch", "torch"), needed("transformers", "torch")
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        if not (directory / "config.json").is_file():
            raise InvalidRequest(f"{directory} has no config.json: give the directory of a model.", param="model")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
            self._model = transformers.AutoModel.from_pretrained(
                directory, attn_implementation="eager", dtype=self._torch.float32, local_files_only=True
            ).eval()
        except (OSError, ValueError) as error:
            raise InvalidRequest(f"Cannot load a model from {directory}: {error}.", param="model") from error

    def read(self, trace: Trace, field: str) -> Internals:
        """Read a trace; ``field`` is how errors name it.

        Raises:
            InvalidRequest: the trace has no problem or no steps, or does not fit the model.
        """
        ids, step_of = self._tokens(trace, field)
        config = self._model.config
        longest = getattr(config, "max_position_embeddings", None) or len(ids)
        if len(ids) > longest:
            raise refuse(field, f"has {len(ids)} tokens with its prompt", f"the model reads at most {longest}")
        if max(ids) >= config.vocab_size:
            raise refuse(
                f"{field}.token_ids", f"has {max(ids)}", f"the model knows 0 to {config.vocab_size - 1}: is it another's?"
            )
        with self._torch.inference_mode():
            out = self._model(self._torch.tensor([ids]), output_attentions=True, output_hidden_states=True, use_cache=False)
        return Internals(tuple(ids), tuple(step_of), _stacked(out.attentions), _stacked(out.hidden_states))

    def _tokens(self, trace: Trace, field: str) -> tuple[list[int], list[int | None]]:
        if trace.problem is None:
            raise refuse(f"{field}.problem", "is missing", "give the problem, which the model reads first")
        if not trace.steps:
            raise refuse(f"{field}.steps", "is empty", "give at least one step")
        ids = self._prompt(trace.problem)
        step_of: list[int | None] = [None] * len(ids)
        for k, step in enumerate(trace.steps):
            text = step if k == len(trace.steps) - 1 else step + SEPARATOR
            tokens = trace.token_ids[k] if trace.token_ids else self._encode(text)
            ids.extend(tokens)
            step_of.extend([k] * len(tokens))
        return ids, step_of

    def _prompt(self, problem: str) -> list[int]:
        """As the chat template lays it out; a model without one reads the problem and a blank line."""
        if self._tokenizer.chat_template is None:
            return self._encode(problem + SEPARATOR)
        message = {"role": "user", "content": problem}
        laid_out = self._tokenizer.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
        return self._encode(laid_out)

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))


def _stacked(layers: Any) -> NDArray[np.float32]:
    """Tensors ``(1, ...)``, one a layer, as one array."""
    return np.stack([layer[0].numpy() for layer in layers])
