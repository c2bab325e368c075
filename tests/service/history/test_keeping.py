"""The file of kept searches: what is in it, what is not, and its limits."""

import asyncio
import random
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from epf.core.errors import DeadlineExceeded, InvalidRequest
from epf.service.app import create_app
from epf.service.history.database import Database
from epf.service.history.schemas import SearchFilter
from epf.service.history.store import MAX_WAITING
from epf.service.settings import SearchDefaults, Settings
from epf.service.store_limits import StoreLimits
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.history.keeping import asking, kept, listed, on_disk, solved
from tests.service.serving import client_of

KEY = "a-key-of-the-tests-that-is-secret"
CANARY = "canary-of-a-private-problem"
EVERY = SearchFilter()


def test_a_server_that_keeps_none_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    async def ask(client: httpx.AsyncClient) -> None:
        await solved(client, CANARY)
        for response in (await client.get("/searches"), await client.get("/searches/export"), await client.get("/searches/x")):
            assert response.status_code == 404
            assert "EPF_STORE" in response.json()["error"]["message"]
        assert (await client.get("/methods")).json()["keeps_searches"] is False

    asking(Settings(), ask)
    assert list(tmp_path.rglob("*")) == []


def test_no_secret_is_written(tmp_path: Path) -> None:
    settings = kept(tmp_path, api_keys={"alice": SecretStr(KEY)}, search=SearchDefaults(system_prompt="operator's own prompt"))
    headers = {"authorization": f"Bearer {KEY}"}

    async def ask(client: httpx.AsyncClient) -> None:
        await solved(client, CANARY, headers=headers)
        await solved(client, CANARY, headers=headers, system_prompt="the caller's prompt")
        newest, oldest = await listed(client, headers)
        own = (await client.get(f"/searches/{newest['id']}", headers=headers)).text
        other = (await client.get(f"/searches/{oldest['id']}", headers=headers)).text
        assert "the caller's prompt" in own
        assert "system_prompt" not in other

    asking(settings, ask)
    assert CANARY.encode() in on_disk(tmp_path)
    assert KEY.encode() not in on_disk(tmp_path)
    assert stat.S_IMODE((tmp_path / "searches.db").stat().st_mode) == 0o600


