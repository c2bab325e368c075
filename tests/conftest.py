"""What holds for every test."""

import os
import signal
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# The wall time of an example depends on how busy the machine is, not on whether the code is right. Under CI the same examples
# are tried every time, so that what passed passes again.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("untimed")

# A background job of a shell starts with SIGINT ignored, and its children inherit that: an interrupt would not reach them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the tests in a browser unless they are named, and the fuzz tests where no slow test runs.

    Fuzz tests draw their requests while they are collected.
    """
    if collection_path == Path(__file__).parent / "web" and not any("tests/web" in argument for argument in config.args):
        return True
    return True if collection_path.name == "test_fuzz.py" and config.option.markexpr == "not slow" else None


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """Reading the certificates anew for each HTTP client takes longer than most tests, whose servers speak plain HTTP."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield
