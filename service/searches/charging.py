"""What a search costs its caller, while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from epf.search.events import Answered, Event, Started, StepTaken, TextSampled

CHARS_PER_TOKEN = 4
"""For text that a caller has read of a step that never ended, whose tokens nobody has counted."""


@contextmanager
def charging(observe: Callable[[Event], None], charge: Callable[[int], None]) -> Iterator[Callable[[Event], None]]:
    """Charge one search. The block passes its events to the callable, which passes them on to ``observe``.

    Charged are the tokens of the prompt, once, and all that were sampled. A prompt that no server counted at first is charged
    at the end, and so are steps that began and nobody took. A step that never ended, because the caller left, is charged as far
    as its text was sent.
    """
    counts_prompt = False
    n_generated = 0
    unended: dict[int, int] = {}

    def charged(event: Event) -> None:
        nonlocal counts_prompt, n_generated
        match event:
            case Started():
                counts_prompt = event.prompt_tokens is not None
                charge(event.prompt_tokens or 0)
            case TextSampled():
                unended[event.particle] = event.at + len(event.text)
            case StepTaken():
                unended.pop(event.particle, None)
                n_generated += event.n_tokens
                charge(event.n_tokens)
            case Answered():
                usage = event.result.usage
                charge(usage.generated_tokens - n_generated + (0 if counts_prompt else usage.prompt_tokens))
        observe(event)

    try:
        yield charged
    finally:
        charge(-(-sum(unended.values()) // CHARS_PER_TOKEN))
