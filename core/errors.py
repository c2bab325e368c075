"""Every error that this project raises on purpose, in one tree.

SearchServiceError
├── InvalidRequest        400  the caller's input; ``param`` names the field
│   ├── ContextTooLong    400  prompt and step limit do not fit the model's context
│   └── BodyTooLarge      413  more bytes than the server reads
├── BodyTooSlow           408  the body did not arrive in time
├── Unauthorized          401  no key, or one that is not known
├── Forbidden             403  this caller may not do this
├── NotFound              404  what was named does not exist
│   └── ModelNotFound     404  no model of that name
├── Cancelled             499  the search was cancelled on request
├── RateLimited           429  the caller's own limit
├── GeneratorError        502  the generator failed or answered nonsense
├── RewardModelError      502  the reward model failed, or its score is NaN, missing or out of range
├── SearchFailed          500  no particle is left and nothing can be answered
├── NotInstalled          501  a library that this request needs is not installed
├── DeadlineExceeded      504  time was up before there was anything to answer
└── Overloaded            503  the server is full or about to stop

Each class carries what an HTTP layer needs (``status``, ``type``, ``code``) and whether the same request may succeed when
it is sent again (``retryable``). The message names the field, the limit and the fix.
"""

from typing import ClassVar


class SearchServiceError(Exception):
    """Root of the tree. ``param`` names the offending input field and ``retry_after_s`` when to try again, where known."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(SearchServiceError):
    """The caller's input is refused before any token is generated."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class ContextTooLong(InvalidRequest):
    """The prompt leaves no room for a step in the model's context."""

    code = "context_length_exceeded"


class BodyTooLarge(InvalidRequest):
    """The body has more bytes than the server reads."""

    status = 413
    code = "request_too_large"


class BodyTooSlow(SearchServiceError):
    """The body did not arrive in time."""

    status = 408
    type = "timeout_error"
    code = "request_timeout"
    retryable = True


class Unauthorized(SearchServiceError):
    """No key, or one that is not known."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class Forbidden(SearchServiceError):
    """The caller may not do what it asks for."""

    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class NotFound(SearchServiceError):
    """What was named does not exist, or not for this caller."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No model of that name is served."""

    code = "model_not_found"


class Cancelled(SearchServiceError):
    """The search was cancelled on request."""

    status = 499
    type = "invalid_request_error"
    code = "cancelled"


class RateLimited(SearchServiceError):
    """The caller has as much under way as it may."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True


class GeneratorError(SearchServiceError):
    """The generator failed or answered with something that is not a step."""

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
    """Every particle died (empty steps, endless repetition) and none had finished before."""

    code = "all_particles_dead"


class NotInstalled(SearchServiceError):
    """A library that only some requests need is not installed; the message names the extra to install."""

    status = 501
    code = "not_installed"


class DeadlineExceeded(SearchServiceError):
    """Time was up before there was anything to answer."""

    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"


class Overloaded(SearchServiceError):
    """The server has no room for one more request now, or is about to stop."""

    status = 503
    type = "overloaded_error"
    code = "overloaded"
    retryable = True
