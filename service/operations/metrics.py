"""Prometheus metrics of one application, in a registry of its own.

No label takes a value that a caller can choose, so the number of series is bounded by the routes, methods, statuses and codes
of the program. Names follow the conventions of Prometheus: base units, ``_total`` for counters, ``_ratio`` for fractions in
[0, 1].
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric, ProcessCollector, generate_latest

from epf.core.errors import SearchServiceError
from epf.core.reward_model import RewardModel, RewardModelWrapper, Score
from epf.search.events import Answered, Event, Resampled, Started, StepTaken
from epf.search.result import SearchResult, StepRecord
from epf.service.operations.connection_states import STATES, Closed, State
from epf.service.operations.loop_watch import LoopWatch
from epf.service.operations.upstreams import UpstreamMetrics

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
RATIOS = tuple(k / 10 for k in range(1, 11))
TEMPERATURES = (1, 1.25, 1.5, 2, 2.5, 3, 4, 6, 8, 16)

CancelReason = Literal["client_gone", "delete"]
Storing = Literal["stored", "queue_full", "too_large", "failed"]
"""What became of an ended search where searches are kept."""


class Metrics:
    """Metrics of every server: requests, the event loop, the reward model, the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(UpstreamMetrics())
        self.loop = LoopWatch()
        self.registry.register(self.loop)
        self._build = Info("epf_build", "Version and models.", registry=self.registry)
        self.requests = Counter(
            "epf_http_requests",
            "Completed requests by route template (none: no route matched), method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_s = Histogram(
            "epf_http_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its response.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.first_event_s = Histogram(
            "epf_stream_first_event_seconds",
            "Time from the first byte of a request to the first event of its stream.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.errors = Counter(
            "epf_errors",
            "Error responses, and streams that ended with an error, by error code.",
            ("code",),
            registry=self.registry,
        )
        self._connections = Gauge(
            "epf_connections",
            "Open connections: idle, waiting (for a head, or for the client to read), body (arriving), busy.",
            ("state",),
            registry=self.registry,
        )
        self._closed = Counter(
            "epf_connections_closed",
            "Connections that were closed because of a limit: a time limit (idle, head, body, send), gave_way (to a new "
            "connection), refused (no other could give way), invalid (no request within the limits).",
            ("reason",),
            registry=self.registry,
        )
        self.tokens = Counter(
            "epf_tokens",
            "Tokens by kind: prompt (once per search), generated, discarded (generated, but in no final particle), "
            "prm (computed by the reward model).",
            ("kind",),
            registry=self.registry,
        )
        self.prm_call_s = Histogram(
            "epf_prm_call_duration_seconds",
            "Duration of calls of the reward model, one per trace.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rate_limited = Counter(
            "epf_rate_limited",
            "Requests refused because their caller had used up a limit per minute, by limit: requests, tokens.",
            ("limit",),
            registry=self.registry,
        )
        self._keys_file_valid = Gauge(
            "epf_api_keys_file_valid",
            "1 if the file of API keys can be used, 0 while older keys stay valid because it cannot; 1 without a file.",
            registry=self.registry,
        )

    def watch_connections(self, n: Callable[[State], float]) -> None:
        """Call ``n`` for the number of connections in a state whenever the metrics are read."""
        for state in STATES:
            self._connections.labels(state).set_function(partial(n, state))

    def connection_closed(self, reason: Closed) -> None:
        """Count a connection that was closed because of a limit."""
        self._closed.labels(reason).inc()

    def rate_limited(self, limit: str) -> None:
        """Count one request that exceeds a limit per minute."""
        self._rate_limited.labels(limit).inc()

    def watch_keys(self, valid: Callable[[], float]) -> None:
        """Call this whenever the metrics are read."""
        self._keys_file_valid.set_function(valid)

    def set_build(self, **labels: str) -> None:
        """Set the version and the names of the models."""
        self._build.info(labels)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(_WithoutCreated(self.registry))


