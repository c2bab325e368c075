"""API keys, known by their digests alone."""

import re
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest

from pydantic import SecretStr

from epf.core.errors import InvalidRequest

MIN_KEY_CHARS = 16
PREFIX = "sha256:"

_DIGEST_OF_NOTHING = sha256(b"").hexdigest()


def digests_only(keys: Mapping[str, SecretStr]) -> dict[str, SecretStr]:
    """Each caller's key as ``sha256:DIGEST``, whether it was given so or in plain.

    Raises:
        InvalidRequest: a plain key is short or cannot be sent in a header, a digest is none, or two callers have one key.
    """
    digests: dict[str, str] = {}
    for name, key in keys.items():
        digest = _digest(key.get_secret_value(), f"api_keys.{name}")
        if digest in digests.values():
            raise InvalidRequest(f"api_keys.{name} is another caller's key too: give each its own.", param=f"api_keys.{name}")
        digests[name] = digest
    return {name: SecretStr(PREFIX + digest) for name, digest in digests.items()}


def _digest(key: str, field: str) -> str:
    if key.startswith(PREFIX):
        digest = key.removeprefix(PREFIX).lower()
        if not re.fullmatch("[0-9a-f]{64}", digest) or digest == _DIGEST_OF_NOTHING:
            message = f"{field} is not the SHA-256 of a key: take the 64 digits that `printf %s KEY | sha256sum` prints."
            raise InvalidRequest(message, param=field)
        return digest
    if not re.fullmatch("[!-~]*", key):
        message = f"{field} has spaces or characters outside ASCII, which a header cannot carry: choose another key."
        raise InvalidRequest(message, param=field)
    if len(key) < MIN_KEY_CHARS:
        message = f"{field} must have at least {MIN_KEY_CHARS} characters: draw one with `openssl rand -hex 32`."
        raise InvalidRequest(message, param=field)
    return sha256(key.encode()).hexdigest()


class Keys:
    """Who has which key; false if nobody has one. ``keys`` are as :func:`digests_only` leaves them."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._digests = {name: bytes.fromhex(key.get_secret_value().removeprefix(PREFIX)) for name, key in keys.items()}

    def __bool__(self) -> bool:
        return bool(self._digests)

    def owner(self, key: bytes) -> str | None:
        """Whose key this is. It is compared with all keys, each in constant time, so that time tells nothing about them."""
        digest = sha256(key).digest()
        found = None
        for name, known in self._digests.items():
            if compare_digest(digest, known):
                found = name
        return found
