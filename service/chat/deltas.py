"""What the events of one search add to its answer and to the report of its progress, for any kind of stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from epf.search.events import Answered, Event
from epf.search.methods.sample import SAMPLE
from epf.search.result import SearchResult
from epf.service.chat.choices import Choices
from epf.service.chat.growing_text import GrowingText
from epf.service.chat.progress import Progress
from epf.service.chat.tokens import Token, pieces


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """A line about the search, which ends in a line break."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of the answer; ``tokens`` are those behind it, empty where they were not asked for."""

    text: str
    tokens: Sequence[Token] = ()


Delta = ProgressLine | Content | SearchResult
"""The result is the last one."""


class Deltas:
    """Deltas of one choice.

    The answer of a search is known only at its end. A plain sample is sent as it is sampled, without what may be the beginning
    of a stop text. With log probabilities it is sent at its end, too.
    """

    def __init__(self, choices: Choices, index: int, *, progress: bool, logprobs: bool) -> None:
        self._choices = choices
        self._progress = Progress() if progress else None
        request = choices.requests[index]
        self._growing = GrowingText(request.options.stop) if request.method is SAMPLE and not logprobs else None

    def of(self, event: Event) -> Iterator[Delta]:
        """What ``event`` adds."""
        if isinstance(event, Answered):
            yield from self._rest(event.result)
            yield event.result
            return
        if self._progress is not None and (line := self._progress.line(event)):
            yield ProgressLine(line)
        if self._growing is not None and (text := self._growing.added(event)):
            yield Content(text)

    def _rest(self, result: SearchResult) -> Iterator[Content]:
        """The part of the answer that has not been sent yet."""
        if self._growing is None:
            for text, tokens in pieces(result.solution, self._choices.tokens(result)):
                yield Content(text, tokens)
        elif rest := self._growing.rest(result.solution):
            yield Content(rest)
