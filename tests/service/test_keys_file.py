"""The keys file: what may be in it, and how it changes while the server runs."""

import asyncio
import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from epf.core.errors import InvalidRequest
from epf.service.access.keys_file import MAX_BYTES, parse_keys
from epf.service.access.limits import Limits, OwnLimits
from epf.service.app import create_app
from epf.service.http.middleware.auth import check_bind
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

ALICE, BOB, CAROL = "a-key-of-alice-1", "b" * 64, "a-key-of-carol-1"
TOML = f"""\
bob = "sha256:{sha256(BOB.encode()).hexdigest()}"

[alice]
key = ["{ALICE}", "another-key-of-alice"]
max_requests_per_minute = 60
max_tokens_per_minute = "none"
"""


def digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


@pytest.mark.parametrize("form", ["toml", "json", "with a byte order mark"])
def test_callers_with_keys_and_limits(form: str) -> None:
    data = TOML.encode()
    if form == "json":
        alice = {"key": [ALICE, "another-key-of-alice"], "max_requests_per_minute": 60, "max_tokens_per_minute": "none"}
        data = json.dumps({"bob": BOB, "alice": alice}).encode()
    elif form != "toml":
        data = b"\xef\xbb\xbf" + data
    owners = parse_keys(data, "keys")
    assert owners["bob"].digests == (digest(BOB),)
    assert owners["alice"].digests == (digest(ALICE), digest("another-key-of-alice"))
    assert owners["bob"].limits.on_top_of(Limits(5, 6)) == Limits(5, 6)
    assert owners["alice"].limits.on_top_of(Limits(5, 6)) == Limits(60, None)
    assert parse_keys(b"{}", "keys") == parse_keys(b"# nobody\n", "keys") == {}


SECRET = "canary-canary-canary"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f'alice = "{SECRET}" 3', "line 1, column"),
        (f'alice = "{SECRET}', "not valid TOML"),
        ('{"alice": "' + SECRET + '",}', "line 1 column"),
        ('{"alice": "' + SECRET + '", "alice": "' + SECRET + '"}', "a name occurs twice"),
        (f'alice = "{SECRET}"\nalice = "{SECRET}"', "at end of document"),
        ("[" * 9, "not valid TOML"),
        ('{"a":' * 40_000, "nesting"),
        ('"alice smith" = "' + SECRET + '"', "the name of a caller"),
        (f'[alice]\nkey = "{SECRET}"\nlimit = 3', "no other field"),
        ("[alice]\nmax_requests_per_minute = 3", "alice.key: it must be a string"),
        (f'[alice]\nkey = "{SECRET}"\nmax_requests_per_minute = 0', "at least 1"),
        (f'[alice]\nkey = "{SECRET}"\nmax_tokens_per_minute = true', "at least 1"),
        (f'[alice]\nkey = "{SECRET}"\nmax_tokens_per_minute = "many"', "at least 1"),
        ("[alice]\nkey = []", "list of 1 to 4"),
        ("alice = 7", "it must be a key"),
        ('alice = "short"', "at least 16 characters"),
        (f'alice = "{SECRET} "', "spaces"),
        (f'alice = "sha256:{SECRET}"', "sha256sum"),
        (f'alice = "{SECRET}"\nbob = "{SECRET}"', "bob and alice have the same key"),
        ("#" * (MAX_BYTES + 1), "more than"),
    ],
)
def test_what_is_wrong_is_named_and_no_key_is_quoted(data: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refused:
        parse_keys(data.encode(), "keys")
    assert refused.value.param == "api_keys_file"
    assert SECRET not in refused.value.message


def test_a_server_does_not_start_with_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    for content in (None, "alice = 7", f'tests = "{ALICE}"'):
        if content is not None:
            path.write_text(content)
        with pytest.raises(InvalidRequest, match="api_keys_file"):
            app(path, api_keys={"tests": SecretStr(CAROL)})
    path.write_text(f'alice = "{CAROL}"')
    with pytest.raises(InvalidRequest, match="alice or its key is in api_keys"):
        app(path, api_keys={"tests": SecretStr(CAROL)})


def test_a_server_with_a_keys_file_may_listen_to_other_machines(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(TOML)
    check_bind(Settings(host="0.0.0.0", api_keys_file=tmp_path / "keys"))


def app(path: Path, **settings: Any) -> FastAPI:
    return create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(api_keys_file=path, **settings))


async def status(client: httpx.AsyncClient, key: str, path: str = "/v1/models") -> int:
    return (await client.get(path, headers={"authorization": f"Bearer {key}"})).status_code


def replaced(path: Path, content: str) -> None:
    """Replace a file at once, as editors and deployments do."""
    new = path.with_suffix(".new")
    new.write_text(content)
    os.replace(new, path)


@pytest.mark.parametrize("way", ["replaced", "written to", "same size and time"])
def test_a_change_applies_to_the_next_request(way: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'alice = "{ALICE}"\n')

    def write(content: str) -> None:
        before = path.stat()
        if way == "replaced":
            replaced(path, content)
            return
        path.write_text(content)
        if way != "written to":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    async def scenario() -> None:
        async with client_of(app(path, api_keys={"tests": SecretStr(BOB)})) as client:
            assert [await status(client, key) for key in (ALICE, BOB, CAROL)] == [200, 200, 401]
            write(f'alice = "{CAROL}"\n')
            assert [await status(client, key) for key in (ALICE, BOB, CAROL)] == [401, 200, 200]
            write(f'alice = ["{CAROL}", "{ALICE}"]\n')
            assert [await status(client, key) for key in (ALICE, BOB, CAROL)] == [200, 200, 200]
            write("# nobody\n")
            assert [await status(client, key) for key in (ALICE, BOB, CAROL)] == [401, 200, 401]

    asyncio.run(scenario())


def test_a_mounted_secret_is_swapped_by_its_symbolic_link(tmp_path: Path) -> None:
    """Kubernetes writes a folder of its own for each version, and a link to it that is replaced."""

    def swap(version: str, key: str) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "keys.toml").write_text(f'alice = "{key}"')
        (tmp_path / "..tmp").symlink_to(version)
        os.replace(tmp_path / "..tmp", tmp_path / "..data")

    async def scenario() -> None:
        swap("..1", ALICE)
        (tmp_path / "keys.toml").symlink_to("..data/keys.toml")
        async with client_of(app(tmp_path / "keys.toml")) as client:
            assert [await status(client, key) for key in (ALICE, BOB)] == [200, 401]
            swap("..2", BOB)
            assert [await status(client, key) for key in (ALICE, BOB)] == [401, 200]

    asyncio.run(scenario())


