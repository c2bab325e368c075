"""API keys in the settings: invalid ones are refused at start, and only digests are kept."""

from hashlib import sha256

import pytest
from pydantic import SecretStr, ValidationError

from epf.core.errors import InvalidRequest
from epf.service.access.keys import Keys
from epf.service.http.middleware.auth import check_bind
from epf.service.settings import Settings

ALICE, BOB = "a-key-of-alice-1", "b" * 64


def digest(key: str) -> str:
    return f"sha256:{sha256(key.encode()).hexdigest()}"


def settings(keys: dict[str, str]) -> Settings:
    return Settings(api_keys={name: SecretStr(key) for name, key in keys.items()})


def test_each_key_has_its_owner_and_only_digests_are_kept() -> None:
    kept = settings({"alice": ALICE, "bob": digest(BOB).upper().replace("SHA256", "sha256")}).api_keys
    assert {name: key.get_secret_value() for name, key in kept.items()} == {"alice": digest(ALICE), "bob": digest(BOB)}
    keys = Keys(kept)
    assert keys.owner(ALICE.encode()) == "alice"
    assert keys.owner(BOB.encode()) == "bob"
    for wrong in ("", ALICE[:-1], ALICE.upper(), ALICE + " ", digest(ALICE), digest(ALICE).removeprefix("sha256:")):
        assert keys.owner(wrong.encode()) is None


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPF_API_KEYS__ALICE", ALICE)
    monkeypatch.setenv("EPF_API_KEYS__BOB", digest(BOB))
    assert Keys(Settings().api_keys).owner(ALICE.encode()) == "alice"
    assert "a-key-of" not in repr(Settings())


@pytest.mark.parametrize(
    ("keys", "param", "message"),
    [
        ({"alice": ""}, "api_keys.alice", "16 characters"),
        ({"alice": ALICE[:15]}, "api_keys.alice", "16 characters"),
        ({"alice": "a key with spaces in it"}, "api_keys.alice", "header"),
        ({"alice": ALICE + "\n"}, "api_keys.alice", "header"),
        ({"alice": "schlüssel-der-alice"}, "api_keys.alice", "header"),
        ({"alice": "sha256:"}, "api_keys.alice", "sha256sum"),
        ({"alice": digest(ALICE)[:-1]}, "api_keys.alice", "sha256sum"),
        ({"alice": digest(ALICE) + "0"}, "api_keys.alice", "sha256sum"),
        ({"alice": digest(ALICE)[:-1] + "g"}, "api_keys.alice", "sha256sum"),
        ({"alice": digest("")}, "api_keys.alice", "sha256sum"),
        ({"alice": ALICE, "bob": ALICE}, "api_keys.bob", "its own"),
        ({"alice": ALICE, "bob": digest(ALICE)}, "api_keys.bob", "its own"),
    ],
)
def test_invalid_keys_are_refused_at_start_and_not_quoted(keys: dict[str, str], param: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        settings(keys)
    assert refused.value.param == param
    assert not any(key and key.removeprefix("sha256:") and key in refused.value.message for key in keys.values())


def test_invalid_settings_are_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPF_API_KEYS", '{"alice": ["canary"]}')
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_without_keys_the_server_does_not_listen_to_other_machines(host: str, alone: bool) -> None:
    check_bind(Settings(host=host, api_keys={"alice": SecretStr(ALICE)}))
    check_bind(Settings(host=host, allow_anonymous=True))
    if alone:
        check_bind(Settings(host=host))
        return
    with pytest.raises(InvalidRequest, match="EPF_API_KEYS") as refused:
        check_bind(Settings(host=host))
    assert refused.value.param == "host"
