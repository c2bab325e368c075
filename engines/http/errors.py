"""The two ways in which an attempt at a request fails."""

from epf.engines.http.refusal import Refusal


class UpstreamRejected(Exception):
    """The server refused the request in a way that another attempt would not change; ``url`` is the server's address."""

    def __init__(self, refusal: Refusal, url: str) -> None:
        super().__init__(f"status {refusal.status}")
        self.refusal = refusal
        self.url = url


class RetryableError(Exception):
    """The attempt failed; another one may succeed.

    ``retry_after_s`` is the delay that the server asks for. ``unreachable`` means that the server has done no work for this
    request, so that trying another replica costs nobody anything. A ``lasting`` failure, such as an invalid certificate, can
    only be avoided at another replica.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0, *, unreachable: bool = False, lasting: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
        self.lasting = lasting


class NotJson(RetryableError):
    """The response is not a JSON object, so this is hardly the address of an OpenAI-compatible API."""

    def __init__(self) -> None:
        super().__init__("the response is not a JSON object")


class StreamBrokeOff(RetryableError):
    """The stream ended before the server marked its end; a reader that has all it needs may ignore that."""

    def __init__(self) -> None:
        super().__init__("the stream broke off", unreachable=True)
