"""How much of a text that still grows can be shown."""

from collections.abc import Iterable


def certain(text: str, endings: Iterable[str]) -> str:
    """Return ``text`` up to the first of ``endings``, and without what may be the beginning of one at its end."""
    found = min((at for ending in endings if (at := text.find(ending)) >= 0), default=None)
    if found is not None:
        return text[:found]
    begun = (n for ending in endings for n in range(1, len(ending)) if text.endswith(ending[:n]))
    return text[: len(text) - max(begun, default=0)]
