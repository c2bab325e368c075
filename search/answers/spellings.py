r"""Spellings of programs, other countries and words: ``inf``, ``3 x 10^8``, ``]0, 1]``, ``[[1, 2], [3, 4]]``, "no solution"."""

import re

from epf.search.answers.split import bracketed, elements

_INFINITY = re.compile(r"(?<![A-Za-z\\])(?:inf|infinity|oo)(?![A-Za-z])")
_FRACTION_CALL = re.compile(r"(?:Fraction|Rational)\((-?\d+), ?(\d+)\)")
_CROSS = re.compile(r"(?<=\d) ?x ?(?=10 ?\^)")
_REALS_WITHOUT = re.compile(r"^\\mathbb\{R\} ?- ?(?=\\\{)")
_HAS_RELATION = re.compile(r"[=<>]|\\[lgn]e(?![a-z])")
_SET_PARTS = re.compile(r"(\\cup|\\in)(?![a-z])")
_INTERVAL = re.compile(r"( *)([\[\]])([^\[\]]+[,;][^\[\]]+)([\[\]])( *)")
_MATRIX = re.compile(
    r"\\begin\{(?P<kind>[pbBvV]?(?:small)?matrix|array)\}(?:\{[clr|]*\})?(?P<rows>(?:(?!\\begin).)*)\\end\{(?P=kind)\}",
    re.DOTALL,
)
_ROW_END = re.compile(r"\\\\(?:\[[^\[\]]*\])?")
_TRANSPOSED = re.compile(r"(.+?) ?\^ ?(?:T|\{ ?T ?\}|\\top|\{ ?\\top ?\}|\{?\\text\{T\}\}?)")

_ROUGHLY = re.compile(
    r"^(?:\\text\{ ?)?(?:about|approximately|approx\.?|roughly|around|exactly)(?: ?\})? ?(?=[-+$\\.]?\d|\\frac|\\sqrt)"
)
_OPTION = re.compile(r"^(?:[Oo]ption|[Cc]hoice) (?=\(?[A-Z]\)?(?![A-Za-z]))")
_CURRENCY_IN_TEXT = re.compile(r"^\\text\{ ?([A-Z]{3}|Rs\.?) ?\} ?(?=\d)")
_IN_BASE = re.compile(r"([0-9A-F]+) ?(?:\(|\\text\{ ?\(?)? ?(?:in )?base (\w+)\)?(?: ?\})?$")
_ANGLES = re.compile(r"<([^<>=]+,[^<>=]+)>$")

PHRASES = {
    **dict.fromkeys(("no solution", "no solutions", "no real solution", "no real solutions", "empty set"), r"\emptyset"),
    **dict.fromkeys(("all real numbers", "all reals", "all real x", "the real numbers", "any real number"), r"\mathbb{R}"),
}
"""Sets in words."""


def rewritten(text: str) -> str:
    """Return tidy text with what programs and other countries write as it is written here."""
    text = _CROSS.sub(r" \\times ", _FRACTION_CALL.sub(r"\\frac{\1}{\2}", _INFINITY.sub(r"\\infty ", text)))
    text = _CURRENCY_IN_TEXT.sub(r"\1 ", _OPTION.sub("", _ROUGHLY.sub("", text)))
    if text[:1] == "<":
        text = _ANGLES.sub(r"\\langle \1\\rangle", text)
    if in_base := _IN_BASE.fullmatch(text):
        return f"{in_base[1]}_{{{in_base[2]}}}"
    text = _REALS_WITHOUT.sub(r"\\mathbb{R} \\setminus ", text)
    if _HAS_RELATION.search(text):
        text = re.sub(r"\\wedge(?![a-z])", " and ", re.sub(r"\\vee(?![a-z])", " or ", text))
    return "".join(map(_usual_brackets, _SET_PARTS.split(text)))


def matrix_cells(text: str) -> tuple[bool, list[list[str]]] | None:
    """Return whether a text is a determinant, and the cells of its matrix, ``(rows, columns)``; None for any other text."""
    brackets = bracketed(text)
    inner = text[1:-1].strip() if brackets in (("(", ")"), ("[", "]")) else text
    if match := _MATRIX.fullmatch(inner):
        rows = [[cell.strip() for cell in row.split("&")] for row in _ROW_END.split(match["rows"]) if row.strip()]
        return _rectangle(rows, is_determinant=match["kind"][0] in "vV")
    if brackets == ("[", "]"):
        listed = elements(inner, ",", grouping=False)
        if all(bracketed(row) == ("[", "]") for row in listed):
            return _rectangle([elements(row[1:-1], ",", grouping=False) for row in listed], is_determinant=False)
    return None


def transposed(text: str) -> str | None:
    """Return the tuple before the sign of a transpose, or None."""
    match = _TRANSPOSED.fullmatch(text)
    return match[1] if match and bracketed(match[1]) and "," in match[1] else None


def _rectangle(rows: list[list[str]], *, is_determinant: bool) -> tuple[bool, list[list[str]]] | None:
    is_one = bool(rows) and len({len(row) for row in rows}) == 1
    return (is_determinant, rows) if is_one else None


def _usual_brackets(part: str) -> str:
    match = _INTERVAL.fullmatch(part)
    if match is None:
        return part
    return f"{match[1]}{'(' if match[2] == ']' else '['}{match[3]}{')' if match[4] == '[' else ']'}{match[5]}"
