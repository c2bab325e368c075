"""What may go wrong with one's own model, and what ``epf doctor`` prints then: the examples of docs/models.md.

Each scenario is a server on a real socket. Its port is shown as 8001, so that the page stays the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.engines.http.server import Answer, Request

SHOWN_PORT = "8001"
COLUMNS = "100"


@dataclass(frozen=True)
class Scenario:
    """One thing that is wrong.

    Attributes:
        title: what is wrong, for a heading.
        flags: flags of the command; ``{url}`` is the address of the server.
        answer: the server; None where nothing listens.
        environment: settings.
        https: whether the server has a certificate that signs itself.
    """

    title: str
    flags: tuple[str, ...]
    answer: Callable[[Request], Answer] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    https: bool = False
