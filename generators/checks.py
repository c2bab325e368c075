"""What every generator refuses before it samples."""

from epf.core.errors import ContextTooLong, InvalidRequest
from epf.core.generator import Sampling


def step_limit(prefix_ids: tuple[int, ...], sampling: Sampling, *, name: str, vocabulary: int, context_length: int) -> int:
    """Most tokens of a step after ``prefix_ids``: as many as are asked for and have room.

    Raises:
        InvalidRequest: no tokens are asked for, or the prefix is empty or has ids that the model does not know.
        ContextTooLong: there is no room for one.
    """
    if sampling.max_tokens < 1:
        raise InvalidRequest(f"max_tokens is {sampling.max_tokens}, it must be at least 1", param="max_tokens")
    if not prefix_ids or min(prefix_ids) < 0 or max(prefix_ids) >= vocabulary:
        raise InvalidRequest(f"prefix_ids must hold at least one token id in 0..{vocabulary - 1}", param="prefix_ids")
    room = context_length - len(prefix_ids)
    if room < 1:
        raise ContextTooLong(
            f"{len(prefix_ids)} tokens leave no room for a step: {name} has a context of {context_length} tokens"
        )
    return min(sampling.max_tokens, room)
