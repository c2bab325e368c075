"""Addresses as people write them."""

import pytest

from epf.core.errors import InvalidRequest
from epf.engines.http.address import base_address


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("http://localhost:8001", "http://localhost:8001"),
        ("http://localhost:8001/", "http://localhost:8001"),
        ("http://localhost:8001/v1", "http://localhost:8001"),
        ("http://localhost:8001//v1///", "http://localhost:8001"),
        (" https://example.com/openai/v1/ ", "https://example.com/openai"),
        ("http://[::1]:8001/v1", "http://[::1]:8001"),
        ("HTTP://Example.com", "http://Example.com"),
        ("https://us.openai.azure.com/openai/v1/", "https://us.openai.azure.com/openai"),
        ("https://us.openai.azure.com", "https://us.openai.azure.com/openai"),
    ],
)
def test_the_base_of_an_address(written: str, base: str) -> None:
    assert base_address(written, "generator") == base


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("http://user:hunter2@host/v1", "has a user or password: put the key in EPF_REWARD_MODEL__API_KEY"),
        ("http://hunter2@host", "has a user or password"),
        ("http://host/v1?api-version=2", r"has a query \(\?\) or fragment"),
        ("http://host/#x", "fragment"),
        ("http://host/v1?key=hunter2", "its address 'http://host/v1' has a query"),
        (
            "https://us.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            r"single deployment, .*: give https://us\.openai\.azure\.com/openai/v1 and name the deployment as the model",
        ),
        ("ftp://host", "does not start with http:// or https://"),
        ("http:///v1", "no valid host"),
        ("http://a b/", "no valid host"),
        ("http://host:99999", "not valid"),
        ("http://host:port", "not valid"),
        ("http://host:0", "port 0"),
        ("http://host:1/v1/chat/completions", "one route: give the base address, http://host:1/v1"),
        ("http://[::1", "not valid"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_the_fix(written: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        base_address(written, "reward_model")
    assert caught.value.message.startswith("The reward model's server: its address ")
    assert "hunter2" not in caught.value.message
