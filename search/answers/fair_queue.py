"""The order in which answers of several requests are read: a multi-level feedback queue, least served request first.

Nobody knows beforehand how long an answer takes. So each starts at level 0, where it may use a small slice of CPU time; one
that needs more starts again at the next level, where slices are four times as long. Each level has its own process, so that an
answer waits only for answers that are not much longer than itself. All attempts before the last take a third of its slice.

Answers of a request that has many of them, or that had a long one, start at level 1, so that none can keep the process of
level 0 busy. Among requests the one that has used the least CPU time, in whole slices, comes first; among these the one with
the fewest answers; and within a request the shortest text.
"""

import heapq
import itertools
from concurrent.futures import Future
from dataclasses import dataclass, field

from epf.search.answers.reading import Reading

N_LEVELS = 5
SLICE_FACTOR = 4.0
_FEW = 8
"""Maximum number of answers of a request that start at level 0."""
_HEAVY = 1
"""Where the answers of other requests start."""


def slices_s(limit_s: float) -> tuple[float, ...]:
    """Maximum CPU time of an answer at each level, in seconds; ``limit_s`` at the last."""
    return tuple(limit_s / SLICE_FACTOR**k for k in reversed(range(N_LEVELS)))


@dataclass(eq=False, slots=True)
class Request:
    """What one request has used so far.

    Attributes:
        served_s: CPU time, in seconds.
        first_level: where its next answers start.
    """

    served_s: float = 0.0
    first_level: int = 0

    @classmethod
    def of(cls, n_answers: int) -> "Request":
        """Return a new request with ``n_answers`` that were not read before."""
        return cls(first_level=0 if n_answers <= _FEW else _HEAVY)


@dataclass(eq=False, slots=True)
class Job:
    """An answer to read for a request, at ``level`` or higher; dropped once nobody waits for the result."""

    text: str
    request: Request
    result: "Future[Reading | None]"
    level: int = 0
    dropped: bool = False


@dataclass(slots=True)
class FairQueue:
    """Jobs that wait, by level. Its length is bounded by the answers of open requests.

    Attributes:
        slices_s: maximum CPU time of an answer at each level, in seconds.
    """

    slices_s: tuple[float, ...]
    _levels: list[dict[Request, list[tuple[int, int, Job]]]] = field(default_factory=lambda: [{} for _ in range(N_LEVELS)])
    _counter: "itertools.count[int]" = field(default_factory=itertools.count)

    def push(self, job: Job) -> None:
        """Add a job at its level, or where its request starts if that is higher."""
        job.level = max(job.level, job.request.first_level)
        heapq.heappush(self._levels[job.level].setdefault(job.request, []), (len(job.text), next(self._counter), job))

    def pop(self, level: int) -> Job | None:
        """Take the next job of a level that was not dropped; None without one."""
        waiting = self._levels[level]
        while waiting:
            request = min(waiting, key=lambda request: (request.served_s // self.slices_s[level], len(waiting[request])))
            jobs = waiting[request]
            job = heapq.heappop(jobs)[2]
            if not jobs:
                del waiting[request]
            if not job.dropped:
                return job
        return None

    def charge(self, job: Job, cpu_s: float) -> None:
        """Add to what the job's request has used."""
        job.request.served_s += cpu_s

    def demote(self, job: Job) -> bool:
        """Queue a job that used up its slice at the next level, and what waits of its request at level 1; False at the last."""
        request = job.request
        if job.level + 1 == N_LEVELS:
            return False
        request.first_level = max(request.first_level, _HEAVY)
        for _, _, other in self._levels[0].pop(request, ()):
            self.push(other)
        job.level += 1
        self.push(job)
        return True

    def drain(self) -> list[Job]:
        """Take all jobs."""
        taken = [job for level in self._levels for jobs in level.values() for _, _, job in jobs]
        for level in self._levels:
            level.clear()
        return taken
