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

    Attributes:
        retry_after_s: the delay that the server asks for, in seconds.
        unreachable: whether the server has done no work for this request, so that trying another replica costs nobody anything.
        lasting: whether it can only be avoided at another replica, such as an invalid certificate.
        status: HTTP status with which the server failed; None where it failed otherwise.
        loading: whether the server says that it is loading its model.
        final: whether there is no time for another attempt.
    """

    def __init__(
        self,
        reason: str,
        retry_after_s: float = 0.0,
        *,
        unreachable: bool = False,
        lasting: bool = False,
        status: int | None = None,
        loading: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
        self.lasting = lasting
        self.status = status
        self.loading = loading
        self.final = final

    @property
    def is_refused(self) -> bool:
        """Whether the server has too many requests and wants this one later."""
        return self.status == 429 or (self.status == 503 and self.retry_after_s > 0)

    @property
    def is_servers(self) -> bool:
        """Whether the server is at fault, rather than the number of requests that it gets."""
        return self.status is None or self.status >= 500


class NotJson(RetryableError):
    """The response is not a JSON object, so this is hardly the address of an OpenAI-compatible API."""

    def __init__(self) -> None:
        super().__init__("the response is not a JSON object")


class StreamBrokeOff(RetryableError):
    """The stream ended before the server marked its end; a reader that has all it needs may ignore that."""

    def __init__(self) -> None:
        super().__init__("the stream broke off", unreachable=True)
