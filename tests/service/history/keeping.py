"""Servers that keep their searches in a file, and what a test asks them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from epf.core.generator import Generator
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

T = TypeVar("T")
PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"


def kept(path: Path, **settings: Any) -> Settings:
    """Settings of a server that keeps searches in a file of ``path``."""
    return Settings(store=path / "searches.db", **settings)


def asking(settings: Settings, ask: Callable[[httpx.AsyncClient], Awaitable[T]], generator: Generator | None = None) -> T:
    """What ``ask`` returns for a client of a server with these settings, which has stopped by then."""

    async def run() -> T:
        app = create_app(generator or ScriptedGenerator(), ScriptedRewardModel(), settings)
        async with client_of(app) as client:
            return await ask(client)

    return asyncio.run(run())


async def solved(client: httpx.AsyncClient, problem: str = PROBLEM, *, ok: bool = True, **more: Any) -> dict[str, Any]:
    """The response of a search with two particles."""
    headers = more.pop("headers", None)
    response = await client.post("/solve", json={"problem": problem, "n_particles": 2, "seed": 3, **more}, headers=headers)
    assert response.is_success == ok, response.text
    body: dict[str, Any] = response.json()
    return body


async def listed(client: httpx.AsyncClient, headers: dict[str, str] | None = None, **query: Any) -> list[dict[str, Any]]:
    """The kept searches that a query finds."""
    response = await client.get("/searches", params=query, headers=headers)
    assert response.status_code == 200, response.text
    searches: list[dict[str, Any]] = response.json()["searches"]
    return searches


def on_disk(path: Path) -> bytes:
    """Everything in the files of a directory."""
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())