def test_a_broken_file_keeps_the_keys_and_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'alice = "{ALICE}"')

    async def valid(client: httpx.AsyncClient) -> bool:
        text = (await client.get("/metrics", headers={"authorization": f"Bearer {ALICE}"})).text
        return "epf_api_keys_file_valid 1.0" in text

    async def scenario() -> None:
        async with client_of(app(path)) as client:
            assert await valid(client)
            for content in (f'alice = "{SECRET}', "", None, "a folder", "a pipe"):
                caplog.clear()
                if content is None:
                    path.unlink()
                elif content == "a folder":
                    path.mkdir()
                elif content == "a pipe":
                    path.rmdir()
                    os.mkfifo(path)
                else:
                    replaced(path, content)
                assert [await status(client, key) for key in (ALICE, SECRET, ALICE)] == [200, 401, 200]
                assert not await valid(client)
                (line,) = [record.getMessage() for record in caplog.records if "stay valid" in record.getMessage()]
                assert line.startswith("api_keys_file: ")
                assert SECRET not in line
            path.unlink()
            replaced(path, f'bob = "{BOB}"')
            assert [await status(client, key) for key in (ALICE, BOB)] == [401, 200]
            replaced(path, f'bob = "{BOB}"\nalice = "{ALICE}"')
            assert await valid(client)

    with caplog.at_level("INFO", logger="epf"):
        asyncio.run(scenario())
    assert not any(key in caplog.text for key in (ALICE, BOB, SECRET))


def test_concurrent_requests_see_the_change_together(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'alice = "{ALICE}"')

    async def scenario() -> None:
        async with client_of(app(path)) as client:
            replaced(path, f'alice = "{BOB}"')
            found = await asyncio.gather(*(status(client, key) for key in [ALICE, BOB] * 8))
            assert found == [401, 200] * 8

    asyncio.run(scenario())


def test_the_scoring_server_reads_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'alice = "{ALICE}"')

    async def scenario() -> None:
        async with client_of(create_scoring_app(ScriptedRewardModel(), Settings(api_keys_file=path))) as client:
            assert [await status(client, key, "/metrics") for key in (ALICE, BOB)] == [200, 401]
            replaced(path, f'alice = "{BOB}"')
            assert [await status(client, key, "/metrics") for key in (ALICE, BOB)] == [401, 200]

    asyncio.run(scenario())


def test_the_documented_file_is_valid() -> None:
    page = Path(__file__).parents[2] / "docs" / "deploying.md"
    (block,) = re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    owners = parse_keys(block.encode(), "keys")
    assert owners.keys() == {"alice", "bob"}
    assert owners["alice"].limits == OwnLimits(60, "none")


def test_limits_of_nobody() -> None:
    assert OwnLimits().on_top_of(Limits()) == Limits()