class SearchMetrics(Metrics):
    """Metrics of the service, including its searches."""

    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
        self._particles = Gauge("epf_particles", "Particles that are running or queued.", ("state",), registry=registry)
        self._in_progress = Gauge("epf_searches_in_progress", "Running searches.", registry=registry)
        self._searches = Counter(
            "epf_searches", "Searches that ended with a result.", ("method", "stop_reason"), registry=registry
        )
        self._failed = Counter(
            "epf_searches_failed", "Searches that ended with an error, by error code.", ("method", "code"), registry=registry
        )
        self._cancelled = Counter(
            "epf_cancellations",
            "Cancelled requests, running or queued: client_gone, or delete (DELETE /solve/{id}, or a response that its caller "
            "cancelled).",
            ("reason",),
            registry=registry,
        )
        self._stored = Counter(
            "epf_searches_stored",
            "Ended searches of a server that keeps them, by outcome: stored, or dropped: queue_full, too_large, failed.",
            ("outcome",),
            registry=registry,
        )
        self._search_s = Histogram(
            "epf_search_duration_seconds",
            "Duration of searches that ended with a result, without their time in the queue.",
            ("method",),
            buckets=SECONDS,
            registry=registry,
        )
        self._activity_s = Counter(
            "epf_search_activity_seconds",
            "Seconds of searches that ended with a result, by activity: generating, scoring (while not generating), "
            "resampling, waiting.",
            ("activity",),
            registry=registry,
        )
        self._ess = self._round_histogram(
            "epf_round_ess_ratio",
            "Effective sample size before annealing as a fraction of n, in each round with n > 1.",
            RATIOS,
        )
        self._entropy = self._round_histogram(
            "epf_round_entropy_ratio", "Entropy of the weights as a fraction of log n, in each round with n > 1.", RATIOS
        )
        self._temperature = self._round_histogram(
            "epf_resampling_temperature",
            "Temperature of the resampling distribution, at each resampling with n > 1; 1 means no annealing.",
            TEMPERATURES,
        )
        self._ancestors = self._round_histogram(
            "epf_resampling_distinct_ancestors_ratio",
            "Surviving particles as a fraction of n, at each resampling with n > 1.",
            RATIOS,
        )

    def watch_particles(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Call these for the number of particles whenever the metrics are read."""
        self._particles.labels("running").set_function(running)
        self._particles.labels("waiting").set_function(waiting)

    def cancelled(self, reason: CancelReason) -> None:
        """Count one cancelled request."""
        self._cancelled.labels(reason).inc()

    def stored(self, outcome: Storing) -> None:
        """Count what became of one ended search."""
        self._stored.labels(outcome).inc()

    @contextmanager
    def search(self, method: str) -> Iterator[Callable[[Event], None]]:
        """Observe one search. The block runs it and passes its events to the callable; it may end, fail or be cancelled."""
        observer = _SearchObserver(self, method)
        self._in_progress.inc()
        try:
            yield observer.observe
        except Exception as error:
            code = error.code if isinstance(error, SearchServiceError) else SearchServiceError.code
            self._failed.labels(method, code).inc()
            raise
        finally:
            self._in_progress.dec()
            self.tokens.labels("discarded").inc(observer.n_discarded)

    def _round_histogram(self, name: str, documentation: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(name, documentation, ("method",), buckets=tuple(buckets), registry=self.registry)

    def observe_round(self, method: str, record: StepRecord, n: int) -> None:
        """Record one resampling round of ``n`` particles."""
        self._ess.labels(method).observe(record.ess / n)
        self._entropy.labels(method).observe(min(record.entropy / math.log(n), 1.0))  # rounding may exceed log n
        if record.resampled:
            self._temperature.labels(method).observe(record.temperature)
            self._ancestors.labels(method).observe(record.distinct_ancestors / n)

    def observe_result(self, result: SearchResult) -> None:
        """Record the result of one search."""
        usage = result.usage
        self._searches.labels(result.method, result.stop_reason).inc()
        self._search_s.labels(result.method).observe(usage.total_s)
        self._activity_s.labels("generating").inc(usage.generating_s)
        self._activity_s.labels("scoring").inc(usage.scoring_s)
        self._activity_s.labels("resampling").inc(usage.resampling_s)
        self._activity_s.labels("waiting").inc(usage.waiting_s)


class InstrumentedRewardModel(RewardModelWrapper):
    """A reward model whose calls are counted and timed; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, inner: RewardModel, metrics: Metrics) -> None:
        super().__init__(inner)
        self._metrics = metrics

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return the inner model's result unchecked."""
        with self._metrics.prm_call_s.time():
            score = await self._inner.score(problem, steps)
        if isinstance(score, Score):  # the caller checks the result and rejects anything else
            self._metrics.tokens.labels("prm").inc(max(score.n_tokens, 0))
        return score


class _SearchObserver:
    """Counts from the events of one search."""

    def __init__(self, metrics: SearchMetrics, method: str) -> None:
        self._metrics = metrics
        self._method = method
        self._n_particles = 0
        self._counted_prompt = False
        self._n_generated = 0
        self.n_discarded = 0
        """Tokens in no final particle. These are all tokens as long as the search has no result."""

    def observe(self, event: Event) -> None:
        """Count one event."""
        match event:
            case Started():
                self._n_particles = event.n_particles
                self._counted_prompt = event.prompt_tokens is not None
                self._metrics.tokens.labels("prompt").inc(event.prompt_tokens or 0)
            case StepTaken():
                self.n_discarded += event.n_tokens
                self._count(event.n_tokens)
            case Resampled() if self._n_particles > 1:
                self._metrics.observe_round(self._method, event.record, self._n_particles)
            case Answered():
                self.n_discarded = event.result.usage.discarded_tokens
                self._count(event.result.usage.generated_tokens - self._n_generated)
                if not self._counted_prompt:
                    self._metrics.tokens.labels("prompt").inc(event.result.usage.prompt_tokens)
                self._metrics.observe_result(event.result)

    def _count(self, n_tokens: int) -> None:
        """Count generated tokens; those of steps that nobody took come with the result."""
        self._n_generated += n_tokens
        self._metrics.tokens.labels("generated").inc(n_tokens)


class _WithoutCreated:
    """The registry without the creation time of each series, which nobody reads and which would double the counters."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """All metric families."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
