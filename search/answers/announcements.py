r"""Answers that a solution announces in words, such as ``The answer is 42.``, ``**Final answer:** 42`` or ``A: 42`` at its end.

English announcements count in every form, those of other languages (Chinese, French, German, Italian, Japanese, Portuguese,
Russian, Spanish) with a number. A result that is not called the answer, as in ``Hence the value is 12``, is not announced.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from epf.search.answers.values import MAX_LENGTH, Value, read_value, without_unit

_MAX_TRIED = 100
"""Number of announcements, from the last one, that are tried in a text; with it, the work is linear in the text's length."""

_MAX_BEFORE = 120
"""Maximum number of characters of an announcement before the word that it is recognised by."""

_WORD = re.compile(
    "answer|ans[^a-z]|result|option|choice|答案|答え|réponse|antwort|respuesta|resposta|risposta|ответ", re.IGNORECASE
)
_ADJECTIVES = r"(?:(?:final|correct|right|exact|numerical|numeric|overall|required|desired|simplified)\s{1,3}){0,2}"
_COPULA = r"(?:is|are|equals|becomes|(?:will|would|should|must|has\ to)\ be|(?:comes|works|turns)\ out\ to(?:\ be)?|comes\ to)"
_SENTENCE = re.compile(
    rf"""
    (?: \b(?:the|my|our|this)\s{{1,3}}{_ADJECTIVES}answers? | (?:^[ \t*_>#-]*|(?<=[.!:]\s))answers? | \bfinal\ answers?
      | \bthe\ (?:final\ result|correct\ (?:option|choice)) )
    (?:\s(?:to|for|of)\s[^.:?!\n]{{1,80}}?|,[^,.\n]{{1,20}},)?
    [\s*_]{{1,9}}{_COPULA}\b(?!['’])
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(
    rf"""
    (?: ^(?:[^\w\n]|_){{0,9}}(?:(?:so|thus|hence|therefore),?\ )?{_ADJECTIVES}(?:answers?|ans\b\.?)
      | (?<=[.!?\])}}$*>]\s)\**{_ADJECTIVES}answers?
      | \b(?:the|my|our)\s{{1,3}}{_ADJECTIVES}answers? | \bfinal\ (?:answers?|result) )
    (?:\ ?\([^()\n]{{1,40}}\))?
    (?: [*_\]】"']*\s{{0,3}}[:：=][*_]* | [*_]*\s{{1,3}}[-–—]\s )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_TITLE = re.compile(
    rf"^(?:[^\w\n]|_){{0,9}}{_ADJECTIVES}(?:answers?|ans\b\.?)[*_\]】]*[ \t]*(?:(?P<same_line>(?<=[ \t])(?=[$\\(]|-?\d))|$)",
    re.IGNORECASE | re.MULTILINE,
)
_FOREIGN = re.compile(
    r"""
    (?: (?:答案|答え)\s?(?:应该|應該)?\s?[是为為はが：:]+ | la\ réponse(?:\ finale)?(?:\ est|\s?:)
      | antwort\s?(?:ist|lautet|:) | la\ respuesta(?:\ (?:final|correcta))?\s?(?:es|:)
      | a\ resposta(?:\ (?:final|correta))?\s?(?:é|:) | la\ risposta(?:\ (?:finale|corretta))?\s?(?:è|:) | ответ\s?[:—–-]
      | ^[*_ \t]*(?:réponse|respuesta|resposta|risposta)\s?: )
    [\s:：*_]{0,9}(?P<value> \$[^$\n]{1,200}\$ | \\\([^\n]{1,200}?\\\) | [-−+]?\d+(?:[.,/]\d+)* )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_LAST_LINE = re.compile(r"[ \t*_]*A[*_]*:[*_]*\s?(?P<value>\S.*)")
_CONDITION = re.compile(
    r"(?:\b(?:if|whether|suppose|assume|assuming|unless|when|until|say)"
    r"|(?:\b(?:not|might|may|could|would)|n['’]t)[ \t]+(?:think|believe|say|expect|true|mean))[ \t]+(?:that[ \t]+)?$",
    re.IGNORECASE,
)
_IF = re.compile(r"\bif\b", re.IGNORECASE)
_DOUBT = re.compile(
    r"\b(?:not|cannot|unsure|unclear|maybe|perhaps|step|part|case|equation|page|let|if|first|assume|suppose)\b|n['’]t\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=[\s*_]|\Z)|\n")
_STATES = re.compile(r"(?:\b(?:is|are|was|were|equals|costs?)\b|=)\s*")
_NUMBER = re.compile(r"(?<![\w.,])[-−]?\$?\d[\d.,/]*(?![^\s.])")
_STRESSED = re.compile(r"\*\*[^*\n]+\*\*|\$[^$\n]+\$|\\\([^\n]+?\\\)|\$\d[\d.,]*")


class Announcement(NamedTuple):
    """An announced answer: where the announcement begins, and its value."""

    start: int
    value: Value


def announced(text: str) -> Announcement | None:
    """The last announced answer; one that is only words counts if there is no other. Never raises; linear in ``len(text)``."""
    tried = sorted(_announcements(text), key=lambda announcement: announcement.start)
    tried = [announcement for announcement in tried if not announcement.value.is_words] or tried
    return tried[-1] if tried else None


def _spans(text: str) -> list[tuple[int, int]]:
    """The parts of a text that may hold an announcement, each to the end of the line after its word; the rest costs no time."""
    found: list[tuple[int, int]] = []
    for word in _WORD.finditer(text):
        start, line_end = max(0, word.start() - _MAX_BEFORE), text.find("\n", word.end())
        end = text.find("\n", line_end + 1) if line_end >= 0 else -1
        end = len(text) if end < 0 else end
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _announcements(text: str) -> Iterator[Announcement]:
    spans = _spans(text)
    for pattern, read in ((_SENTENCE, _after_copula), (_LABEL, _after_label), (_TITLE, _after_title), (_FOREIGN, _number)):
        matches = (match for start, end in spans for match in pattern.finditer(text, start, end))
        for match in deque(matches, maxlen=_MAX_TRIED):
            if not _CONDITION.search(text[max(0, match.start() - 40) : match.start()]) and (value := read(match)) is not None:
                yield Announcement(match.start(), value)
    before, _, line = text.rstrip().rpartition("\n")
    last = _LAST_LINE.fullmatch(line)
    value = None if last is None else _whole(last["value"])
    if value is not None:
        yield Announcement(len(before), value)


def _after_copula(match: re.Match[str]) -> Value | None:
    value = read_value(_window(match))
    if value is None or "would" not in match.group().lower():
        return value
    before = match.string[max(0, match.start() - 100) : match.start()]
    return None if _IF.search(before) or _IF.match(value.rest) else value


def _after_label(match: re.Match[str]) -> Value | None:
    """A value or, after ``Final answer:``, a sentence that states one."""
    window = _window(match)
    value = read_value(window)
    return value if value is not None and not value.is_words else _stated(window.lstrip()) or value


def _after_title(match: re.Match[str]) -> Value | None:
    """What follows ``Answer`` alone on its line, or ``Answer 15`` if nothing follows that."""
    return _after_label(match) if match["same_line"] is None else _whole(_window(match).partition("\n")[0])


def _number(match: re.Match[str]) -> Value | None:
    return read_value(match["value"])


def _whole(line: str) -> Value | None:
    """The value that is all of ``line``."""
    value = read_value(line)
    return value if value is not None and not value.is_words and not value.rest.strip(".!*_ \t") else None


def _stated(text: str) -> Value | None:
    """The value with which the first sentence of ``text`` ends, or the only one that it stresses or has."""
    end = _SENTENCE_END.search(text)
    sentence = text if end is None else text[: end.start()]
    if _DOUBT.search(sentence) or not any(character.isalpha() for character in sentence):
        return None
    stressed = [match.group() for match in _STRESSED.finditer(sentence)]
    numbers = [sentence[match.start() :] for match in _NUMBER.finditer(sentence)]
    stated = [sentence[match.end() :] for match in _STATES.finditer(sentence)]
    for candidates in (stated[-1:], stressed, numbers):
        value = read_value(candidates[0]) if len(candidates) == 1 else None
        if value is not None and not value.is_words:
            return value._replace(text=without_unit(value.text))
    return None


def _window(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 2 * MAX_LENGTH]
