"""The text of a step while its server sends it, as far as nothing that follows can change it."""

from collections.abc import Callable, Sequence

from epf.core.endings import certain
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.steps import StepReader

OnText = Callable[[str], None]

SPARE_TOKENS = 8
"""A text is shown as long as this number of tokens may follow: where a step is cut is known only at its end."""


class StepSoFar:
    """Shows what a server sends of one step; it may begin with token ids or with text.

    Args:
        on_text: gets the text so far.
        reader: reads the step's token ids.
        separator: text that ends the step; empty for none.
        tokenizer: tokenizer of the model.
        max_tokens: maximum number of tokens of the step.
    """

    def __init__(self, on_text: OnText, reader: StepReader, separator: str, tokenizer: ChatTokenizer, max_tokens: int) -> None:
        self._on_text = on_text
        self._reader = reader
        self._endings = (*tokenizer.special_names, *([separator] if separator else []))
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._n_read = 0
        self._ended = False
        self._n_bytes = self._n_tokens = 0

    def __call__(self, text: str, token_ids: Sequence[int] | None) -> None:
        """Show the text, or what the token ids spell if there are any; both are all that was sent so far."""
        if token_ids is None:
            shown = certain(text, self._endings)
            if self._fits(shown):
                self._on_text(shown)
            return
        for token_id in token_ids[self._n_read :]:
            self._ended = self._ended or self._reader.add(token_id) is not None
        self._n_read = len(token_ids)
        self._on_text(self._reader.text)

    def _fits(self, text: str) -> bool:
        """Whether the step holds all of the text. Each further byte is at most one token, so few texts are tokenized."""
        n_bytes = len(text.encode())
        if self._n_tokens + n_bytes - self._n_bytes > self._max_tokens - SPARE_TOKENS:
            self._n_bytes, self._n_tokens = n_bytes, len(self._tokenizer.encode(text))
        return self._n_tokens + n_bytes - self._n_bytes <= self._max_tokens - SPARE_TOKENS
