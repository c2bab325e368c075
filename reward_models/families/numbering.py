"""Numbered steps, which some families were trained on."""

import re

_NUMBERED = re.compile(r"Step \d+:")


def numbered(step: str, number: int) -> str:
    """Return a step that begins with "Step", its number and a colon; as it is if it begins so already."""
    step = step.strip()
    return step if _NUMBERED.match(step) else f"Step {number}: {step}".strip()