def test_a_deleted_search_leaves_no_trace(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        await solved(client, CANARY)
        await solved(client, "another")
        one = (await listed(client, q=CANARY))[0]
        assert CANARY.encode() in on_disk(tmp_path)
        deleted = await client.delete(f"/searches/{one['id']}")
        assert deleted.json() == {"id": one["id"], "deleted": True}
        assert CANARY.encode() not in on_disk(tmp_path)
        assert (await client.delete(f"/searches/{one['id']}")).status_code == 404
        assert [one["problem"] for one in await listed(client)] == ["another"]

    asking(kept(tmp_path), ask)


def test_two_servers_share_a_file(tmp_path: Path) -> None:
    async def both() -> None:
        apps = [create_app(ScriptedGenerator(), ScriptedRewardModel(), kept(tmp_path)) for _ in range(2)]
        async with client_of(apps[0]) as one, client_of(apps[1]) as other:
            await asyncio.gather(*(solved(client, f"Problem {i}") for i in range(10) for client in (one, other)))
            await asyncio.gather(listed(one), listed(other))  # each has written what it had
            assert len(await listed(one, limit=100)) == len(await listed(other, limit=100)) == 20

    asyncio.run(both())


def test_whoever_has_an_answer_finds_its_search_in_the_file(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        with closing(sqlite3.connect(tmp_path / "searches.db")) as file:
            for n in range(1, 21):
                await solved(client, f"Problem {n}")
                assert file.execute("SELECT count(*) FROM searches").fetchone() == (n,)

    asking(kept(tmp_path), ask)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_waits_for_its_search_to_be_written_but_not_for_long(
    streamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epf.service.history.database.BUSY_S", 60.0)  # no write gives up while this test holds the lock

    async def ask(client: httpx.AsyncClient) -> None:
        with closing(sqlite3.connect(tmp_path / "searches.db", isolation_level=None)) as blocking:
            blocking.execute("BEGIN IMMEDIATE")
            body = {"problem": CANARY, "n_particles": 1, "stream": streamed}
            monkeypatch.setattr("epf.service.history.recording.WRITING_S", 0.0)
            assert (await client.post("/solve", json=body)).is_success
            monkeypatch.setattr("epf.service.history.recording.WRITING_S", 60.0)
            waiting = asyncio.create_task(client.post("/solve", json=body))
            chat = {"model": "epf-1", "store": False, "messages": [{"role": "user", "content": "not kept"}]}
            for _ in range(3):
                assert (await client.post("/v1/chat/completions", json=chat)).is_success
            assert not waiting.done(), "those that are not kept have overtaken it"
            blocking.execute("ROLLBACK")
            assert (await waiting).is_success
        assert len(await listed(client)) == 2

    asking(kept(tmp_path), ask)


def test_neither_a_reader_nor_the_end_waits_for_ever_for_a_file_that_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {"recording.WRITING_S": 0.0, "store.READING_S": 0.0, "store.CLOSING_S": 0.0}.items():
        monkeypatch.setattr(f"epf.service.history.{name}", value)
    monkeypatch.setattr("epf.service.history.database.BUSY_S", 0.2)

    async def ask(client: httpx.AsyncClient) -> None:
        blocking = sqlite3.connect(tmp_path / "searches.db", isolation_level=None)
        blocking.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            await solved(client, CANARY)
        busy = await client.get("/searches")
        assert (busy.status_code, busy.json()["error"]["code"]) == (503, "overloaded")
        assert "busy" in busy.json()["error"]["message"]
        open_until_the_end.append(blocking)

    open_until_the_end: list[sqlite3.Connection] = []
    asking(kept(tmp_path), ask)
    open_until_the_end[0].close()
    assert "still waited for the disk when the server stopped" in caplog.text


def test_searches_that_cannot_wait_are_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epf.service.history.recording.WRITING_S", 0.0)
    n = MAX_WAITING + 20

    async def ask(client: httpx.AsyncClient) -> None:
        blocking = sqlite3.connect(tmp_path / "searches.db", isolation_level=None)
        blocking.execute("BEGIN IMMEDIATE")
        problems = [f"Problem {i}" for i in range(n)]
        for begin in range(0, n, 42):
            body = {"problems": problems[begin : begin + 42], "n_particles": 1, "method": "best_of_n"}
            assert (await client.post("/solve/batch", json=body)).text.count("event: solved") == 42
        blocking.execute("ROLLBACK")
        blocking.close()
        n_kept = len(await listed(client, limit=100))
        assert MAX_WAITING <= n_kept < n
        metrics = (await client.get("/metrics")).text
        assert f'epf_searches_stored_total{{outcome="stored"}} {n_kept}.0' in metrics
        assert f'epf_searches_stored_total{{outcome="queue_full"}} {n - n_kept}.0' in metrics

    asking(kept(tmp_path), ask)
    assert "a search was not kept: queue_full" in caplog.text
    assert "Problem" not in caplog.text


def test_a_file_that_is_lost_stops_no_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        other = sqlite3.connect(tmp_path / "searches.db")
        other.execute("DROP TABLE documents")
        other.close()
        assert (await solved(client, CANARY))["answer"] == "42"
        assert await listed(client) == []
        assert 'epf_searches_stored_total{outcome="failed"} 1.0' in (await client.get("/metrics")).text

    asking(kept(tmp_path), ask)
    assert "no such table" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("content", [b"no database at all, but a long text", None])
def test_a_file_that_cannot_be_used_is_refused_at_the_start(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "other.db" if content else tmp_path / "missing" / "searches.db"
    if content:
        path.write_bytes(content * 100)
    with pytest.raises(InvalidRequest, match=r"EPF_STORE.*name a file") as refused:
        create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(store=path))
    assert str(path) in refused.value.message
    assert not content or path.read_bytes() == content * 100


def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "searches.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(InvalidRequest, match="another program's"):
        create_app(ScriptedGenerator(), ScriptedRewardModel(), kept(tmp_path))


def test_limits_without_a_file_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="EPF_STORE_LIMITS has no effect"):
        create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(store_limits=StoreLimits(max_searches=3)))


def test_lower_limits_apply_from_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for i in range(3):
            await solved(client, f"Problem {i}")

    asking(kept(tmp_path), ask)
    monkeypatch.setenv("EPF_STORE", str(tmp_path / "searches.db"))
    monkeypatch.setenv("EPF_STORE_LIMITS__MAX_SEARCHES", "1")
    assert [one["problem"] for one in asking(Settings(), listed)] == ["Problem 2"]
    assert b"Problem 1" not in on_disk(tmp_path)


def columns(i: int, caller: str = "alice", started_s: float = 0.0) -> dict[str, object]:
    """A row of the file."""
    return {
        **{"id": f"{i:032x}", "caller": caller, "request_id": "r", "started_s": started_s, "state": "answered"},
        **{"method": "epf", "n_particles": 8, "seed": i, "problem": f"Problem {i}", "answer": "42", "confidence": 0.5},
        **{"generated_tokens": 7, "seconds": 0.1},
    }


def problems(database: Database, caller: str = "alice") -> list[str]:
    return [one.problem for one in database.select(caller, EVERY, limit=1000)]


def test_beyond_the_count_the_oldest_of_the_largest_caller_goes_first(tmp_path: Path) -> None:
    database = Database(tmp_path / "searches.db", StoreLimits(max_searches=4), lambda: 0.0)
    assert database.insert(columns(0, "ben"), b"x")
    for i in range(1, 7):
        assert database.insert(columns(i), b"x")
    assert problems(database) == ["Problem 6", "Problem 5", "Problem 4"]
    assert problems(database, "ben") == ["Problem 0"]
    database.close()


def test_what_is_too_old_is_neither_shown_nor_left_in_the_file(tmp_path: Path) -> None:
    now_s = 0.0
    database = Database(tmp_path / "searches.db", StoreLimits(max_days=1), lambda: now_s)
    assert database.insert(columns(0), b"x")
    now_s = 86_399.0
    assert database.insert(columns(1, started_s=now_s), b"x")
    assert problems(database) == ["Problem 1", "Problem 0"]
    now_s = 86_401.0
    assert problems(database) == ["Problem 1"]
    assert database.document("alice", columns(0)["id"]) is None  # type: ignore[arg-type]
    assert b"Problem 0" in on_disk(tmp_path)
    database.trim()
    assert b"Problem 0" not in on_disk(tmp_path)
    database.close()


def test_the_file_stays_below_its_size(tmp_path: Path) -> None:
    limit = 2**20
    database = Database(tmp_path / "searches.db", StoreLimits(max_bytes=limit), lambda: 0.0)
    assert not database.insert(columns(0), _incompressible(limit))
    for i in range(1, 120):
        assert database.insert(columns(i), _incompressible(1000 * (i % 100)))
    assert 1 < len(problems(database)) < 119
    assert problems(database)[0] == "Problem 119"
    database.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1.1 * limit


def _incompressible(n_bytes: int) -> bytes:
    return random.Random(n_bytes).randbytes(n_bytes)


def test_a_text_that_takes_long_to_find_does_not_hold_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "searches.db", StoreLimits(), lambda: 0.0)
    for i in range(600):
        assert database.insert({**columns(i), "problem": "a" * 20_000}, b"x")
    with pytest.raises(DeadlineExceeded, match="narrow them by since"):
        database.select("alice", SearchFilter(q="a" * 199 + "b"), limit=20)
    assert len(problems(database)) == 600
    database.close()


@pytest.mark.parametrize("path", ["/searches", "/searches/export"])
def test_a_text_that_takes_too_long_to_find_is_an_error(path: str, tmp_path: Path) -> None:
    settings = kept(tmp_path)
    assert settings.store is not None
    database = Database(settings.store, StoreLimits())
    for i in range(600):
        assert database.insert({**columns(i), "caller": "anonymous", "started_s": time.time(), "problem": "a" * 20_000}, b"x")
    database.close()
    response = asking(settings, lambda client: client.get(path, params={"q": "a" * 199 + "b"}))
    assert response.status_code == 504
    assert response.json()["error"]["param"] == "q"


def test_a_name_that_means_memory_to_sqlite_is_that_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for n in (1, 2):
        database = Database(Path(":memory:"), StoreLimits(), lambda: 0.0)
        assert database.insert(columns(n), b"x")
        assert len(problems(database)) == n
        database.close()


def test_an_unfinished_write_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "searches.db", StoreLimits(), lambda: 0.0)
    assert database.insert(columns(1), b"x")
    with pytest.raises(sqlite3.IntegrityError):
        database.insert(columns(1), b"y")
    assert database.insert(columns(2), b"z")
    assert problems(database) == ["Problem 2", "Problem 1"]
    database.close()
