"""A server process reads its keys file again on SIGHUP, and does not end."""

import signal
from pathlib import Path

import pytest

from tests.service.test_drain import started

pytestmark = pytest.mark.slow

ALICE, BOB = "a-key-of-alice-1", "b" * 20


def test_a_signal_reads_the_file_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'alice = "{ALICE}"')
    with started(EPF_API_KEYS_FILE=str(path)) as server:
        assert server.process.stderr is not None
        path.write_text(f'bob = "{BOB}"\nalice = "{BOB}x"')
        server.signal(signal.SIGHUP)
        assert any("callers in the keys file: 2" in line for line in server.process.stderr), "read without any request"
        found = [server.client.get("/v1/models", headers={"authorization": f"Bearer {key}"}) for key in (ALICE, BOB)]
        assert [response.status_code for response in found] == [401, 200]
        path.write_text("alice = 7")
        server.signal(signal.SIGHUP)
        assert any("alice: it must be a key" in line for line in server.process.stderr)
        assert server.process.poll() is None
