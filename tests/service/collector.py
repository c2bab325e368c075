"""A collector of traces on a real socket: keeps the spans that it receives over OTLP/HTTP."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What was received. ``status`` is what it responds with."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.headers: list[Any] = []
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.schemas: set[str] = set()
        self.arrived = threading.Condition()

    def wait(self, name: str) -> None:
        """Wait until a span whose name begins with ``name`` has arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: any(span.name.startswith(name) for span in self.spans), 30)

    def receive(self, body: bytes) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        with self.arrived:
            for resource in request.resource_spans:
                self.resources.append(resource.resource)
                for scope in resource.scope_spans:
                    self.schemas.add(scope.schema_url)
                    self.spans.extend(scope.spans)
            self.arrived.notify_all()


@contextmanager
def collecting() -> Iterator[Collector]:
    """Serve a collector until the end of the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.headers.append(self.headers)
            if collector.status == 200:
                collector.receive(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def attributes(span: Any) -> dict[str, Any]:
    """Attributes of a span, by name."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
