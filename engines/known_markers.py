"""Markers of turns in texts for servers whose tokenizer is not at hand.

Such a server may read a marker in a text as a token, wherever the text comes from. Published templates write their markers in
few forms, which hardly any other text has.
"""

import re
from typing import Final
from unicodedata import category, normalize

FORMS: Final = re.compile(
    r"<[|｜](?=[\w▁/.:-]*[^\W\d_]{2})[\w▁/.:-]{3,64}[|｜]>"  # <|im_start|>, <｜User｜>; not the absolute values in 0<|x|>1
    r"|<\|(?:turn|channel|tool(?:_call|_response)?)>|<(?:turn|channel|tool(?:_call|_response)?)\|>"
    r"|<(?:start|end)_of_(?:turn|utterance|text|role)>"
    r"|<(?:bos|eos|sop|eop|eoh|eoa|eot|BOS_TOKEN|EOS_TOKEN)>|\[(?:BOS|EOS|gMASK)\]|<seed:[a-z_]+>"
    r"|<(?:extra(?:_id)?|unused|reserved)_?\d{1,4}>|<role>[A-Z]{2,32}</role>|<(?:用户|AI)>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>|\[\|[a-z]{4,32}\|\]|\]~[!b]|\[e~\["
)
"""Forms of markers: of ChatML, Llama, DeepSeek, Gemma, Mistral, EXAONE, GLM, Ling, MiniCPM, MiniMax, Seed and their like."""

_CLOSED, _OPENED = "</s>", "<s>"


def marker_in(text: str) -> str | None:
    """The first marker in a text, also one that appears only when a tokenizer normalizes it; None without one.

    ``</s>`` is a tag of HTML as well, so that it counts only where no ``<s>`` opens it.
    """
    plain = _normalized(text)
    found = FORMS.search(text) or FORMS.search(plain)
    if found is not None:
        return found[0]
    return _CLOSED if plain.count(_CLOSED) > plain.count(_OPENED) else None


def without_markers(text: str) -> str:
    """A text whose markers are broken up by a space, so that they are ordinary text for every tokenizer."""
    if marker_in(text) is None:
        return text
    broken = _broken(text)
    return broken if marker_in(broken) is None else _broken(_normalized(text))


def _broken(text: str) -> str:
    spaced = FORMS.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return spaced.replace(_CLOSED, "< /s>")


def _normalized(text: str) -> str:
    """The text in its compatibility form and without invisible characters."""
    if text.isascii():
        return text
    return "".join(character for character in normalize("NFKC", text) if category(character) != "Cf")
