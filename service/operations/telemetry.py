"""Traces of searches for OpenTelemetry (the extra ``otel``).

The standard variables decide: OTEL_EXPORTER_OTLP_ENDPOINT (or ..._TRACES_ENDPOINT) switches traces on; headers, timeout,
compression, certificate, service name, resource attributes and sampler have theirs. Names of attributes are those of the gen_ai
semantic conventions at :data:`SCHEMA`; our own begin with ``epf.``.

A thread of its own sends the traces of a second together. A collector that is slow or gone costs a search nothing: what does
not fit into the queue is dropped, and the log says so once.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from epf.core import tracing
from epf.core.extras import import_extra
from epf.core.tracing import Parent, Trace
from epf.core.version import VERSION
from epf.engines.http.wording import address

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import NonRecordingSpan

    from epf.service.operations.otlp import Collector

logger = logging.getLogger(__name__)

SCHEMA: Final = "https://opentelemetry.io/schemas/1.37.0"
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
MAX_QUEUED: Final = 1000
"""Maximum number of traces that wait to be sent."""
GATHER_S: Final = 1.0
"""Traces that end within this time are sent together."""
CLOSING_S: Final = 3.0


@contextmanager
def telemetry(environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Record the searches of the block if the environment names a collector.

    Raises:
        NotInstalled: it does, but the extra is not installed.
    """
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or not any(environment.get(name) for name in ENDPOINTS):
        yield
        return
    sdk, resources = (import_extra(f"opentelemetry.sdk.{name}", "otel") for name in ("trace", "resources"))
    import_extra("opentelemetry.proto.trace.v1.trace_pb2", "otel")
    from epf.service.operations.otlp import Collector

    collector = Collector.of(environment)
    assert collector is not None, "an endpoint is set"
    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "epf"}
    resource = resources.Resource.create({**named, "service.version": VERSION})
    sender = Telemetry(collector, sdk.TracerProvider(resource=resource, shutdown_on_exit=False))
    tracing.install(sender)
    logger.info("traces of searches are sent to %s", address(collector.url))
    try:
        yield
    finally:
        tracing.install(None)
        sender.close()


class Telemetry:
    """Sends traces; see :class:`epf.core.tracing.Recorder`.

    Args:
        collector: where they go.
        provider: has the resource and the sampler that the environment describes.
    """

    def __init__(self, collector: "Collector", provider: "TracerProvider") -> None:
        self._collector = collector
        self._provider = provider
        self._resource = dict(provider.resource.attributes)
        self._client = collector.client()
        self._waiting: queue.Queue[Trace | None] = queue.Queue(MAX_QUEUED)
        self._failed = False
        self._is_full = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="telemetry", daemon=True)
        self._thread.start()

    def samples(self, trace_id: int, parent: Parent | None) -> bool:
        """Whether the sampler records this trace."""
        from opentelemetry.sdk.trace.sampling import Decision
        from opentelemetry.trace import set_span_in_context

        context = None if parent is None else set_span_in_context(_remote(parent))
        return self._provider.sampler.should_sample(context, trace_id, "search").decision is Decision.RECORD_AND_SAMPLE

    def record(self, trace: Trace) -> None:
        """Queue a trace; drop it if the collector is too slow."""
        try:
            self._waiting.put_nowait(trace)
            self._is_full = False
        except queue.Full:
            if not self._is_full:
                logger.warning("the collector of traces is too slow: traces are dropped")
            self._is_full = True

    def close(self) -> None:
        """Send what waits, for a few seconds at most, and stop."""
        self._closing.set()
        try:
            self._waiting.put(None, timeout=CLOSING_S)
        except queue.Full:
            return
        self._thread.join(CLOSING_S)

    def _send_all(self) -> None:
        with self._client:
            traces: list[Trace | None] = []
            while None not in traces:
                traces = [self._waiting.get()]
                until_s = time.monotonic() + GATHER_S
                while None not in traces and (left_s := until_s - time.monotonic()) > 0:
                    try:
                        traces.append(self._waiting.get(timeout=0 if self._closing.is_set() else left_s))
                    except queue.Empty:
                        break
                self._send([trace for trace in traces if trace is not None])

    def _send(self, traces: Sequence[Trace]) -> None:
        from epf.service.operations.otlp import encoded

        if not traces:
            return
        try:
            content = encoded(traces, self._resource, scope="epf", version=VERSION, schema=SCHEMA)
            response = self._client.post(self._collector.url, content=self._collector.body(content))
            failure = None if response.is_success else f"status {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = type(error).__name__
        if failure is not None and not self._failed:
            where, names = address(self._collector.url), " or ".join(ENDPOINTS)
            logger.warning("the collector of traces at %s failed (%s): check %s.", where, failure, names)
        self._failed = failure is not None


def _remote(parent: Parent) -> "NonRecordingSpan":
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    return NonRecordingSpan(SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags))
