"""The store drops what is too old or too much, from the caller with most, and never what is still being written."""

from dataclasses import dataclass

import pytest

from epf.core.errors import NotFound
from epf.service.responses.create import Creation, conversation_of, creation_of
from epf.service.responses.request import ResponsesRequest
from epf.service.responses.response import OutputMessage, OutputText
from epf.service.responses.store import ResponseStore, StoredResponse
from epf.service.responses.writer import ResponseWriter
from epf.service.searches.models import Models
from epf.service.settings import Settings
from tests.service.chat.writing import Judge, Writer


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def creation(store: ResponseStore, caller: str = "alice", text: str = "x") -> Creation:
    models = Models(Writer(), Judge(), None)  # type: ignore[arg-type]
    body = ResponsesRequest(model="epf-1", input=text)  # type: ignore[arg-type]
    return creation_of(body, conversation_of(body, store.earlier(caller)), Settings(), models)


def written(store: ResponseStore, caller: str = "alice", text: str = "x") -> StoredResponse:
    """A stored response that has ended with the answer ``text``."""
    made = creation(store, caller)
    record = store.add(made, caller)
    part = OutputText(type="output_text", text=text, annotations=[], logprobs=[])
    answer = OutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[part])
    event = ResponseWriter(made).in_progress()
    record.add(
        event.model_copy(update={"response": event.response.model_copy(update={"status": "completed", "output": [answer]})})
    )
    store.trim()
    return record


def kept(store: ResponseStore, *records: StoredResponse) -> list[bool]:
    found = []
    for record in records:
        try:
            found.append(store.get(record.caller, record.id) is record)
        except NotFound:
            found.append(False)
    return found


def store_of(
    max_responses: int = 100, max_bytes: int = 10**6, max_age_s: float = 100, clock: Clock | None = None
) -> ResponseStore:
    return ResponseStore(max_responses=max_responses, max_bytes=max_bytes, max_age_s=max_age_s, clock=clock or Clock())


def test_the_oldest_goes_when_there_are_too_many() -> None:
    store = store_of(max_responses=2)
    records = [written(store) for _ in range(3)]
    assert kept(store, *records) == [False, True, True]


def test_the_caller_with_most_makes_room() -> None:
    store = store_of(max_responses=4)
    bob = written(store, "bob")
    alice = [written(store) for _ in range(10)]
    assert kept(store, bob, *alice) == [True, *[False] * 7, True, True, True]


@pytest.mark.parametrize("n_answers", [1, 5])
def test_the_size_is_bounded(n_answers: int) -> None:
    store = store_of(max_bytes=20_000)
    records = [written(store, text="x" * 5000) for _ in range(n_answers)]
    assert sum(record.n_bytes for record in records if kept(store, record) == [True]) <= 20_000
    assert kept(store, records[-1]) == [True]


def test_what_is_too_old_goes() -> None:
    clock = Clock()
    store = store_of(max_age_s=10, clock=clock)
    record = written(store)
    clock.now_s = 9.9
    assert kept(store, record) == [True]
    clock.now_s = 10
    assert kept(store, record) == [False]


def test_what_is_still_being_written_stays() -> None:
    clock = Clock()
    store = store_of(max_responses=1, max_age_s=10, clock=clock)
    running = store.add(creation(store), "alice")
    other = written(store)
    clock.now_s = 11
    assert kept(store, running, other) == [True, False]


def test_a_store_without_room_keeps_nothing() -> None:
    store = store_of(max_responses=0)
    assert kept(store, written(store)) == [False]
    assert len(store) == 0
