"""Spans of a search, recorded while it runs and handed over when it ends; without a recorder, nothing is recorded.

A span is a name with a beginning, an end and attributes. The spans of one search form a tree, whose root may continue a trace
of the caller (W3C Trace Context). A search has hundreds of them, so recording one is kept cheap, and what is done with them
(:mod:`epf.service.operations.telemetry`) happens after the search. Attributes never hold text of a problem, step or answer.
"""

import random
import re
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Protocol, Self

MAX_SPANS: Final = 2000
"""Maximum number of spans of one search. Those beyond it are counted in the attribute ``epf.dropped_spans`` of its root."""

Value = str | int | float | bool | Sequence[str]
Kind = Literal["internal", "client"]

_TRACEPARENT = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
MAX_TRACESTATE_CHARS: Final = 512


@dataclass(frozen=True, slots=True)
class Parent:
    """The caller's span that a search continues.

    Attributes:
        trace_id, span_id: of the caller.
        sampled: whether the caller records this trace.
        state: the caller's ``tracestate``, empty for none.
    """

    trace_id: int
    span_id: int
    sampled: bool
    state: str = ""


@dataclass(slots=True, eq=False)
class Span:
    """One span; times are in nanoseconds since 1970. ``parent_id`` is None for the root of a trace.

    ``error`` is the name of the class of the error that ended it.
    """

    name: str
    kind: Kind
    span_id: int
    parent_id: int | None
    start_ns: int
    attributes: dict[str, Value]
    end_ns: int = 0
    error: str | None = None
    events: list[tuple[str, int, dict[str, Value]]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Trace:
    """The spans of one search."""

    trace_id: int
    parent: Parent | None
    spans: list[Span] = field(default_factory=list)
    n_dropped: int = 0


class Recorder(Protocol):
    """Takes the spans of finished searches."""

    def samples(self, trace_id: int, parent: Parent | None) -> bool:
        """Whether to record this trace."""

    def record(self, trace: Trace) -> None:
        """Take a trace whose search has ended. Returns at once."""


_recorder: Recorder | None = None
_current: ContextVar[tuple[Trace, Span] | None] = ContextVar("span", default=None)
_caller: ContextVar[Parent | None] = ContextVar("caller", default=None)


def install(recorder: Recorder | None) -> None:
    """Record all searches of this process from now on, or none."""
    global _recorder
    _recorder = recorder


def parent_of(traceparent: str, tracestate: str = "") -> Parent | None:
    """Parse the caller's headers; None if they are missing or invalid."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    state = tracestate if len(tracestate) <= MAX_TRACESTATE_CHARS and tracestate.isascii() and tracestate.isprintable() else ""
    return Parent(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & 1), state)


def continue_from(parent: Parent | None) -> None:
    """Let searches of the current task continue the caller's trace."""
    _caller.set(parent)


def headers() -> dict[str, str]:
    """Headers for a request on behalf of the current span: those of the caller where nothing is recorded; empty without any."""
    current, caller = _current.get(), _caller.get()
    if current is not None:
        trace, span = current
        return _headers(trace.trace_id, span.span_id, True, trace.parent.state if trace.parent else "")
    return {} if caller is None else _headers(caller.trace_id, caller.span_id, caller.sampled, caller.state)


def _headers(trace_id: int, span_id: int, sampled: bool, state: str) -> dict[str, str]:
    parent = f"00-{trace_id:032x}-{span_id:016x}-{'01' if sampled else '00'}"
    return {"traceparent": parent} | ({"tracestate": state} if state else {})


class span:  # noqa: N801 - reads like a statement, as in `with span("score"):`
    """Record the block as a span below the current one. Outside a recorded trace it does nothing."""

    __slots__ = ("_attributes", "_kind", "_name", "_span", "_token", "_trace")

    def __init__(self, name: str, attributes: Mapping[str, Value] | None = None, kind: Kind = "internal") -> None:
        self._name = name
        self._attributes = attributes
        self._kind: Kind = kind
        self._trace: Trace | None = None
        self._span: Span | None = None
        self._token: Token[tuple[Trace, Span] | None] | None = None

    def __enter__(self) -> Self:
        current = _current.get()
        if current is not None:
            trace, parent = current
            if len(trace.spans) < MAX_SPANS:
                self._open(trace, parent.span_id)
            else:
                trace.n_dropped += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._span is None:
            return
        assert self._token is not None, "an open span is the current one"
        _current.reset(self._token)
        self._span.end_ns = time.time_ns()
        if kind is not None and kind is not GeneratorExit:
            self._span.error = kind.__name__

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes."""
        if self._span is not None:
            self._span.attributes.update(attributes)

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Record something that happened at this moment."""
        if self._span is not None:
            self._span.events.append((name, time.time_ns(), dict(attributes)))

    @property
    def recorded(self) -> bool:
        """Whether attributes and events are kept, which need not be computed otherwise."""
        return self._span is not None

    def _open(self, trace: Trace, parent_id: int | None) -> None:
        self._trace = trace
        self._span = Span(
            self._name, self._kind, random.getrandbits(64) or 1, parent_id, time.time_ns(), dict(self._attributes or {})
        )
        trace.spans.append(self._span)
        self._token = _current.set((trace, self._span))


class search_span(span):  # noqa: N801
    """The root span of a search, which continues the caller's trace; its end hands the whole trace to the recorder."""

    __slots__ = ()

    def __enter__(self) -> Self:
        if _recorder is not None:
            parent = _caller.get()
            trace_id = parent.trace_id if parent else random.getrandbits(128) or 1
            if _recorder.samples(trace_id, parent):
                self._open(Trace(trace_id, parent), parent.span_id if parent else None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        super().__exit__(kind, error, where)
        trace = self._trace
        if trace is None or _recorder is None:
            return
        if trace.n_dropped:
            self.set({"epf.dropped_spans": trace.n_dropped})
        end_ns = time.time_ns()
        for one in trace.spans:
            one.end_ns = one.end_ns or end_ns  # a request that several searches share may outlive this one
        _recorder.record(trace)
