"""What the events of one search add to its answer and to the report of its progress, for any kind of stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from epf.search.events import Answered, Event, StepTaken
from epf.search.methods.sample import SAMPLE
from epf.search.result import SearchResult
from epf.service.chat.choices import Choices
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

    The answer of a search is known only at its end. A plain sample is sent step by step as it is generated, unless its content
    depends on its end, as with stop texts or log probabilities.
    """

    def __init__(self, choices: Choices, index: int, *, progress: bool, logprobs: bool) -> None:
        self._choices = choices
        self._progress = Progress() if progress else None
        request = choices.requests[index]
        self._incremental = request.method is SAMPLE and not request.options.stop and not logprobs
        self._n_sent = 0

    def of(self, event: Event) -> Iterator[Delta]:
        """What ``event`` adds."""
        if isinstance(event, Answered):
            yield from self._rest(event.result)
            yield event.result
            return
        if self._progress is not None and (line := self._progress.line(event)):
            yield ProgressLine(line)
        if self._incremental and isinstance(event, StepTaken) and event.text:
            self._n_sent += len(event.text)
            yield Content(event.text)

    def _rest(self, result: SearchResult) -> Iterator[Content]:
        """The part of the answer that has not been sent yet."""
        if not self._incremental:
            for text, tokens in pieces(result.solution, self._choices.tokens(result)):
                yield Content(text, tokens)
        elif rest := result.solution[self._n_sent :]:
            yield Content(rest)
