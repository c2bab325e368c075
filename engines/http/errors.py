"""The two ways in which one try comes to nothing."""

from typing import Any

from epf.core.errors import ContextTooLong


class UpstreamRejected(Exception):
    """The server answered with a status that a further try would not change."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.error = error

    @property
    def too_long(self) -> bool:
        """Whether the request is longer than the model's context, or than the server takes."""
        code, param, kind, told = map(self.error.get, ("code", "param", "type", "message"))
        # Ours, vLLM's and llama.cpp's names for it; older vLLM and others name nothing, but say it.
        named = code == ContextTooLong.code or param == "input_tokens" or kind == "exceed_context_size_error"
        return self.status == 413 or (self.status == 400 and (named or "maximum context length" in str(told)))


class RetryableError(Exception):
    """One try failed, a further one may not.

    ``after_s`` is the server's own wish for the next. ``unreachable`` says that it did nothing for this one, so that another
    server may be asked at no cost to anybody.
    """

    def __init__(self, reason: str, after_s: float = 0.0, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.unreachable = unreachable
