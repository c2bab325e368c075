"""Responses that callers may read again, kept in memory within bounds of count, size and age."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable

from epf.core.bounded_cache import text_bytes
from epf.core.errors import NotFound, PreviousResponseNotFound
from epf.service.responses.create import Creation, Earlier
from epf.service.responses.events import ResponseEvent, StateEvent, frame
from epf.service.responses.items import Item
from epf.service.responses.response import OutputMessage, ResponseOut

RECORD_BYTES = 4096
"""Approximate memory of a response without its texts."""

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})


class StoredResponse:
    """One response of a caller, while it is written and afterwards.

    Attributes:
        id: id of the response.
        input: the messages that it was generated from.
        conversation: the same, then the answer once it has ended.
        background: whether the search goes on without a connection, so that its events are kept.
        created_s: time of its creation.
        frames: the events so far, only of a response in the background.
        ended: set after the last event.
        n_bytes: approximate size in memory.
    """

    def __init__(self, creation: Creation, caller: str, created_s: float) -> None:
        self.id = creation.response.id
        self.caller = caller
        self.background = creation.response.background
        self.input = creation.conversation
        self.conversation = creation.conversation
        self.created_s = created_s
        self.frames: list[str] = []
        self.ended = asyncio.Event()
        self._response: ResponseOut | str = creation.response
        self.n_bytes = RECORD_BYTES + _n_bytes(creation.conversation)
        self._changed = asyncio.Event()

    @property
    def body(self) -> str:
        """The response as it is now, in JSON. An ended one is kept as text, which is several times smaller than its objects."""
        return self._response if isinstance(self._response, str) else self._response.model_dump_json(exclude_unset=True)

    def add(self, event: ResponseEvent) -> None:
        """Take note of an event; those of a response in the background are kept, so that a broken stream can be resumed."""
        if self.background:
            self.frames.append(frame(event))
            self.n_bytes += text_bytes(self.frames[-1])
        if isinstance(event, StateEvent):
            self._response = event.response
            if event.response.status in ENDED:
                self._end(event.response)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _end(self, response: ResponseOut) -> None:
        answers = (item for item in response.output if isinstance(item, OutputMessage))
        self.conversation += tuple(Item(item.id, "assistant", item.content[0].text) for item in answers)
        self._response = self.body
        self.n_bytes += text_bytes(self._response) + _n_bytes(self.conversation[len(self.input) :])
        self.ended.set()

    async def follow(self, after: int) -> AsyncGenerator[str, None]:
        """The frames after the event with the number ``after``, then those to come, until the response has ended."""
        n_sent = after + 1
        while True:
            while n_sent < len(self.frames):
                yield self.frames[n_sent]
                n_sent += 1
            if self.ended.is_set():
                return
            await self._changed.wait()


class ResponseStore:
    """All stored responses of a server. A caller sees only its own.

    When a bound is exceeded, the oldest response of the caller that has stored most is dropped. Responses that are still being
    written are never dropped; admission bounds their number.

    Args:
        max_responses: maximum number of responses, over all callers.
        max_bytes: maximum size of all of them together.
        max_age_s: age at which a response is dropped.
        clock: returns monotonic seconds.
    """

    def __init__(
        self, *, max_responses: int, max_bytes: int, max_age_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_responses = max_responses
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._stored: dict[str, StoredResponse] = {}

    def __len__(self) -> int:
        """Number of stored responses, those that are being written included."""
        return len(self._stored)

    def add(self, creation: Creation, caller: str) -> StoredResponse:
        """Store a response that is about to be written."""
        record = StoredResponse(creation, caller, self._clock())
        self._stored[record.id] = record
        self.trim()
        return record

    def get(self, caller: str, id: str) -> StoredResponse:
        """A response of ``caller``. Raises ``NotFound``."""
        self.trim()
        record = self._stored.get(id)
        if record is None or record.caller != caller:
            raise NotFound(f"Response with id '{id[:100]}' not found.", param="response_id")
        return record

    def remove(self, record: StoredResponse) -> None:
        """Drop a response."""
        self._stored.pop(record.id, None)

    def earlier(self, caller: str) -> Earlier:
        """What a request of ``caller`` may refer to."""

        def conversation(id: str) -> tuple[Item, ...]:
            try:
                record = self.get(caller, id)
            except NotFound:
                message = f"Previous response with id '{id[:100]}' not found."
                raise PreviousResponseNotFound(message, param="previous_response_id") from None
            if not record.ended.is_set():
                message = f"Previous response with id '{id[:100]}' has not ended: wait for it."
                raise PreviousResponseNotFound(message, param="previous_response_id")
            return record.conversation

        def item(id: str) -> Item | None:
            self.trim()
            mine = (record for record in reversed(self._stored.values()) if record.caller == caller)
            return next((item for record in mine for item in record.conversation if item.id == id), None)

        return Earlier(conversation, item)

    def trim(self) -> None:
        """Drop what is too old or too much."""
        ended = [record for record in self._stored.values() if record.ended.is_set()]
        now_s = self._clock()
        for record in ended:
            if now_s - record.created_s >= self._max_age_s:
                self.remove(record)
        n_bytes = sum(record.n_bytes for record in self._stored.values())
        while len(self._stored) > self._max_responses or n_bytes > self._max_bytes:
            first = self._first_to_drop()
            if first is None:
                return
            self.remove(first)
            n_bytes -= first.n_bytes

    def _first_to_drop(self) -> StoredResponse | None:
        """The oldest ended response of the caller whose ended responses are the largest together."""
        sizes: dict[str, int] = {}
        oldest: dict[str, StoredResponse] = {}
        for record in self._stored.values():
            if record.ended.is_set():
                sizes[record.caller] = sizes.get(record.caller, 0) + record.n_bytes + 1
                oldest.setdefault(record.caller, record)
        return oldest[max(sizes, key=sizes.__getitem__)] if sizes else None


def _n_bytes(items: Iterable[Item]) -> int:
    return sum(text_bytes(item.content) + text_bytes(item.id) for item in items)
