r"""Finds the answer in a solution: the last one that the text states in one of these forms.

- A box: ``\boxed{5}``, also ``\fbox``, ``\boxed5`` and, if the text ends in it, ``\boxed{5``. Boxes with only a comma, "and" or
  "or" between them are one answer: ``\boxed{1} and \boxed{-2}`` is ``1, -2``.
- A tag: ``<answer>5</answer>``.
- GSM8K's mark: ``#### 5`` at the end of a line, with or without a unit; headings such as ``#### 5. Check`` are no marks.
- An announcement in words: ``The answer is 5.``, ``**Final answer:** 5`` (:mod:`epf.search.answers.announcements`).
- Nothing but a number.

A later statement replaces an earlier one, whatever their forms, but one that is only words, such as ``The answer is positive``,
replaces nothing. What a model thinks between ``<think>`` and ``</think>`` counts only if nothing follows it; a next question
that a model invents after its answer is not read. Everything in the project that reads an answer, gold answers included, calls
:func:`final_answer`, or :func:`settled_answer` while the text may continue.
"""

import re
from collections import deque
from collections.abc import Iterator

from epf.search.answers.announcements import announced
from epf.search.answers.boxes import find_boxes, joined
from epf.search.answers.values import MAX_LENGTH, has_content, read_value, without_unit
from epf.search.answers.vocabulary import VERDICTS

THINKING = "<think>"
THOUGHT = "</think>"
MARK = "####"

_TURN_END = re.compile(r"<\|[A-Za-z_]+\|>|</s>|^(?:Q|Question|Problem|Exercise|Example|Human|User)(?: \d+)?:", re.MULTILINE)
_OPENING = re.compile(r"<(?:final[_-]?)?answer>", re.IGNORECASE)
_CLOSING = re.compile(r"</(?:final[_-]?)?answer>", re.IGNORECASE)
_MARKED = re.compile(r"(?<!\#)\#{4}(?!\#)(?P<line>(?:(?!\#{4})[^\n])*)(?P<newline>\n?)")
_CAPITALIZED = re.compile(r"\d\S* (?:\S+ )*[A-Z][a-z]")  # a heading such as 2 Adding the parts
_HEADING = re.compile(r"[.):]\s*\S|\W*[A-Z]")  # what follows the number of a heading
_BOX_END = re.compile(r"(?:\\[)\]}]|[$.\s])+$")
_CALCULATION = re.compile(r"=| [-+*/×·] ")
_MAX_TRIED = 100
"""Number of tags and of marks, from the last one, that are tried in a text."""

Statement = tuple[int, str]
"""Where a statement begins in the text, and its answer."""


def final_answer(text: str) -> str | None:
    """The answer in a text that its writer has ended; None without one. Never raises; linear in ``len(text)``."""
    thinking, _, rest = text.rpartition(THOUGHT)
    text = rest if rest.strip() else thinking
    end = next((match.start() for match in _TURN_END.finditer(text) if text[: match.start()].strip()), None)
    answer = None if end is None else _answer(text[:end])
    return _answer(text) if answer is None else answer


def settled_answer(text: str) -> str | None:
    """The answer that a text states already, whatever follows: a closed box or tag, or a complete line with GSM8K's mark.

    An announcement in words may be a thought on the way, so it settles nothing. Never raises; linear in ``len(text)``.
    """
    if is_thinking(text):
        return None
    text = text.rpartition(THOUGHT)[2]
    stated = [*_boxed(text, ended=False), *_tagged(text, ended=False), *_marked(text, ended=False)]
    return max(stated)[1] if stated else None


def is_thinking(text: str) -> bool:
    """Whether the text has begun to think and not ended that, so that its boxes are drafts."""
    return text.rfind(THINKING) > text.rfind(THOUGHT)


def _answer(text: str) -> str | None:
    stated = [*_boxed(text, ended=True), *_tagged(text, ended=True), *_marked(text, ended=True)]
    announcement = announced(text)
    if announcement is not None and not (announcement.value.is_words and stated):
        stated.append((announcement.start, announcement.value.text))
    return max(stated)[1] if stated else _all_of(text)


def _boxed(text: str, *, ended: bool) -> Iterator[Statement]:
    """Yield the last box, with those that it is joined to."""
    closed, unclosed = find_boxes(text)
    boxes = [box for box in closed if has_content(box.content) and (ended or box.is_settled)]
    if ended and unclosed is not None:
        line = _BOX_END.sub("", unclosed.content[:MAX_LENGTH].partition("\n")[0])
        if (value := read_value(line)) is not None:
            boxes.append(unclosed._replace(content=value.text))
    if boxes:
        yield boxes[-1].start, ", ".join(joined(text, boxes))


def _tagged(text: str, *, ended: bool) -> Iterator[Statement]:
    """Yield what the last tag holds that holds an answer."""
    for opening in reversed(deque(_OPENING.finditer(text), maxlen=_MAX_TRIED)):
        closing = _CLOSING.search(text, opening.end())
        if closing is None and not ended:
            continue
        content = text[opening.end() : None if closing is None else closing.start()].strip()
        value = read_value(content)
        if value is not None and (closing is not None or not value.is_words):
            is_verbatim = closing is not None and value.rest.strip(". ") and "\n" not in content and not value.is_words
            yield opening.start(), content if is_verbatim else value.text
            return


def _marked(text: str, *, ended: bool) -> Iterator[Statement]:
    """Yield the last line with GSM8K's mark. Several numbers that are marked within a text are headings."""
    if MARK not in text:
        return
    found: list[tuple[re.Match[str], str]] = []
    for match in deque(_MARKED.finditer(text), maxlen=_MAX_TRIED):
        value = read_value(match["line"])
        if value is None or (not ended and not match["newline"]):
            continue
        is_last = ended and not text[match.end() :].strip()
        if value.rest.strip(".*_ ") and not (is_last and not value.is_words and not _HEADING.match(value.rest)):
            continue
        if not _CAPITALIZED.match(value.text) and (not value.is_words or value.text.lower() in VERDICTS):
            found.append((match, without_unit(value.text)))
    are_headings = len(found) > 1 and all(answer.isdecimal() for _, answer in found) and text[found[-1][0].end() :].strip()
    if found and not are_headings:
        yield found[-1][0].start(), found[-1][1]


def _all_of(text: str) -> str | None:
    """A number or a formula that is the whole text."""
    text = text.strip("` \n")
    value = read_value(text)
    is_formula = text.startswith(("$", "\\(", "\\["))
    if value is None or value.is_words or value.rest.strip(".") or not (is_formula or text[:1] in "-−+0123456789\\"):
        return None
    return None if _CALCULATION.search(value.text) else value.text
