"""API keys, of which only digests are kept."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from pydantic import SecretStr

from epf.core.errors import InvalidRequest

MIN_KEY_CHARS: Final = 16
DIGEST_PREFIX: Final = "sha256:"

_DIGEST_OF_NOTHING: Final = sha256(b"").hexdigest()


def digests_only(keys: Mapping[str, SecretStr]) -> dict[str, SecretStr]:
    """Each caller's key as ``sha256:DIGEST``, whether it was given as a digest or in plain text.

    Raises:
        InvalidRequest: a plain key is too short or cannot be sent in a header, a digest is invalid, or two callers share a key.
    """
    digests: dict[str, str] = {}
    for name, key in keys.items():
        digest = digest_of(key.get_secret_value(), f"api_keys.{name}")
        if digest in digests.values():
            message = f"api_keys.{name} is also the key of another caller: give each caller a key of its own."
            raise InvalidRequest(message, param=f"api_keys.{name}")
        digests[name] = digest
    return {name: SecretStr(DIGEST_PREFIX + digest) for name, digest in digests.items()}


def digest_of(key: str, field: str) -> str:
    """The SHA-256 of a key, given in plain text or as ``sha256:DIGEST``, in hexadecimal digits.

    Raises:
        InvalidRequest: a plain key is too short or cannot be sent in a header, or a digest is invalid. The message names
            ``field`` and does not quote the key.
    """
    if key.startswith(DIGEST_PREFIX):
        digest = key.removeprefix(DIGEST_PREFIX).lower()
        if not re.fullmatch("[0-9a-f]{64}", digest) or digest == _DIGEST_OF_NOTHING:
            message = f"{field} is not the SHA-256 of a key: use the 64 digits that `printf %s KEY | sha256sum` prints."
            raise InvalidRequest(message, param=field)
        return digest
    if not re.fullmatch("[!-~]*", key):
        message = f"{field} has spaces or characters outside ASCII, which a header cannot carry: choose another key."
        raise InvalidRequest(message, param=field)
    if len(key) < MIN_KEY_CHARS:
        message = f"{field} must have at least {MIN_KEY_CHARS} characters: generate one with `openssl rand -hex 32`."
        raise InvalidRequest(message, param=field)
    return sha256(key.encode()).hexdigest()
