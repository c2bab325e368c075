"""The two ways in which an attempt at a request fails."""

from typing import Any

from epf.core.errors import ContextTooLong


class UpstreamRejected(Exception):
    """The server responded with a status that another attempt would not change."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.error = error

    @property
    def too_long(self) -> bool:
        """Whether the request is longer than the model's context, or than the server accepts."""
        code, param, kind, message = map(self.error.get, ("code", "param", "type", "message"))
        # Our own, vLLM's and llama.cpp's names for it; older versions of vLLM and other servers only mention it in the message.
        named = code == ContextTooLong.code or param == "input_tokens" or kind == "exceed_context_size_error"
        return self.status == 413 or (self.status == 400 and (named or "maximum context length" in str(message)))


class RetryableError(Exception):
    """The attempt failed; another one may succeed.

    ``retry_after_s`` is the delay that the server asks for. ``unreachable`` means that the server has done no work for this
    request, so that trying another replica costs nobody anything.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
