"""How many requests and tokens each caller may use per minute.

A request counts when it has been read, also if it is refused afterwards; one that exceeds a limit does not count. Tokens are
those of ``usage``: the prompt of each search once, and everything that was sampled, discarded steps included. A search is
charged while it runs, so a stream that is left has cost what it sampled until then. What a search will cost is not known
beforehand, and its worst case is many times what it uses, so nothing is reserved: a request is accepted while any token is
left, and may take the caller into debt, which is paid back first.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from epf.core.errors import RateLimited
from epf.service.access.bucket import Bucket, duration
from epf.service.access.limits import Limits, OwnLimits

Kind = Literal["requests", "tokens"]

KINDS: Final[tuple[Kind, ...]] = ("requests", "tokens")
MAX_BUCKETS: Final = 4096
"""Beyond this number, full buckets are dropped: they are like new ones."""


@dataclass(frozen=True, slots=True)
class _Names:
    singular: str
    setting: str


_NAMES: Final[Mapping[Kind, _Names]] = {
    "requests": _Names("request", "max_requests_per_minute"),
    "tokens": _Names("token", "max_tokens_per_minute"),
}


class RateLimits:
    """The limits of all callers, in memory.

    Args:
        defaults: limits of callers without limits of their own.
        own: returns those of one caller.
        on_refusal: called with the limit that a request exceeds.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        defaults: Limits,
        own: Callable[[str], OwnLimits],
        on_refusal: Callable[[Kind], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._defaults = defaults
        self._own = own
        self._on_refusal = on_refusal
        self.clock = clock
        self._buckets: dict[tuple[str, Kind], Bucket] = {}

    def admit(self, caller: str) -> None:
        """Count a request.

        Raises:
            RateLimited: it exceeds a limit of this caller.
        """
        now_s = self.clock()
        buckets = self._of(caller, now_s)
        waits = {kind: bucket.wait_s(now_s) for kind, bucket in buckets.items()}
        kind = max(waits, key=waits.__getitem__, default=None)
        if kind is not None and waits[kind] > 0:
            self._on_refusal(kind)
            limit = buckets[kind].limit
            message = (
                f"You have reached your limit of {limit} {kind if limit > 1 else _NAMES[kind].singular} per minute"
                f" ({_NAMES[kind].setting}): try again in {duration(waits[kind])}."
            )
            raise RateLimited(message, retry_after_s=waits[kind])
        if "requests" in buckets:
            buckets["requests"].take(1, now_s)

    def charge(self, caller: str, n_tokens: int) -> None:
        """Count tokens."""
        now_s = self.clock()
        if n_tokens > 0 and (bucket := self._of(caller, now_s).get("tokens")) is not None:
            bucket.take(n_tokens, now_s)

    def headers(self, caller: str) -> dict[str, str]:
        """What is left of each limit, in the headers of the OpenAI API; none without a limit."""
        now_s = self.clock()
        return {
            f"x-ratelimit-{name}-{kind}": value
            for kind, bucket in self._of(caller, now_s).items()
            for name, value in (
                ("limit", str(bucket.limit)),
                ("remaining", str(bucket.remaining(now_s))),
                ("reset", duration(bucket.reset_s(now_s))),
            )
        }

    def _of(self, caller: str, now_s: float) -> dict[Kind, Bucket]:
        limits = self._own(caller).on_top_of(self._defaults)
        found: dict[Kind, Bucket] = {}
        for kind in KINDS:
            limit: int | None = getattr(limits, kind)
            if limit is None:
                self._buckets.pop((caller, kind), None)
                continue
            if len(self._buckets) >= MAX_BUCKETS:
                self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.reset_s(now_s) > 0}
            bucket = self._buckets.setdefault((caller, kind), Bucket(limit, now_s))
            bucket.set_limit(limit, now_s)
            found[kind] = bucket
        return found
