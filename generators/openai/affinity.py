"""Which steps belong together: those of one prompt, told by their token ids alone.

A step's prefix is the prompt and what the model wrote after it. The prompt ends with what the chat template writes after the
last message, up to the assistant's first token; the model writes that nowhere, since it begins with the end of a turn. So the
last place where a prefix holds it is where its prompt ends, whatever was sampled since.
"""

from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import takewhile

from epf.core.generator import Message

FIRST_IDS = 64
"""So many of the first ids tell prompts apart where the template writes nothing after a message."""


class Affinity:
    """Names the prompt of a prefix. ``render`` is that of the model's tokenizer."""

    def __init__(self, render: Callable[[Sequence[Message]], tuple[int, ...]]) -> None:
        one, other = (render([Message("user", text)])[::-1] for text in ("1", "What?"))
        common = [ids[0] for ids in takewhile(lambda ids: ids[0] == ids[1], zip(one, other, strict=False))]
        self._ending = _data(common[::-1])

    def __call__(self, prefix_ids: Sequence[int]) -> str:
        """The same for all steps of a search, and for all searches of one prompt."""
        data = _data(prefix_ids)
        at = data.rfind(self._ending) if self._ending else -1
        prompt = data[: at + len(self._ending)] if at >= 0 else data[: FIRST_IDS * array("I").itemsize]
        return blake2b(prompt, digest_size=16).hexdigest()


def _data(ids: Sequence[int]) -> bytes:
    return array("I", ids).tobytes()
