"""The keys file: callers with their keys and limits, in TOML or JSON.

    bob = "sha256:..."

    [alice]
    key = "a-long-random-key"
    max_requests_per_minute = 60

A caller may have several keys, so that one can be replaced while the other is still in use.
"""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from epf.core.errors import InvalidRequest
from epf.service.access.digests import digest_of
from epf.service.access.limits import Limit, OwnLimits

MAX_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 4
"""Maximum number of keys of one caller."""

PARAM: Final = "api_keys_file"

_TWICE: Final = "a name occurs twice"
_NAME = re.compile("[A-Za-z0-9._@-]{1,64}")


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """One caller: the SHA-256 of each of its keys, and its own limits."""

    digests: tuple[bytes, ...]
    limits: OwnLimits


class _Caller(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    key: str | Annotated[list[str], Field(min_length=1, max_length=MAX_KEYS)]
    max_requests_per_minute: Limit | None = None
    max_tokens_per_minute: Limit | None = None


def content_of(path: Path) -> bytes:
    """The content of a file, of which no more than the maximum size and one byte is read.

    A pipe is refused: it would keep whoever opens it waiting for somebody who writes, and could not be read again.

    Raises:
        InvalidRequest: it cannot be read.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _invalid(f"{path} is not a regular file")
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _invalid(f"{path}: {error.strerror}") from None


def parse_keys(data: bytes, where: str) -> Mapping[str, KeyOwner]:
    """The callers in the content of a file, by name. A blank file is not valid: it may just be being written.

    Raises:
        InvalidRequest: something in it is wrong. The message begins with ``where``, names the caller and quotes no key.
    """
    if len(data) > MAX_BYTES:
        raise _invalid(f"{where} has more than {MAX_BYTES} bytes")
    if not data.strip():
        raise _invalid(f"{where} is empty. Write {{}} for a server that nobody may use")
    owners: dict[str, KeyOwner] = {}
    owner_of: dict[bytes, str] = {}
    for name, entry in _table(data, where).items():
        if not _NAME.fullmatch(name):
            raise _invalid(f"{where}: the name of a caller must have 1 to 64 letters, digits or any of . _ @ -")
        caller = _caller(entry, f"{where}: {name}")
        keys = [caller.key] if isinstance(caller.key, str) else caller.key
        digests = tuple(bytes.fromhex(_digest(key, f"{where}: {name}.key")) for key in keys)
        for digest in digests:
            if owner_of.setdefault(digest, name) != name:
                raise _invalid(f"{where}: {name} and {owner_of[digest]} have the same key. Give each caller a key of its own")
        owners[name] = KeyOwner(digests, OwnLimits(caller.max_requests_per_minute, caller.max_tokens_per_minute))
    return owners


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _table(data: bytes, where: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
        if not text.lstrip().startswith("{"):
            return tomllib.loads(text)
        table = json.loads(text, object_pairs_hook=_without_duplicates)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(f"{where} is not valid TOML ({_place(str(error))})") from None
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{where} is not valid JSON ({_place(str(error))})") from None
    if not isinstance(table, dict):
        raise _invalid(f"{where} must be a table of callers")
    return table


def _caller(entry: object, where: str) -> _Caller:
    try:
        return _Caller.model_validate({"key": entry} if isinstance(entry, str | list) else entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"][:1])
        raise _invalid(f"{where}{'.' if field else ''}{field}: {_FORMS.get(field, _ENTRY)}") from None


_ENTRY: Final = (
    "it must be a key, a list of keys, or a table with `key` and, if you like, `max_requests_per_minute` and "
    "`max_tokens_per_minute`, and no other field"
)
_PER_MINUTE: Final = 'it must be a whole number of at least 1, or "none"'
_FORMS: Final[Mapping[str, str]] = {
    "key": f"it must be a string, or a list of 1 to {MAX_KEYS} strings",
    "max_requests_per_minute": _PER_MINUTE,
    "max_tokens_per_minute": _PER_MINUTE,
}


def _digest(key: str, field: str) -> str:
    try:
        return digest_of(key, field)
    except InvalidRequest as error:
        raise _invalid(error.message.removesuffix(".")) from None


def _place(message: str) -> str:
    """Where a parser stopped: the rest of its message might quote the file."""
    place = re.search(rf"line \d+,? column \d+|at end of document|{_TWICE}", message)
    return "see its encoding and its nesting" if place is None else place[0]


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise ValueError(_TWICE)
        table[name] = value
    return table


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(f"{PARAM}: {message}.", param=PARAM)
