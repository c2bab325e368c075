"""Attention maps and hidden states of a model that reads a trace: input for ``attention`` and ``features``.

The model is a directory in Hugging Face's format: ``config.json``, safetensors, tokenizer and chat template. Nothing is
downloaded, and no code from the directory is run. Needs the extra ``torch``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epf.core.errors import InvalidRequest
from epf.core.extras import import_extra
from epf.entropy.core.checks import refuse
from epf.entropy.traces import Trace

SEPARATOR = "\n\n"
"""Follows each step but the last, if the trace has no token ids."""


@dataclass(frozen=True, slots=True)
class Internals:
    """Attention and hidden states on the t tokens of the prompt and the trace.

    Attributes:
        token_ids: prompt and trace, ``(t,)``.
        step_of: number of each token's step, from 0; None in the prompt.
        attention: attention maps, ``(l, h, t, t)``.
        hidden: states after each layer, starting with the embedding, ``(l + 1, t, d)``.
    """

    token_ids: tuple[int, ...]
    step_of: tuple[int | None, ...]
    attention: NDArray[np.float32]
    hidden: NDArray[np.float32]


class Reader:
    """A model that reads traces."""

    def __init__(self, directory: Path) -> None:
        """Loads the model.

        Raises:
            InvalidRequest: The directory does not contain a model that can be loaded.
            NotInstalled: torch or transformers is missing.
        """
        self._torch, transformers = import_extra("torch", "torch"), import_extra("transformers", "torch")
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        if not (directory / "config.json").is_file():
            raise InvalidRequest(f"{directory} has no config.json: give a directory that contains a model.", param="model")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
            self._model = transformers.AutoModel.from_pretrained(
                directory, attn_implementation="eager", dtype=self._torch.float32, local_files_only=True
            ).eval()
        except (OSError, ValueError) as error:
            raise InvalidRequest(f"Cannot load a model from {directory}: {error}.", param="model") from error

    def read(self, trace: Trace, field: str) -> Internals:
        """Reads a trace, which errors call ``field``.

        Raises:
            InvalidRequest: The trace has no problem or no steps, or does not fit the model.
        """
        ids, step_of = self._tokens(trace, field)
        config = self._model.config
        limit = getattr(config, "max_position_embeddings", None) or len(ids)
        if len(ids) > limit:
            raise refuse(field, f"has {len(ids)} tokens including its prompt", f"the model reads at most {limit}")
        if max(ids) >= config.vocab_size:
            fix = f"the ids of this model are 0 to {config.vocab_size - 1}; give its own ids, or leave them out"
            raise refuse(f"{field}.token_ids", f"contains {max(ids)}", fix)
        with self._torch.inference_mode():
            out = self._model(self._torch.tensor([ids]), output_attentions=True, output_hidden_states=True, use_cache=False)
        return Internals(tuple(ids), tuple(step_of), _stacked(out.attentions), _stacked(out.hidden_states))

    def _tokens(self, trace: Trace, field: str) -> tuple[list[int], list[int | None]]:
        if trace.problem is None:
            raise refuse(f"{field}.problem", "is missing", "give the problem, which comes first in the model's input")
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
        """Token ids of the problem in the chat template; without a template, the problem is followed by a blank line."""
        if self._tokenizer.chat_template is None:
            return self._encode(problem + SEPARATOR)
        message = {"role": "user", "content": problem}
        return self._encode(self._tokenizer.apply_chat_template([message], add_generation_prompt=True, tokenize=False))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))


def _stacked(layers: Any) -> NDArray[np.float32]:
    """Stacks tensors ``(1, ...)``, one per layer, into one array."""
    return np.stack([layer[0].numpy() for layer in layers])
