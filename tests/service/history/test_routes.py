"""What a caller reads of the searches that the server has kept."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from epf.core.errors import GeneratorError
from epf.service.history.schemas import EXCERPT_CHARS
from tests.fakes import ScriptedGenerator
from tests.service.history.keeping import PROBLEM, asking, kept, listed, solved
from tests.service.serving import events_of

KEYS = {name: f"key-of-{name}-with-sixteen" for name in ("alice", "ben")}
HEADERS = {name: {"authorization": f"Bearer {key}"} for name, key in KEYS.items()}


def test_a_search_is_listed_and_read_after_a_restart(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    response = asking(kept(tmp_path), lambda client: solved(client, lookahead="reuse"))

    async def read(client: httpx.AsyncClient) -> tuple[dict[str, Any], dict[str, Any]]:
        (found,) = await listed(client)
        return found, (await client.get(f"/searches/{found['id']}")).json()

    found, whole = asking(kept(tmp_path), read)
    assert before <= datetime.fromisoformat(found["started_at"]) <= datetime.now(UTC)
    assert found["state"] == "answered"
    assert (found["problem"], found["answer"], found["confidence"]) == (PROBLEM, response["answer"], response["confidence"])
    assert (found["method"], found["n_particles"], found["seed"]) == ("epf", 2, 3)
    assert found["generated_tokens"] == response["usage"]["generated_tokens"]
    assert found["request_id"] == response["id"] == whole["request_id"]
    assert whole["id"] == found["id"]
    assert whole["request"].items() >= {"problem": PROBLEM, "n_particles": 2, "seed": 3, "lookahead": "reuse"}.items()


def test_a_kept_search_has_the_events_of_a_stream(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
        body = {"problem": PROBLEM, "n_particles": 2, "seed": 3, "return_particles": True, "stream": True}
        stream = (await client.post("/solve", json=body)).text
        (found,) = await listed(client)
        return stream, (await client.get(f"/searches/{found['id']}")).json()

    stream, whole = asking(kept(tmp_path), ask)
    assert whole["events"] == events_of(stream)


def test_the_request_repeats_the_search(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        first = await solved(client, method="pf", stop=["x"], temperature=0.5)
        (found,) = await listed(client)
        request = (await client.get(f"/searches/{found['id']}")).json()["request"]
        again = (await client.post("/solve", json=request)).json()
        assert again["answer"] == first["answer"]
        assert again["seed"] == first["seed"]

    asking(kept(tmp_path), ask)


def test_filters_and_pages(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for i in range(5):
            await solved(
                client, f"Problem {i}: 100% of a_b?", method="pf" if i % 2 else "epf", headers={"x-request-id": f"r{i}"}
            )
        every = await listed(client)
        assert [one["problem"][8] for one in every] == list("43210")
        assert [one["problem"][8] for one in await listed(client, method="pf")] == list("31")
        assert [one["problem"][8] for one in await listed(client, request_id="r2")] == ["2"]
        assert [one["problem"][8] for one in await listed(client, q="pRoBlEm 3")] == ["3"]
        assert len(await listed(client, q="42")) == 5, "answers are searched as well"
        assert len(await listed(client, q="100%")) == 5
        assert await listed(client, q="1%f") == []
        assert await listed(client, q="a%b") == await listed(client, q="axb") == []
        assert await listed(client, state="failed") == []
        middle = datetime.fromisoformat(every[2]["started_at"])
        assert len(await listed(client, since=middle.isoformat())) == 3
        assert len(await listed(client, until=middle.isoformat())) == 2
        page = (await client.get("/searches", params={"limit": 2, "after": every[1]["id"]})).json()
        assert page == {"searches": every[2:4], "has_more": True}
        assert (await client.get("/searches", params={"limit": 2, "after": every[2]["id"]})).json()["has_more"] is False

    asking(kept(tmp_path), ask)


def test_a_list_shows_the_beginning_of_a_long_problem(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        await solved(client, "y" * 1000)
        (found,) = await listed(client)
        assert found["problem"] == "y" * EXCERPT_CHARS
        assert (await client.get(f"/searches/{found['id']}")).json()["request"]["problem"] == "y" * 1000

    asking(kept(tmp_path), ask)


@pytest.mark.parametrize(
    ("query", "param", "words"),
    [
        ("colour=red", "colour", "The fields are q, method,"),
        ("limit=0", "limit", "1"),
        ("method=fastest", "method", "epf"),
        ("since=2026-01-01T00:00:00", "since", "with a time zone"),
        ("since=yesterday", "since", "ISO 8601"),
        ("until=0.5", "until", "ISO 8601"),
        ("after=nothing", "after", "leave it out"),
        (f"q={'x' * 201}", "q", "200"),
        ("q=%00x", "q", "null character"),
    ],
)
def test_a_wrong_query_is_refused(query: str, param: str, words: str, tmp_path: Path) -> None:
    response = asking(kept(tmp_path), lambda client: client.get(f"/searches?{query}"))
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert words in error["message"]


def test_a_caller_sees_its_own_searches_only(tmp_path: Path) -> None:
    settings = kept(tmp_path, api_keys={name: SecretStr(key) for name, key in KEYS.items()})

    async def ask(client: httpx.AsyncClient) -> None:
        await solved(client, "of alice", headers=HEADERS["alice"])
        await solved(client, "of ben", headers=HEADERS["ben"])
        (found,) = await listed(client, HEADERS["alice"])
        assert found["problem"] == "of alice"
        path = f"/searches/{found['id']}"
        assert (await client.get(path)).status_code == 401
        assert (await client.get("/searches")).status_code == 401
        assert (await client.get("/searches/export")).status_code == 401
        for response in (
            await client.get(path, headers=HEADERS["ben"]),
            await client.delete(path, headers=HEADERS["ben"]),
            await client.get("/searches/" + "0" * 32, headers=HEADERS["ben"]),
        ):
            assert response.status_code == 404
            assert response.json()["error"]["param"] == "id"
        assert (await client.get(f"/searches?after={found['id']}", headers=HEADERS["ben"])).status_code == 400
        export = (await client.get("/searches/export", headers=HEADERS["ben"])).text
        assert [json.loads(line)["request"]["problem"] for line in export.splitlines()] == ["of ben"]
        assert (await client.get(path, headers=HEADERS["alice"])).status_code == 200

    asking(settings, ask)


def test_every_route_with_a_search_is_kept(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        await client.post("/solve/batch", json={"problems": ["batch 1", "batch 2"], "n_particles": 2})
        chat = {"model": "epf-2", "messages": [{"role": "user", "content": "chat"}]}
        await client.post("/v1/chat/completions", json=chat)
        await client.post("/v1/responses", json={"model": "epf-2", "input": "response"})
        found = await listed(client)
        assert sorted(one["problem"] for one in found) == ["batch 1", "batch 2", "chat", "response"]
        assert len({one["request_id"] for one in found}) == 3

    asking(kept(tmp_path), ask)


def test_a_caller_who_wants_nothing_stored_is_heeded(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        chat = {"model": "epf-2", "messages": [{"role": "user", "content": "chat"}], "store": False}
        assert (await client.post("/v1/chat/completions", json=chat)).is_success
        assert (await client.post("/v1/responses", json={"model": "epf-2", "input": "response", "store": False})).is_success
        assert await listed(client) == []

    asking(kept(tmp_path), ask)


def test_failures_are_kept_with_their_public_reason(tmp_path: Path) -> None:
    class Failing(ScriptedGenerator):
        async def step(self, *arguments: Any) -> Any:
            try:
                raise OSError("an engine's own secret")
            except OSError as error:
                raise GeneratorError("an engine's own secret") from error

    async def ask(client: httpx.AsyncClient) -> None:
        await solved(client, ok=False)
        (found,) = await listed(client, state="failed")
        assert found["answer"] is None
        whole = await client.get(f"/searches/{found['id']}")
        assert whole.json()["events"][-1]["error"]["code"] == "generator_error"
        assert "secret" not in whole.text

    asking(kept(tmp_path), ask, Failing())


def test_a_search_that_its_caller_stopped_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    generator = ScriptedGenerator(hold=True)

    async def ask(client: httpx.AsyncClient) -> None:
        solving = asyncio.create_task(solved(client, ok=False, headers={"x-request-id": "mine"}))
        await generator.entered.wait()
        assert (await client.delete("/solve/mine")).status_code == 200
        await solving
        (found,) = await listed(client)
        assert found["state"] == "stopped"
        assert [e["type"] for e in (await client.get(f"/searches/{found['id']}")).json()["events"]] == ["started"]

    asking(kept(tmp_path), ask, generator)


def test_an_export_follows_filters_and_has_every_search(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for i in range(20):
            await solved(client, f"Problem {i}", method="pf" if i % 2 else "epf")
        response = await client.get("/searches/export")
        assert response.headers["content-type"] == "application/jsonl"
        assert 'filename="searches.jsonl"' in response.headers["content-disposition"]
        rows = [json.loads(line) for line in response.text.splitlines()]
        assert [row["request"]["problem"] for row in rows] == [f"Problem {i}" for i in range(20)]
        ids = {one["id"]: one for one in await listed(client, limit=100)}
        assert rows[7] == (await client.get(f"/searches/{rows[7]['id']}")).json()
        assert {row["id"] for row in rows} == set(ids)
        some = (await client.get("/searches/export", params={"method": "pf", "since": _soon()})).text
        assert some == ""
        assert len((await client.get("/searches/export", params={"method": "pf"})).text.splitlines()) == 10

    asking(kept(tmp_path), ask)


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_browser_gets_the_page_and_needs_no_key_for_it(tmp_path: Path) -> None:
    settings = kept(tmp_path, api_keys={"alice": SecretStr(KEYS["alice"])})
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    async def ask(client: httpx.AsyncClient) -> None:
        for path in ("/searches", "/searches/" + "0" * 32):
            page = await client.get(path, headers=browser)
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert page.headers["vary"] == "Accept"
            assert "script-src 'self'" in page.headers["content-security-policy"]
            assert (await client.head(path, headers=browser)).status_code == 200
            assert (await client.delete(path, headers=browser)).status_code == 401
            both = {"accept": "text/html, application/json"}
            assert (await client.get(path, headers=both)).status_code == 401
            assert (await client.get(path)).status_code == 401
            with_slash = await client.get(f"{path}/", headers=browser)
            assert (with_slash.status_code, with_slash.headers["location"]) == (308, f"../{path.split('/')[-1]}")
            assert httpx.URL(f"http://host{path}/").join(with_slash.headers["location"]).path == path
        assert (await client.get("/searches/export", headers=browser)).status_code == 401
        mine = await client.get("/searches", headers=HEADERS["alice"])
        assert mine.headers["vary"] == "accept"
        assert mine.headers["cache-control"] == "no-store"

    asking(settings, ask)
