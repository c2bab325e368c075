"""Names that callers choose, as labels in pictures."""

MAX_CHARS = 40
"""Maximum length of a label in characters. Longer ones would leave no room for the picture, and take seconds to draw."""


def label(name: object) -> str:
    """A name on one line, shortened, whose dollar signs are dollar signs: between two of them matplotlib reads a formula."""
    line = " ".join(str(name).split())
    shown = line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"
    return shown.replace("$", r"\$")
