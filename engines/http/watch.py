"""Watches one attempt at a request, and ends it when its server has become silent and there is something better to do."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from epf.engines.http.replica import Replica
from epf.engines.http.silence import Pace

SHORTEST_LOOK_S = 0.2
"""Minimum time until a server that has passed a health check is looked at again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When a silent attempt ends although there is no other replica, on the event loop's clock.

    Attributes:
        ill_s: from when on it ends if the server does not respond to health checks either, or has stalled.
        last_s: when it ends unless the server has responded to a health check.
    """

    ill_s: float
    last_s: float


class Checks(Protocol):
    """What a watch asks about the replicas."""

    @property
    def pace(self) -> Pace:
        """How long they are silent while they are well."""

    def check(self, replica: Replica) -> asyncio.Task[bool]:
        """Whether the replica responds. It is ejected if it does not."""

    def others(self, replica: Replica) -> bool:
        """Whether any other replica responds."""

    def stall_s(self) -> float:
        """Silence from which a replica has stalled, in seconds."""


class Watch:
    """Ends an attempt whose server is silent and was ejected for it, if another replica responds.

    Args:
        checks: checks of the replicas.
        replica: the server of the attempt.
        timeout: what ends the attempt.
        quiet_s: silence after which the server's health is checked.
        patience: when the attempt ends although there is no other replica; None for never.

    Attributes:
        silent: whether it has ended the attempt.
        gave_up: whether it has done so without another replica to turn to.
        has_heard: whether the server has sent something.
        is_well: whether it has responded to the newest health check since it fell silent.
        is_ill: whether it has not.
    """

    def __init__(
        self, checks: Checks, replica: Replica, timeout: asyncio.Timeout, quiet_s: float, patience: Patience | None
    ) -> None:
        self._checks = checks
        self._replica = replica
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._first_quiet_s = self._quiet_s = quiet_s
        self._heard_s = self._loop.time()
        self._over = False
        self.silent = False
        self.gave_up = False
        self.has_heard = False
        self.is_well = self.is_ill = False
        self._timer = self._loop.call_later(quiet_s, self._look)
        self._patience = patience
        self._last_timers = (
            []
            if patience is None
            else [self._loop.call_at(patience.ill_s, self._end_if_ill), self._loop.call_at(patience.last_s, self._give_up)]
        )
        replica.silence.begin(self._heard_s)

    @property
    def silence_s(self) -> float:
        """How long the server has sent nothing to this attempt, in seconds."""
        return self._loop.time() - self._heard_s

    @property
    def said(self) -> str:
        """What the server did, in words."""
        if self._replica.ejected:
            return self._replica.reason
        well = "it responds to health checks, but " if self.is_well else ""
        return f"{well}it responded to no call for {self.silence_s:.1f} seconds".replace("but it", "but")

    @property
    def is_quiet(self) -> bool:
        """Whether it has been silent for long enough to be asked why."""
        return self.silence_s >= self._first_quiet_s

    def heard(self) -> None:
        """Record that the server has sent something."""
        now_s = self._loop.time()
        if self._heard_s >= self._replica.ill_s:  # its health was well all the time
            self._checks.pace.silent_for(now_s - self._heard_s, now_s)
        self._replica.silence.heard(now_s)
        self.has_heard = True
        self.is_well = self.is_ill = False
        self._heard_s = now_s
        if self._quiet_s > self._first_quiet_s:
            self._quiet_s = self._first_quiet_s
            self._look_after(self._first_quiet_s)

    def close(self) -> None:
        """Stop watching, since the attempt has ended."""
        self._over = True
        self._timer.cancel()
        for timer in self._last_timers:
            timer.cancel()
        self._replica.silence.end(self._loop.time())

    def _look_after(self, seconds: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        remaining_s = self._first_quiet_s - self.silence_s
        if remaining_s > 0:
            self._look_after(remaining_s)
        else:
            self._checks.check(self._replica).add_done_callback(self._checked)

    def _checked(self, check: asyncio.Task[bool]) -> None:
        if self._over or check.cancelled():
            return
        look_s = self._first_quiet_s
        with suppress(Exception):
            self.is_well = healthy = check.result()
            self.is_ill = not healthy
            if not healthy and self.is_quiet and self._checks.others(self._replica):
                self._end()
                return
            self._end_if_ill()
            if healthy:
                self._quiet_s *= 2
                stalls_s = self._checks.stall_s() - self._replica.silence.seconds(self._loop.time())
                look_s = min(self._quiet_s, max(stalls_s, SHORTEST_LOOK_S))
        self._look_after(look_s)

    def _end_if_ill(self) -> None:
        if self._patience is not None and self._loop.time() >= self._patience.ill_s and self.is_ill:
            self._give_up()

    def _give_up(self) -> None:
        if self.is_quiet and not self.is_well:
            self.gave_up = True
            self._end()

    def _end(self) -> None:
        self.silent = True
        self._timeout.reschedule(self._loop.time())
