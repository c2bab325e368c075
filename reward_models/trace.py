"""What every reward model asks of a trace before it does anything."""

from collections.abc import Sequence

from epf.core.errors import InvalidRequest


def check_trace(problem: str, steps: Sequence[str]) -> None:
    """Raise ``InvalidRequest`` if there is nothing to score, or text that no tokenizer can read."""
    if not steps:
        raise InvalidRequest("steps is empty, there is nothing to score", param="steps")
    for param, text in (("problem", problem), *(("steps", step) for step in steps)):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidRequest(f"{param} holds half of a surrogate pair: send valid Unicode", param=param) from None
