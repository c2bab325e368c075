"""What is known of one of several equivalent servers."""

from dataclasses import dataclass, field

from epf.engines.http.silence import Silence


@dataclass(slots=True, eq=False)
class Replica:
    """One server.

    Attributes:
        ejected: whether it gets no calls while another one responds.
        reason: why, in words.
        fails_calls: whether only a response to a call restores it, since its health checks do not show what is wrong.
        unproven: whether it has responded to a health check, but to no call, since it was ejected.
        n_ejections: how often an ejection began.
        n_failed: number of calls in a row that it failed.
        ill_s: when it last did not respond to a health check, on the event loop's clock.
        silence: how long it has sent nothing.
    """

    number: int
    url: str
    ejected: bool = False
    reason: str = ""
    fails_calls: bool = False
    unproven: bool = False
    n_ejections: int = 0
    n_failed: int = 0
    ill_s: float = 0.0
    silence: Silence = field(default_factory=Silence)
