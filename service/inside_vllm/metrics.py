"""The metrics of the service on vLLM's ``/metrics``."""

from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.registry import Collector

from epf.service.state import ServerState

PREFIX = "epf_"


class _Ours(Collector):
    """All metrics of a registry that begin with our prefix: vLLM shows those of the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        """The metric families."""
        return (metric for metric in self._registry.collect() if metric.name.startswith(PREFIX))

    def describe(self) -> Iterable[Metric]:
        """No names in advance: they would be compared with those of vLLM, which has other prefixes."""
        return ()


@asynccontextmanager
async def shown_on_vllm_s_metrics(app: Any) -> Any:
    """Show the metrics of an application on vLLM's page while the block runs.

    With several API servers (``--api-server-count``) vLLM's page is put together from files of all processes, in which ours are
    not: it then lacks them.
    """
    ours = _Ours(ServerState.of(app).metrics.registry)
    REGISTRY.register(ours)
    try:
        yield
    finally:
        REGISTRY.unregister(ours)
