"""The API keys of a server: those of its settings, and those of a file that may change while it runs."""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import SecretStr

from epf.core.errors import InvalidRequest
from epf.service.access.digests import DIGEST_PREFIX
from epf.service.access.keys_file import KeyOwner, content_of, parse_keys
from epf.service.access.limits import OwnLimits

logger = logging.getLogger(__name__)

SETTLED_NS: Final = 2 * 10**9
"""A file that was changed so recently may change again without a sign: clocks of file systems are coarse."""


class Keys:
    """Who has which key. False if everybody may be anonymous: there are no keys, nor a file for them.

    The file is looked at before each request, so a key that was removed does not work any longer. While the file is missing or
    not valid, the keys that were read before stay valid, and the log says so.

    Args:
        keys: callers and their digests, as the settings hold them.
        file: the keys file, if there is one.

    Raises:
        InvalidRequest: the file cannot be used, or has a caller or a key of the settings.
    """

    def __init__(self, keys: Mapping[str, SecretStr], file: Path | None = None) -> None:
        self._own = {
            name: KeyOwner((bytes.fromhex(key.get_secret_value().removeprefix(DIGEST_PREFIX)),), OwnLimits())
            for name, key in keys.items()
        }
        self._owners: Mapping[str, KeyOwner] = MappingProxyType(self._own)
        self._file = file
        self._reading = asyncio.Lock()
        self._seen: tuple[int, ...] | None = None
        self._settled = True
        self._content: bytes | None = None
        self._complaint = self._complaint_of_content = self._logged = ""
        if file is not None:
            self._look()
            self._take(content_of(file), file)
            if self._complaint_of_content:
                raise InvalidRequest(self._complaint_of_content, param="api_keys_file")

    def __bool__(self) -> bool:
        return bool(self._own) or self._file is not None

    @property
    def is_file_valid(self) -> bool:
        """Whether the keys are those of the file as it is now."""
        return not self._complaint

    def owner(self, key: bytes) -> str | None:
        """The caller with this key. Compares with all keys, each in constant time, so that timing reveals nothing."""
        digest = sha256(key).digest()
        found = None
        for name, owner in self._owners.items():
            for known in owner.digests:
                if compare_digest(digest, known):
                    found = name
        return found

    def limits_of(self, caller: str) -> OwnLimits:
        """The limits that the file sets for a caller."""
        owner = self._owners.get(caller)
        return OwnLimits() if owner is None else owner.limits

    async def refresh(self, *, anew: bool = False) -> None:
        """Read the file again if it has changed, or ``anew`` in any case."""
        if self._file is None or not (self._look() or anew or not self._settled):
            return
        async with self._reading:
            await asyncio.to_thread(self._read, self._file)

    def _look(self) -> bool:
        """Whether the file is another one than the last time, or has been written to."""
        assert self._file is not None
        try:
            found = os.stat(self._file)
            seen: tuple[int, ...] | None = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        except OSError:
            seen = None
        changed, self._seen = seen != self._seen, seen
        if changed:
            self._settled = False
        return changed

    def _read(self, file: Path) -> None:
        """Take the keys from the file, or keep those that there are."""
        try:
            content = content_of(file)
            if content != self._content:
                self._take(content, file)
            self._complaint = self._complaint_of_content
        except InvalidRequest as error:
            self._complaint = error.message
        if self._complaint not in ("", self._logged):
            logger.error("%s The keys that were read before stay valid.", self._complaint)
        self._logged = self._complaint
        newest_ns = max(self._seen[-2:], default=0) if self._seen else 0
        self._settled = abs(time.time_ns() - newest_ns) > SETTLED_NS

    def _take(self, content: bytes, file: Path) -> None:
        """Take the keys from a new content, unless something in it is wrong."""
        self._content = content
        try:
            owners = parse_keys(content, str(file))
            self._check(owners)
        except InvalidRequest as error:
            self._complaint_of_content = error.message
            return
        self._complaint_of_content = ""
        self._owners = MappingProxyType({**self._own, **owners})
        logger.info("callers in the keys file: %d", len(owners))

    def _check(self, owners: Mapping[str, KeyOwner]) -> None:
        """Raise ``InvalidRequest`` if a caller or a key is one of the settings as well."""
        known = {digest for owner in self._own.values() for digest in owner.digests}
        for name, owner in owners.items():
            if name in self._own or known.intersection(owner.digests):
                message = f"api_keys_file: {name} or its key is in api_keys (EPF_API_KEYS) as well: remove it from one of them."
                raise InvalidRequest(message, param="api_keys_file")
