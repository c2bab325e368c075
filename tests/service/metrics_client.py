"""Readings of the metrics of a server on a real socket, parsed by Prometheus' own parser."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from tests.service.serving import GUARD_S, served


class Reading:
    """One reading of the metrics."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """Value of each series of that name, by the values of its labels in the order of the label names."""
        found = [sample for sample in self.samples if sample.name == name]
        return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in found}

    def total(self, name: str) -> float:
        return sum(self.values(name).values())

    def labels(self) -> dict[str, set[str]]:
        """All values of each label."""
        found: dict[str, set[str]] = {}
        for sample in self.samples:
            for name, value in sample.labels.items():
                found.setdefault(name, set()).add(value)
        return found


class Client:
    """A client that reads the metrics once they include all requests that it sent."""

    def __init__(self, http: httpx.AsyncClient, address: tuple[str, int]) -> None:
        self.http = http
        self.address = address
        self.n_requests = 0

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.n_requests += 1
        return await self.http.request(method, path, **options)

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return await self.request("POST", path, json=body)

    async def read_metrics(self) -> Reading:
        while True:
            response = await self.http.get("/metrics")
            reading = Reading(response.text)
            ended = {key: value for key, value in reading.values("epf_http_requests_total").items() if "/metrics" not in key}
            if sum(ended.values()) == self.n_requests:
                return reading


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[Client]:
    async with (
        asyncio.timeout(GUARD_S),
        served(app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as http,
    ):
        yield Client(http, (host, port))
