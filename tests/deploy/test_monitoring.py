"""Our configuration and metrics, checked by Prometheus' own programs, and every dashboard query run on a real Prometheus."""

import asyncio
import json
import math
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic import SecretStr

from epf.core.errors import GeneratorError
from epf.core.generator import Sampling, Step
from epf.service.app import create_app
from epf.service.operations.metrics import Metrics, SearchMetrics
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.deploy.tools import ROOT, find_program
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import posted, served, until

GUARD_S = 60
KEY = "a-key-of-the-tests"
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "epf.json").read_text(encoding="utf-8"))
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
}


class FailingGenerator(ScriptedGenerator):
    """Fails on problems that begin with f, and hangs on those that begin with h."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        first = chr(prefix_ids[0] - 1000)
        if first == "f":
            raise GeneratorError("the engine failed")
        if first == "h":
            self.entered.set()
            await asyncio.Event().wait()
        return await super().step(prefix_ids, sampling, seed)


def names(expression: str) -> set[str]:
    return set(re.findall(r"\b([a-z_:]+)\{", expression))


def series() -> set[str]:
    """Return the names of all series that the service exports, even before anything has happened."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    found = re.findall(r"^# TYPE (\S+) (\S+)$", SearchMetrics().text().decode(), flags=re.MULTILINE)
    return {name + suffix for name, kind in found for suffix in suffixes.get(kind, ("",))}


def test_the_dashboard_queries_existing_series() -> None:
    asked = set().union(*map(names, QUERIES.values()))
    assert asked <= series()
    for part in ("requests", "request_duration", "ess", "entropy", "temperature", "ancestors", "tokens", "prm", "particles"):
        assert [name for name in asked if part in name], part
    assert "epf_build_info" in DASHBOARD["templating"]["list"][0]["query"]["query"]


def test_panels_do_not_overlap_and_use_the_configured_data_source() -> None:
    (source,) = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasources.yml").read_text(encoding="utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        covered = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not covered & cells, panel["title"]
        assert max(x for x, _ in covered) < 24
        cells |= covered
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    (provider,) = yaml.safe_load((ROOT / "deploy" / "grafana" / "dashboards.yml").read_text(encoding="utf-8"))["providers"]
    mounts = [mount.split(":")[1] for mount in COMPOSE["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/epf.json" in mounts


def test_targets_are_services_at_their_ports() -> None:
    listening = {"epf": 8000, "epf-gpu": 8000, "generator": 8000, "prm": 8001}
    found = {name: sd["port"] for job in CONFIG["scrape_configs"] for sd in job["dns_sd_configs"] for name in sd["names"]}
    assert found == listening
    assert found.keys() <= COMPOSE["services"].keys()


def test_prometheus_accepts_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    key = ROOT / "deploy" / "no-key"
    config.write_text(
        (ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8").replace("/run/secrets/epf_key", str(key))
    )
    done = subprocess.run(
        [find_program("promtool"), "check", "config", config], capture_output=True, text=True, timeout=GUARD_S
    )
    assert done.returncode == 0, done.stderr
    (secret,) = COMPOSE["services"]["prometheus"]["secrets"]
    assert CONFIG["scrape_configs"][0]["authorization"]["credentials_file"] == f"/run/secrets/{secret}"


@asynccontextmanager
async def prometheus(folder: Path, target: tuple[str, int], key: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run Prometheus with our configuration, except for the service's address, the key file and the scrape interval."""
    job = next(job for job in CONFIG["scrape_configs"] if job["job_name"] == "epf")
    (folder / "key").write_text(key)
    config = {
        "global": {"scrape_interval": "200ms"},
        "scrape_configs": [
            {
                "job_name": "epf",
                "authorization": job["authorization"] | {"credentials_file": str(folder / "key")},
                "static_configs": [{"targets": [f"{target[0]}:{target[1]}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        find_program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=GUARD_S) as client:
            yield client
    finally:
        process.kill()
        await process.wait()


async def has_values(client: httpx.AsyncClient, query: str) -> bool:
    """Whether the result of a query has a series with a finite value."""
    expression = query.replace("$__rate_interval", "5s").replace("$instance", ".+")
    try:
        response = await client.get("/api/v1/query", params={"query": expression})
    except httpx.ConnectError:
        return False
    if response.status_code == 503:  # not ready yet
        return False
    answer = response.json()
    assert answer["status"] == "success", answer
    values = [float(found["value"][1]) for found in answer["data"]["result"]]
    return any(map(math.isfinite, values))


async def traffic(address: tuple[str, int], generator: FailingGenerator) -> None:
    """Cause everything that the dashboard shows to happen once."""
    key = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}", headers=key, timeout=GUARD_S) as client:
        await client.post("/solve", json={"problem": "plain"})
        await client.post("/solve", json={"problem": "stream", "stream": True, "method": "pf"})
        assert (await client.post("/solve", json={"problem": "fails"})).status_code == 502
        assert (await client.get("/nowhere")).status_code == 404
    generator.entered.clear()
    async with posted(address, "/solve", {"problem": "hangs"}, **key):
        await generator.entered.wait()


def test_every_panel_shows_something_on_a_real_prometheus(tmp_path: Path) -> None:
    """Prometheus needs its key to reach the service."""
    find_program("prometheus")

    async def scenario() -> None:
        generator = FailingGenerator()
        app = create_app(generator, ScriptedRewardModel(), Settings(api_keys={"prometheus": SecretStr(KEY)}))
        ServiceState.of(app).metrics.watch_particles(running=lambda: 8, waiting=lambda: 0)
        async with (
            asyncio.timeout(GUARD_S),
            served(app) as address,
            prometheus(tmp_path, address, KEY) as client,
        ):
            missing = dict(QUERIES)
            while missing:
                await traffic(address, generator)
                for name, query in list(missing.items()):
                    if await has_values(client, query):
                        del missing[name]

    asyncio.run(scenario())


def test_prometheus_reads_a_service_without_keys(tmp_path: Path) -> None:
    """Without keys the secret is an empty file, which the service accepts."""
    find_program("prometheus")

    async def scenario() -> None:
        async with (
            asyncio.timeout(GUARD_S),
            served(create_app(ScriptedGenerator(), ScriptedRewardModel())) as address,
            prometheus(tmp_path, address, "") as client,
        ):
            while not await has_values(client, "up{instance=~'$instance'} == 1"):
                await asyncio.sleep(0)

    asyncio.run(scenario())


def test_promtool_accepts_the_metric_names() -> None:
    promtool = find_program("promtool")

    async def scenario() -> None:
        app = create_app(generator := FailingGenerator(), ScriptedRewardModel())
        ServiceState.of(app).metrics.watch_particles(running=lambda: 8, waiting=lambda: 0)
        async with asyncio.timeout(GUARD_S), served(app) as address:
            await until(lambda: ServiceState.of(app).searches is not None)
            await traffic(address, generator)
        metrics: Metrics = ServiceState.of(app).metrics
        done = subprocess.run([promtool, "check", "metrics"], input=metrics.text(), capture_output=True, timeout=GUARD_S)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()

    asyncio.run(scenario())
