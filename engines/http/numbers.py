"""Numbers in the responses of servers, which may be anything."""

import sys

ROUNDING = 1e-3
"""By how much a server's log probability of a certain token may exceed 0."""


def is_number(value: object) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_log_prob(value: object) -> bool:
    """Whether a JSON value is the logarithm of a probability, up to rounding."""
    return is_number(value) and isinstance(value, float | int) and value <= ROUNDING
