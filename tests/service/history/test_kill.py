"""A server that is killed while it writes: what was kept stays kept, and the file stays whole."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.service.test_drain import GUARD_S, started

pytestmark = pytest.mark.slow

N_CLIENTS = 4
N_KEPT = 40


def test_a_kill_loses_at_most_the_search_under_way(tmp_path: Path) -> None:
    path = tmp_path / "searches.db"
    answered: set[str] = set()
    kept: set[str] = set()
    enough = threading.Event()

    def ask(client_number: int, url: str) -> None:
        """One search after the other, each begun when the one before is listed, until the server is gone."""
        with httpx.Client(base_url=url, timeout=GUARD_S) as client:
            for i in range(10_000):
                id = f"{client_number}-{i}"
                try:
                    body = {"problem": f"Problem {id}", "n_particles": 4}
                    client.post("/solve", json=body, headers={"x-request-id": id}).raise_for_status()
                    answered.add(id)
                    if len(client.get("/searches", params={"request_id": id}).json()["searches"]) == 1:
                        kept.add(id)
                except httpx.HTTPError:
                    return
                if len(kept) >= N_KEPT:
                    enough.set()

    with started(EPF_STORE=str(path)) as server, ThreadPoolExecutor(N_CLIENTS) as pool:
        for number in range(N_CLIENTS):
            pool.submit(ask, number, server.url)
        assert enough.wait(GUARD_S)
        server.process.kill()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with started(EPF_STORE=str(path)) as server:
        found = {one["request_id"] for one in server.client.get("/searches?limit=100").json()["searches"]}
        after = server.client.post("/solve", json={"problem": "after", "n_particles": 2})
        assert after.is_success
    assert kept <= found
    assert answered <= found


def test_what_waits_is_written_before_the_server_stops(tmp_path: Path) -> None:
    path = str(tmp_path / "searches.db")
    with started(EPF_STORE=path) as server:
        body = {"problems": [f"Problem {i}" for i in range(30)], "n_particles": 2, "concurrency": 8}
        assert server.client.post("/solve/batch", json=body).text.count("event: solved") == 30
        server.signal()
        assert server.ended()[0] == 0
    with started(EPF_STORE=path) as server:
        assert len(server.client.get("/searches?limit=100").json()["searches"]) == 30
