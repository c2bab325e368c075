"""The text of a plain sample while it grows: what can be sent already, and what has been."""

from collections.abc import Sequence

from epf.core.endings import certain
from epf.core.errors import GeneratorError
from epf.search.events import Event, StepTaken, TextSampled


class GrowingText:
    """Collects the text of one particle; what was sent is never taken back.

    A generator may begin a step again, if its server broke off. With the same seed it writes the same text, of which the part
    that was sent is not sent again.

    Args:
        stop: texts that end the answer and are no part of it.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = stop
        self._before = ""
        self._step = ""
        self._sent = ""

    def added(self, event: Event) -> str:
        """What can be sent after ``event``, empty for nothing.

        Raises:
            GeneratorError: the text differs from what was sent.
        """
        match event:
            case TextSampled():
                self._step = self._step[: event.at] + event.text
            case StepTaken():
                self._before, self._step = self._before + event.text, ""
        return self._send(certain(self._before + self._step, self._stop))

    def rest(self, solution: str) -> str:
        """What of the whole text has not been sent. Raises ``GeneratorError`` as :meth:`added` does."""
        if len(solution) < len(self._sent):
            raise _differs()
        return self._send(solution)

    def _send(self, text: str) -> str:
        shorter = min(len(text), len(self._sent))
        if text[:shorter] != self._sent[:shorter]:
            raise _differs()
        new = text[len(self._sent) :]
        self._sent += new
        return new


def _differs() -> GeneratorError:
    return GeneratorError(
        "The generator's server broke off within its response and wrote something else when it was asked again, so that the "
        "stream cannot go on. Send the request again.",
        retryable=True,
    )
