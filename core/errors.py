"""Every error that this project raises deliberately, in one tree.

SearchServiceError
├── InvalidRequest        400  the caller's input is invalid; ``param`` names the field
│   ├── ContextTooLong    400  the prompt leaves no room for a step in the model's context
│   ├── PreviousResponseNotFound 400  the response to continue does not exist
│   ├── BodyTooLarge      413  the request body exceeds the server's limit
│   ├── HeadTooLarge      431  the head of the request exceeds the server's limit
│   ├── UnsupportedVersion 505 the request is written in another version of HTTP
│   └── UnsupportedEncoding 415  the request body is compressed in a way that is not supported
├── BodyTooSlow           408  the request body did not arrive in time
├── HeadTooSlow           408  the head of the request did not arrive in time
├── Unauthorized          401  the API key is missing or unknown
├── Forbidden             403  the caller is not allowed to do this
├── NotFound              404  the object does not exist
│   └── ModelNotFound     404  there is no model with this name
├── Cancelled             499  the search was cancelled on request
├── RateLimited           429  the caller has reached its own limit
├── GeneratorError        502  the generator failed or returned an invalid step
├── RewardModelError      502  the reward model failed, or its score is NaN, missing or out of range
├── SearchFailed          500  no particle produced a usable step
├── NotInstalled          501  a library that this request needs is not installed
├── DeadlineExceeded      504  the deadline passed before there was any answer
└── Overloaded            503  the server is full or shutting down

Each class carries what an HTTP layer needs (``status``, ``type``, ``code``) and whether the same request may succeed if it is
sent again (``retryable``). The message names the field, its limit and what to do.
"""

from typing import ClassVar


class SearchServiceError(Exception):
    """Root of the tree. ``param`` names the offending input field, ``retry_after_s`` the seconds to wait, where known.

    ``retryable`` belongs to the class unless one error knows better: a server that rejects a key rejects it again. ``unready``
    says why a model's servers are not ready, in words that complete "its server ..." and that anybody may read; it is empty for
    all other errors. ``lost`` is whether no server of a model responds any more.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    retryable: bool = False
    unready: str = ""
    lost: bool = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        if retryable is not None:
            self.retryable = retryable


class InvalidRequest(SearchServiceError):
    """The caller's input is rejected before any token is generated."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class ContextTooLong(InvalidRequest):
    """The prompt leaves no room for a step in the model's context."""

    code = "context_length_exceeded"


class PreviousResponseNotFound(InvalidRequest):
    """The response to continue does not exist, not for this caller, or has not ended."""

    code = "previous_response_not_found"


class BodyTooLarge(InvalidRequest):
    """The request body exceeds the server's limit."""

    status = 413
    code = "request_too_large"


class HeadTooLarge(InvalidRequest):
    """The head of the request exceeds the server's limit."""

    status = 431
    code = "request_head_too_large"


class UnsupportedVersion(InvalidRequest):
    """The request is written in a version of HTTP that the server does not support."""

    status = 505
    code = "unsupported_http_version"


class UnsupportedEncoding(InvalidRequest):
    """The request body is compressed in a way that the server does not support."""

    status = 415
    code = "unsupported_encoding"


class BodyTooSlow(SearchServiceError):
    """The request body did not arrive in time."""

    status = 408
    type = "timeout_error"
    code = "request_timeout"
    retryable = True


class HeadTooSlow(SearchServiceError):
    """The head of the request did not arrive in time."""

    status = 408
    type = "timeout_error"
    code = "request_timeout"
    retryable = True


class Unauthorized(SearchServiceError):
    """The API key is missing or unknown."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class Forbidden(SearchServiceError):
    """The caller is not allowed to do this."""

    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class NotFound(SearchServiceError):
    """The object does not exist, or not for this caller."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """There is no model with this name."""

    code = "model_not_found"


class Cancelled(SearchServiceError):
    """The search was cancelled on request."""

    status = 499
    type = "invalid_request_error"
    code = "cancelled"


class RateLimited(SearchServiceError):
    """The caller has reached its own limit."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True


class GeneratorError(SearchServiceError):
    """The generator failed or returned something that is not a step."""

    status = 502
    type = "upstream_error"
    code = "generator_error"
    retryable = True


class RewardModelError(SearchServiceError):
    """The reward model failed, or its score is missing, NaN or outside [0, 1]."""

    status = 502
    type = "upstream_error"
    code = "reward_model_error"
    retryable = True


class SearchFailed(SearchServiceError):
    """Every particle was discarded (empty or endlessly repeated steps) and none had finished before."""

    code = "all_particles_dead"


class NotInstalled(SearchServiceError):
    """A library that only some requests need is not installed; the message names the extra to install."""

    status = 501
    code = "not_installed"


class DeadlineExceeded(SearchServiceError):
    """The deadline passed before there was any answer."""

    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"


class Overloaded(SearchServiceError):
    """The server has no room for another request now, or is shutting down."""

    status = 503
    type = "overloaded_error"
    code = "overloaded"
    retryable = True
