"""Metrics of the servers that this process calls: which of them respond, and how often one was ejected."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from epf.engines.http.health import KNOWN
from epf.engines.http.replica import Replica

LABELS = ("model", "replica")


class UpstreamMetrics(Collector):
    """Reads the health of all replicas. ``replica`` is the position of its address in the setting, counted from 0.

    Of several reward models, the second is ``reward_model_2``.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families, empty without such servers."""
        replicas: defaultdict[tuple[str, str], list[Replica]] = defaultdict(list)
        models: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        for health in sorted(KNOWN, key=lambda each: each.serial):
            name = health.owner.removeprefix("the ").replace(" ", "_")
            urls = tuple(replica.url for replica in health.replicas)
            if urls not in models[name]:
                models[name].append(urls)
            number = models[name].index(urls) + 1
            for replica in health.replicas:
                replicas[name if number == 1 else f"{name}_{number}", str(replica.number)].append(replica)
        up = GaugeMetricFamily("epf_upstream_up", "1 if this server of a model responds, 0 while it is ejected.", labels=LABELS)
        ejections = CounterMetricFamily(
            "epf_upstream_ejections", "How often this server of a model was ejected, because it did not respond.", labels=LABELS
        )
        for labels, same in sorted(replicas.items()):
            up.add_metric(labels, float(not any(replica.ejected for replica in same)))
            ejections.add_metric(labels, sum(replica.n_ejections for replica in same))
        yield up
        yield ejections
