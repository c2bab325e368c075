"""What Prometheus is told of one application: its metrics, in a registry of its own.

No label takes a value that a caller can choose: there are as many series as the code has routes, methods, statuses and codes.
Names follow the conventions of Prometheus: base units, ``_total`` for counters, ``_ratio`` for fractions in [0, 1].
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric, ProcessCollector, generate_latest

from epf.core.errors import SearchServiceError
from epf.search.events import Answered, Event, Resampled, Started, StepTaken
from epf.search.result import SearchResult, StepRecord

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
RATIOS = tuple(k / 10 for k in range(1, 11))
TEMPERATURES = (1, 1.25, 1.5, 2, 2.5, 3, 4, 6, 8, 16)

CancelReason = Literal["client_gone", "delete"]


class Metrics:
    """Metrics of every application of ours: requests, the reward model, the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._build = Info("epf_build", "Version and models.", registry=self.registry)
        self.requests = Counter(
            "epf_http_requests",
            "Requests that ended, by route template (none: no route was reached), method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_s = Histogram(
            "epf_http_request_duration_seconds",
            "From a request's first byte to its answer's last.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.first_event_s = Histogram(
            "epf_stream_first_event_seconds",
            "From a request's first byte to the first event of its stream.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.errors = Counter(
            "epf_errors",
            "Answers that were an error, and streams that ended with one, by its code.",
            ("code",),
            registry=self.registry,
        )
        self.tokens = Counter(
            "epf_tokens",
            "Tokens by kind: prompt (once for each search), generated, discarded (those of them in no final particle), "
            "prm (computed by the reward model).",
            ("kind",),
            registry=self.registry,
        )
        self.prm_call_s = Histogram(
            "epf_prm_call_duration_seconds",
            "Calls of the reward model, one for each trace.",
            buckets=SECONDS,
            registry=self.registry,
        )

    def built(self, **labels: str) -> None:
        """Tell the version and the names of the models."""
        self._build.info(labels)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(_WithoutCreated(self.registry))


class SearchMetrics(Metrics):
    """Metrics of the service, searches among them."""

    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
        self._particles = Gauge(
            "epf_particles", "Particles that search now, or wait for their turn.", ("state",), registry=registry
        )
        self._under_way = Gauge("epf_searches_in_progress", "Searches that run now.", registry=registry)
        self._searches = Counter(
            "epf_searches", "Searches that ended with a result.", ("method", "stop_reason"), registry=registry
        )
        self._failed = Counter(
            "epf_searches_failed", "Searches that ended with an error, by its code.", ("method", "code"), registry=registry
        )
        self._cancelled = Counter(
            "epf_cancellations",
            "Requests that were cancelled, running or queued: client_gone, or delete (DELETE /solve/{id}).",
            ("reason",),
            registry=registry,
        )
        self._search_s = Histogram(
            "epf_search_duration_seconds",
            "Searches with a result, without their time in the queue.",
            ("method",),
            buckets=SECONDS,
            registry=registry,
        )
        self._activity_s = Counter(
            "epf_search_activity_seconds",
            "Seconds of searches with a result: generating, scoring (none generating), resampling, waiting.",
            ("activity",),
            registry=registry,
        )
        self._ess = self._of_rounds(
            "epf_round_ess_ratio",
            "Effective sample size before annealing, as a fraction of n, in each round with n > 1.",
            RATIOS,
        )
        self._entropy = self._of_rounds(
            "epf_round_entropy_ratio", "Entropy of the weights, as a fraction of log n, in each round with n > 1.", RATIOS
        )
        self._temperature = self._of_rounds(
            "epf_resampling_temperature",
            "Of the resampling distribution, at each resampling with n > 1; 1 is no annealing.",
            TEMPERATURES,
        )
        self._ancestors = self._of_rounds(
            "epf_resampling_distinct_ancestors_ratio",
            "Particles that survived, as a fraction of n, at each resampling with n > 1.",
            RATIOS,
        )

    def watch_particles(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Ask these for the number of particles whenever the metrics are read."""
        self._particles.labels("running").set_function(running)
        self._particles.labels("waiting").set_function(waiting)

    def cancelled(self, reason: CancelReason) -> None:
        """One request was cancelled."""
        self._cancelled.labels(reason).inc()

    @contextmanager
    def search(self, method: str) -> Iterator[Callable[[Event], None]]:
        """Watch one search: the block runs it and hands on its events, whether it ends, fails or is cancelled."""
        watch = _Watch(self, method)
        self._under_way.inc()
        try:
            yield watch.see
        except Exception as error:
            code = error.code if isinstance(error, SearchServiceError) else SearchServiceError.code
            self._failed.labels(method, code).inc()
            raise
        finally:
            self._under_way.dec()
            self.tokens.labels("discarded").inc(watch.n_discarded)

    def _of_rounds(self, name: str, documentation: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(name, documentation, ("method",), buckets=tuple(buckets), registry=self.registry)

    def _round(self, method: str, record: StepRecord, n: int) -> None:
        self._ess.labels(method).observe(record.ess / n)
        self._entropy.labels(method).observe(min(record.entropy / math.log(n), 1.0))  # rounding takes it beyond log n at times
        if record.resampled:
            self._temperature.labels(method).observe(record.temperature)
            self._ancestors.labels(method).observe(record.distinct_ancestors / n)

    def _result(self, result: SearchResult) -> None:
        usage = result.usage
        self._searches.labels(result.method, result.stop_reason).inc()
        self._search_s.labels(result.method).observe(usage.total_s)
        self._activity_s.labels("generating").inc(usage.generating_s)
        self._activity_s.labels("scoring").inc(usage.scoring_s)
        self._activity_s.labels("resampling").inc(usage.resampling_s)
        self._activity_s.labels("waiting").inc(usage.waiting_s)


class _Watch:
    """What the events of one search tell."""

    def __init__(self, metrics: SearchMetrics, method: str) -> None:
        self._metrics = metrics
        self._method = method
        self._n_particles = 0
        self.n_discarded = 0
        """Tokens in no final particle; a search without a result has none, so then all of them."""

    def see(self, event: Event) -> None:
        """Count what ``event`` tells."""
        match event:
            case Started():
                self._n_particles = event.n_particles
                self._metrics.tokens.labels("prompt").inc(event.prompt_tokens)
            case StepTaken():
                self.n_discarded += event.n_tokens
                self._metrics.tokens.labels("generated").inc(event.n_tokens)
            case Resampled() if self._n_particles > 1:
                self._metrics._round(self._method, event.record, self._n_particles)
            case Answered():
                self.n_discarded = event.result.usage.discarded_tokens
                self._metrics._result(event.result)


class _WithoutCreated:
    """The registry without the time at which each series began, which nobody asks for and which would double the counters."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """All families."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
