"""The SQLite file of kept searches. Everything here blocks, and belongs to the thread that opened the file."""

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from epf.core.errors import DeadlineExceeded, InvalidRequest
from epf.service.history.schemas import EXCERPT_CHARS, SearchFilter, SearchSummary
from epf.service.store_limits import StoreLimits

APPLICATION_ID: Final = 0x45504631
VERSION: Final = 1
BUSY_S: Final = 5.0
"""Time to wait for another process that writes into the same file."""
JOURNAL_BYTES: Final = 4 * 2**20
PAGE_BYTES: Final = 4096
DAY_S: Final = 86_400.0
LAST: Final = 2**63 - 1
READ_S: Final = 1.0
"""Maximum time of one look through the searches of a caller. Meanwhile nothing else is read or written."""
STEPS: Final = 200
"""Steps of SQLite between two looks at the clock."""

_SCHEMA: Final = (
    """CREATE TABLE searches (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, caller TEXT NOT NULL, request_id TEXT NOT NULL,
        started_s REAL NOT NULL, state TEXT NOT NULL, method TEXT NOT NULL, n_particles INTEGER NOT NULL,
        seed INTEGER NOT NULL, problem TEXT NOT NULL, answer TEXT, confidence REAL, generated_tokens INTEGER, seconds REAL,
        n_bytes INTEGER NOT NULL)""",
    "CREATE INDEX by_caller ON searches (caller, number, n_bytes)",
    "CREATE INDEX by_time ON searches (started_s)",
    """CREATE TABLE documents (
        number INTEGER PRIMARY KEY REFERENCES searches ON DELETE CASCADE, content BLOB NOT NULL)""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_COLUMNS: Final = (
    *("id", "caller", "request_id", "started_s", "state", "method", "n_particles", "seed", "problem", "answer", "confidence"),
    *("generated_tokens", "seconds", "n_bytes"),
)
_INSERT: Final = f"INSERT INTO searches ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
_SHOWN: Final = ", ".join(
    {"started_s": "started_s AS started_at", "problem": f"substr(problem, 1, {EXCERPT_CHARS}) AS problem"}.get(name, name)
    for name in _COLUMNS
    if name not in ("caller", "n_bytes")
)
_MATCHES: Final = r"""caller = :caller AND started_s >= :oldest_s
    AND (:q IS NULL OR problem LIKE :q ESCAPE '\' OR answer LIKE :q ESCAPE '\')
    AND (:method IS NULL OR method = :method) AND (:state IS NULL OR state = :state)
    AND (:request_id IS NULL OR request_id = :request_id)
    AND (:since IS NULL OR started_s >= :since) AND (:until IS NULL OR started_s < :until)"""


class Database:
    """Kept searches, within limits.

    A caller sees only its own. What is deleted is overwritten in the file.

    Raises:
        InvalidRequest: the file cannot be opened, or is not one of kept searches.
    """

    def __init__(self, path: Path, limits: StoreLimits, clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._clock = clock
        self._connection = _opened(path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def insert(self, columns: Mapping[str, Any], document: bytes) -> bool:
        """Keep a search, and delete what exceeds the limits; whether it is small enough to be kept.

        ``columns`` has the values of all columns but ``number`` and ``n_bytes``.
        """
        content = zlib.compress(document)
        n_bytes = size_of(content, columns["problem"])
        if n_bytes > self._limits.max_bytes:
            return False
        with self._transaction() as connection:
            number = connection.execute(_INSERT, {**columns, "n_bytes": n_bytes}).lastrowid
            connection.execute("INSERT INTO documents VALUES (?, ?)", (number, content))
            self._trim(connection)
        return True

    def trim(self) -> None:
        """Delete what exceeds the limits, also in the journal."""
        with self._transaction() as connection:
            n_deleted = self._trim(connection)
        if n_deleted:
            self._clear_journal()

    def select(self, caller: str, wanted: SearchFilter, *, limit: int, before: int = LAST) -> list[SearchSummary]:
        """The newest searches with a number below ``before``, newest first, at most ``limit``."""
        rows = self._found(
            f"SELECT {_SHOWN} FROM searches WHERE {_MATCHES} AND number < :before ORDER BY number DESC LIMIT :limit",
            {**self._filter(caller, wanted), "before": before, "limit": limit},
        )
        return [SearchSummary.model_validate(dict(row)) for row in rows]

    def number(self, caller: str, id: str) -> int | None:
        """The number of a search, by which they are ordered; None without one."""
        row = self._connection.execute(
            "SELECT number FROM searches WHERE id = ? AND caller = ? AND started_s >= ?", (id, caller, self._oldest_s)
        ).fetchone()
        return None if row is None else int(row["number"])

    def document(self, caller: str, id: str) -> bytes | None:
        """The document of a search, compressed; None without one."""
        row = self._connection.execute(
            "SELECT content FROM documents JOIN searches USING (number) WHERE id = ? AND caller = ? AND started_s >= ?",
            (id, caller, self._oldest_s),
        ).fetchone()
        return None if row is None else bytes(row["content"])

    def documents(self, caller: str, wanted: SearchFilter, *, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Numbers and compressed documents of the oldest searches with a number above ``after``, oldest first."""
        rows = self._found(
            f"SELECT number, content FROM searches JOIN documents USING (number) WHERE {_MATCHES} AND number > :after "
            "ORDER BY number LIMIT :limit",
            {**self._filter(caller, wanted), "after": after, "limit": limit},
        )
        return [(row["number"], bytes(row["content"])) for row in rows]

    def delete(self, caller: str, id: str) -> bool:
        """Delete a search, also in the journal; whether there was one."""
        with self._transaction() as connection:
            deleted = connection.execute("DELETE FROM searches WHERE id = ? AND caller = ?", (id, caller)).rowcount > 0
        if deleted:
            self._clear_journal()
        return deleted

    @property
    def _oldest_s(self) -> float:
        return self._clock() - DAY_S * self._limits.max_days

    def _filter(self, caller: str, wanted: SearchFilter) -> dict[str, Any]:
        return {
            "caller": caller,
            "oldest_s": self._oldest_s,
            "q": None if wanted.q is None else f"%{_literally(wanted.q)}%",
            "method": wanted.method,
            "state": wanted.state,
            "request_id": wanted.request_id,
            "since": None if wanted.since is None else wanted.since.timestamp(),
            "until": None if wanted.until is None else wanted.until.timestamp(),
        }

    def _found(self, query: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """The rows that a query finds. Raises ``DeadlineExceeded`` if that takes too long, as with hostile texts."""
        over_s = time.monotonic() + READ_S
        self._connection.set_progress_handler(lambda: time.monotonic() > over_s, STEPS)
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            if time.monotonic() <= over_s:
                raise
            message = f"Looking through the searches took more than {READ_S:g} s: narrow them by since, until or method."
            raise DeadlineExceeded(message, param="q") from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def _trim(self, connection: sqlite3.Connection) -> int:
        """Delete what exceeds the limits, and return the number of deleted searches."""
        n_deleted = connection.execute("DELETE FROM searches WHERE started_s < ?", (self._oldest_s,)).rowcount
        totals = connection.execute(
            "SELECT caller, count(*) AS n, sum(n_bytes) AS size FROM searches GROUP BY caller"
        ).fetchall()
        sizes: dict[str, int] = {row["caller"]: row["size"] for row in totals}
        n_searches, n_bytes = sum(row["n"] for row in totals), sum(sizes.values())
        while n_searches > self._limits.max_searches or n_bytes > self._limits.max_bytes:
            largest = max(sizes, key=sizes.__getitem__)
            number, size = connection.execute(
                "SELECT number, n_bytes FROM searches WHERE caller = ? ORDER BY number LIMIT 1", (largest,)
            ).fetchone()
            connection.execute("DELETE FROM searches WHERE number = ?", (number,))
            sizes[largest] -= size
            n_bytes -= size
            n_searches -= 1
            n_deleted += 1
        return n_deleted

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def _clear_journal(self) -> None:
        with suppress(sqlite3.OperationalError):  # another process reads: its journal is cleared later
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def size_of(content: bytes, problem: str) -> int:
    """Bytes that a search takes in the file: whole pages for its document, and its row."""
    return PAGE_BYTES * (1 + -(-len(content) // PAGE_BYTES)) + len(problem.encode())


def _literally(text: str) -> str:
    r"""``text`` for ``LIKE ... ESCAPE '\'``."""
    return "".join(f"\\{c}" if c in "\\%_" else c for c in text)


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is made if it is missing, for its owner alone."""
    fix = "name a file in a directory that the server may write to, on a disk of this machine"
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path.absolute(), timeout=BUSY_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise InvalidRequest(f"EPF_STORE: searches cannot be kept in {path}: {_reason(error)}: {fix}", param="store") from None
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise InvalidRequest(f"EPF_STORE: searches cannot be kept in {path}: {_reason(error)}: {fix}", param="store") from None
    except InvalidRequest:
        connection.close()
        raise
    return connection


def _reason(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) else str(error)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    connection.execute("BEGIN IMMEDIATE")
    found = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        for statement in _SCHEMA:
            connection.execute(statement)
    elif found != (APPLICATION_ID, VERSION):
        raise InvalidRequest(f"EPF_STORE: {path} is another program's, or another version's: name another file", param="store")
    connection.commit()
    connection.execute("PRAGMA journal_mode = WAL")
