"""The words of errors about a server: which server, what it said, and what to do."""

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.private import without_private

MAX_WORDS_SHOWN = 300
"""Maximum number of characters of a server's words in an error; the log has all of them."""


class Wording:
    """Messages about the servers of ``owner``, such as "the reward model". Keys and private texts are left out."""

    def __init__(self, owner: str, api_key: str) -> None:
        self.owner = owner
        self._key = api_key
        self._setting = owner.removeprefix("the ").replace(" ", "_")

    def failed(self, url: str, n_attempts: int, reason: str, private: Iterable[str] = ()) -> str:
        """Message after the last attempt."""
        attempts = "1 attempt" if n_attempts == 1 else f"{n_attempts} attempts"
        said = _shortened(self._public(reason, private))
        return f"The server of {self.owner} at {address(url)} failed after {attempts}: {said}{_end(said)}"

    def located(self, url: str, message: str) -> str:
        """``message`` with the address of the server that it begins with."""
        here = f"The server of {self.owner} at {address(url)}"
        for subject in (f"{self.owner[0].upper()}{self.owner[1:]}'s server", f"The server of {self.owner}"):
            if message.startswith(f"{subject} ") and not message.startswith(f"{subject} at "):
                return here + message.removeprefix(subject)
        return message

    def rejected(self, rejected: UpstreamRejected, private: Iterable[str] = ()) -> str:
        """Message for a refused request, with advice where the status allows some."""
        status, words = rejected.refusal.status, _shortened(self._public(rejected.refusal.words, private))
        said = f": {words}" if words else ""
        what = f"The server of {self.owner} at {address(rejected.url)} rejected the request with status {status}"
        return f"{what}{said}{_end(said)}{self._advice(status)}"

    def waited(self, url: str, said: str) -> str:
        """Sentence about a server that had not finished at its caller's deadline."""
        return f"The last call waited for the server of {self.owner} at {address(url)}: {_shortened(self._public(said, ()))}."

    def log(self, url: str, said: str, private: Iterable[str] = ()) -> str:
        """Line for the log, with all that the server said."""
        return f"the server of {self.owner} at {address(url)} failed: {self._public(said, private)}"

    def setting(self, field: str) -> str:
        """A setting of this model, and its environment variable."""
        return f"{self._setting}.{field} (EPF_{self._setting.upper()}__{field.upper()})"

    def _public(self, said: str, private: Iterable[str]) -> str:
        return without_private(said, [self._key], private)

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return f" {'Check the key' if self._key else 'Set a key'} in {self.setting('api_key')}."
        if 300 <= status < 400 or status in (404, 405):
            return f" Check {self.setting('url')} and {self.setting('name')}."
        return ""


def address(url: str) -> str:
    """Return an address for messages: without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _shortened(words: str) -> str:
    return words if len(words) <= MAX_WORDS_SHOWN else words[: MAX_WORDS_SHOWN - 1] + "…"


def _end(said: str) -> str:
    return "" if said[-1:] in (".", "!", "?", "…") else "."
