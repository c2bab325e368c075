r"""Reads a value where a sentence states one: a number, an expression, an option such as ``(B)``, or a name.

``42 because 6 * 7 = 42`` states ``42``, ``$x = 3$ or $x = -3$`` states ``x = 3, x = -3``, and ``not clear to me`` states none.
"""

import re
from typing import NamedTuple

from epf.search.answers.vocabulary import (
    BEFORE_NUMBERS,
    CONNECTIVES,
    FUNCTIONS,
    MISSING,
    NO_VALUES,
    PLACEHOLDERS,
    SCALES,
    VERDICTS,
)

MAX_LENGTH = 500
"""A value is read from that many characters at most."""

_MAX_WORDS = 3
"""Maximum number of words in a name or in a unit."""

_MARKS = re.compile(r"(?<![\w)])[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?![\w({\\])|_{2,}|[`\"“”]")  # but not 6 * 7, x**2 or x_1
_LIST_ITEM = re.compile(r"\s*\n\s*\d+[.)]\s+\S|\s*1[.)]\s.{1,400}?\s2[.)]\s", re.DOTALL)
_FILLERS = re.compile(
    r"""
    (?: \n\s*[>•-][ \t] | [-=]{3,} | [\s:：=≈~,]+ | \\approx(?![A-Za-z])
      | (?: still | also | thus | therefore | hence | then | indeed | simply | just | exactly | precisely | approximately
          | (?:about|roughly|around|only)(?=\s+[^a-z\s]) | now | clearly | of\ course | in\ fact | equal\ to | given\ by
          | option | choice | USD | EUR | Rs\.? )(?=[\s:,])[\s:,]*
      | (?-i:an?|the)\s+(?=\w\w)
    )*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TOKEN = re.compile(
    r"""
    (?P<math> \$\$(?:[^$\\]|\\.)+\$\$ | \$(?=[^\s$])(?:[^$\\\n]|\\.)*(?<!\s)\$(?!\d)
      | \\\((?:(?!\\\)).)+\\\) | \\\[(?:(?!\\\]).)+\\\] )
  | (?P<formula> \\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\} | \\(?:text|textbf|textit|mathrm|mathbf|mbox)\{[^{}]*\}
      | \\[a-zA-Z]+ | \\[^\s\w] )
  | (?P<number> \d+(?:[.,:/]\d+)* | [∞∅π] )
  | (?P<end> (?:[.;…]|!(?!\.))+(?=[\s'’)\]<]|\Z) | [?。！？；\n] | <(?=[/|A-Za-z]) | :(?=\s)
      | [–—-](?=\s+[^\W\d_]{2}) )
  | (?P<word> [^\W\d_]+(?:['’-][^\W\d_]+|\.(?=[mM]\b)[mM]\.?)* )
  | (?P<remark> (?<=\s)\((?=[^\W\d_]{2}) )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<sign> \S )
  | (?P<space> \s+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_JOINER = re.compile(r",?\s+(?:and|or)\s+(?!a\b)(?=[^\w\s]|\d|\w\b)|,\s+(?=[-−+√(\[{\\$\d]|\w\s*=)", re.IGNORECASE)
_JOINED = re.compile(r"(?:and|or)\b")
_TAKEN_BACK = re.compile(r"[?？]|than\b|and\s+(?:an?|one|two|three)\b")  # a question, or 12 and a half
_DOLLAR = re.compile(r"(?<!\\)\$(?=\s?[\d.])|\\\$\s?(?=[\d.])")
_GROUPING = re.compile(r"(?<=\d)\s?(?:\{,\s?\}|\\[,!])\s?(?=\d{3})")
_UNFINISHED = re.compile(
    r"(?:[\d\s)}\]][-−+*/^=<>]|\\(?:cdot|times|div|pm))[\s$]*\Z"
)  # a text that was cut off; but A+ is a grade
_WITH_UNIT = re.compile(r"(?P<number>[-−+]?\d[\d.,/]*)(?P<unit>(?: [a-zA-Z]+)+)")

_LAYOUT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|[lcd]?dots|q?quad)(?![A-Za-z])|\\[,;:!]")
_SYMBOL = re.compile(r"\d|\\[a-zA-Z]|[∞∅π√<>^|]")
_WORD = re.compile(r"[^\W\d_]+")
_REPEATED = re.compile(r"^(\w{2,}?)\1+$")


class Value(NamedTuple):
    """A value: its text, whether it is only words, such as a name, and what follows it in its window of the text."""

    text: str
    is_words: bool
    rest: str


class _Piece(NamedTuple):
    """One of the values that "and", "or" or a comma joins."""

    text: str
    is_words: bool
    has_unit: bool = False


def read_value(text: str) -> Value | None:
    """The value that a sentence states if ``text`` is how it goes on; None if it goes on otherwise. Never raises."""
    if _LIST_ITEM.match(text):
        return None
    window = _MARKS.sub("", text[:MAX_LENGTH])
    lead = _FILLERS.match(window)
    position = end = lead.end() if lead else 0
    found: list[_Piece] = []
    while (piece := _value_of(window[position : _end_of(window, position)])) is not None:
        if found and (piece.is_words != found[0].is_words or (found[0].has_unit and not piece.has_unit)):
            break
        found.append(piece)
        end = position + len(piece.text)
        joiner = _JOINER.match(window, end)
        if joiner is None:
            break
        position = joiner.end()
    rest = window[end:].lstrip()
    if not found or _TAKEN_BACK.match(rest):
        return None
    name, is_words = found[0].text, found[0].is_words
    if is_words and _JOINED.match(rest):
        return None
    if is_words and not (rest[:1] in ".!(" or window[end] == "\n" or name[0].isupper() or name.lower() in VERDICTS):
        return None
    return Value(", ".join(_tidied(piece.text) for piece in found), is_words, rest)


def without_unit(value: str) -> str:
    """The number of a number with a unit, such as 12 for ``12 dollars``; otherwise ``value``."""
    match = _WITH_UNIT.fullmatch(value)
    return value if match is None or SCALES & set(match["unit"].lower().split()) else match["number"]


def has_content(answer: str) -> bool:
    """Whether an answer holds more than function words, placeholders, equals signs and dots: ``The``, ``=``, ``...`` do not."""
    bare = _LAYOUT.sub(" ", answer)
    if bare.strip(" .$").lower() in MISSING:
        return False
    words = [_REPEATED.sub(r"\1", word) for word in _WORD.findall(bare)]
    return bool(_SYMBOL.search(bare)) or any(word.lower() not in PLACEHOLDERS for word in words)


def _end_of(window: str, position: int) -> int:
    """Where the piece that begins at ``position`` ends: before a connective, a comma, a remark or the end of the sentence."""
    end = position
    depth = 0
    for token in _TOKEN.finditer(window, position):
        kind, text = token.lastgroup, token.group()
        if depth == 0 and kind in ("end", "close", "remark") and not (kind == "remark" and end == position):
            break
        if depth == 0 and kind == "sign" and text in ",，、" and not window[token.end() : token.end() + 1].isalnum():
            break
        if depth == 0 and kind == "word" and text.lower() in CONNECTIVES and not _goes_on(window, token, end > position):
            break
        depth += (kind == "open" or kind == "remark") - (kind == "close")
        if kind != "space":
            end = token.end()
    return end


def _goes_on(window: str, token: re.Match[str], has_begun: bool) -> bool:
    """Whether a connective is a part of the value: a single letter, or between two numbers."""
    text = token.group()
    is_letter = len(text) == 1 and not re.match(r"\s+[a-z]", window[token.end() :])
    return is_letter or (
        has_begun and text.lower() in BEFORE_NUMBERS and bool(re.match(r"\s+(?:of\s+)?\d", window[token.end() :]))
    )


def _value_of(piece: str) -> _Piece | None:
    """The value that ``piece`` is or begins with; None without one."""
    tokens = [token for token in _TOKEN.finditer(piece) if token.lastgroup != "space"]
    words = [
        token for token in tokens if token.lastgroup == "word" and len(token.group()) > 1 and token.group() not in FUNCTIONS
    ]
    is_balanced = sum((token.group() == "{") - (token.group() == "}") for token in tokens) == 0
    if not is_balanced or "boxed" in piece or "fbox" in piece or _UNFINISHED.search(piece) or not has_content(piece):
        return None
    is_sentence = len(words) > _MAX_WORDS or any(word.group().lower() in NO_VALUES for word in words)
    if any(token.lastgroup in ("math", "formula", "number") for token in tokens):
        if words and words[0] is tokens[0]:
            return None
        return _Piece(piece[: words[0].start()].rstrip() if is_sentence else piece, False, bool(words))
    if is_sentence or piece in ("a", "i"):
        return None
    return _Piece(piece, bool(words))


def _tidied(piece: str) -> str:
    """The piece without delimiters of mathematics, dollar signs of a price, and LaTeX's spaces between groups of digits."""
    plain = "".join(_inside(t.group()) if t.lastgroup == "math" else t.group() for t in _TOKEN.finditer(piece))
    return _GROUPING.sub("", _DOLLAR.sub("", plain)).strip()


def _inside(math: str) -> str:
    n = 1 if math.startswith("$") and not math.startswith("$$") else 2
    return math[n:-n].strip()
