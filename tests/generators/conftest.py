"""Fixtures that several tests of generators share."""

from pathlib import Path

import pytest

from tests.tiny_model import write_model


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a tiny generator."""
    path = tmp_path_factory.mktemp("models") / "tiny-generator"
    write_model(path, "generator")
    return path
