r"""One spelling for what only looks different: Unicode, wrappers, fonts, delimiters and spacing; answers compared as text.

:func:`tidy` writes mathematics in a small part of LaTeX (``\frac``, ``\le``, ``^{2}``) and drops what has no meaning: dollar
signs around a formula, Markdown, boxes, colours, fonts, sizes, quotes and final dots. Words stay words.
"""

import re
import unicodedata

from epf.search.answers.reading import Reading

MAX_LENGTH = 1000
"""Answers with more characters are compared as text, as they are written."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙ", "0123456789+-n", strict=True))
_SYMBOLS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "⁄": "/", "∕": "/", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ",
    "×": r"\times ", "✕": r"\times ", "∗": "*", "÷": r"\div ", "±": r"\pm ", "∓": r"\mp ", "≤": r"\le ", "⩽": r"\le ",
    "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≡": r"\equiv ", "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ",
    "∖": r"\setminus ", "∈": r"\in ", "∅": r"\emptyset ", "°": r"^\circ ", "º": r"^\circ ", "˚": r"^\circ ", "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "⟨": r"\langle ", "⟩": r"\rangle ",
    "〈": r"\langle ", "〉": r"\rangle ", "“": '"', "”": '"', "‘": "'", "’": "'", "′": "'", "″": "''", "。": ".", "、": ",",
    "…": r"\dots ", "Ω": r"\Omega ", "µ": r"\mu ", "∠": r"\angle ", "△": r"\triangle ", "∣": "|",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
}  # fmt: skip
_GREEK = {
    letter: rf"\{name} "
    for letter, name in zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩϕϵ",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
        "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega phi epsilon".split(),
        strict=True,
    )
}
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
_ROOT = re.compile(r"([√∛∜])\s*(?:(\d+(?:\.\d+)?|[A-Za-z])|(?=[({\\]))")
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_FRACTION = re.compile(r"(\d+)⁄(\d+)")

_SAME = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "leq": "le", "leqslant": "le", "leqq": "le", "geq": "ge", "geqq": "ge",
    "geqslant": "ge", "neq": "ne", "lbrace": "{", "rbrace": "}", "lt": "<", "gt": ">", "varnothing": "emptyset",
    "ldots": "dots", "cdots": "dots", "dotsc": "dots", "dotsb": "dots", "bar": "overline", "lvert": "|", "rvert": "|",
    "vert": "|", "land": "wedge", "lor": "vee", "ast": "*", "to": "rightarrow", "thickapprox": "approx", "dbinom": "binom",
    "tbinom": "binom", "varphi": "phi", "varepsilon": "epsilon", "smallsetminus": "setminus", "degree": "circ",
    "overrightarrow": "vec", "colon": ":", "lbrack": "[", "rbrack": "]", "backslash": "setminus", "pounds": "£", "euro": "€",
    "yen": "¥", "textdollar": "$",
}  # fmt: skip
_PLAIN = {"{", "}"}
_DROPPED = re.compile(
    r"""\\(?: left | right | middle | [bB]igg?[lrm]? | displaystyle | textstyle | scriptstyle | limits | nolimits
    | (?:normal|foot|script)?size | large | Large | LARGE | huge | Huge | small | bf | rm | it | sf | tt | bfseries | centering
    | color(?:\[\w+\])?\s*\{[^{}]*\} | hspace\*?\s*\{[^{}]*\} | hfill | mathstrut | strut | noindent )(?![A-Za-z])\.?""",
    re.VERBOSE,
)
_COMMA = re.compile(r"\s*\{\s*,\s*\}\s*")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_STYLED = re.compile(
    r"""\\(?P<name> text(?:bf|it|rm|sf|tt|sc|up|md|normal)? | math(?:rm|bf|it|sf|tt|normal) | mbox | hbox | emph
    | ensuremath | operatorname\*? | boldsymbol | bm | pmb | boxed | fbox | underline
    | (?:textcolor|colorbox)\s*\{[^{}]*\} )\s*(?=\{)""",
    re.VERBOSE,
)
_BOLD = frozenset({"mathbf", "boldsymbol", "bm", "pmb"})
_WORDY = ("text", "mathrm", "mbox", "hbox", "emph", "operatorname")
_SPACE = re.compile(r"(?<!\\)\\[,;:> ]|\\q?quad|\\(?:thin|med|thick)?space(?![A-Za-z])|~|\s+")
_NO_SPACE = re.compile(r"\\!\s*|\\n?phantom\{[^{}]*\}|\\/")
_DELIMITERS = (
    ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"),
    ("```", "```"), ("`", "`"), ('"', '"'), ("''", "''"), ("'", "'"), ("<b>", "</b>"),
)  # fmt: skip
_FINAL = " .;:,\\"
_SIGN_OFF = re.compile(r"\\(?:blacksquare|square|Box|qed|checkmark)\s*$")
_LEAD_IN = re.compile(
    r"^\s*\\(?:therefore|implies|Rightarrow|Longrightarrow|rightarrow)(?![A-Za-z])|^\s*\\sim(?:eq)?\s*(?=[\d.$])"
)
_LINES = re.compile(r"\\begin\{(cases|aligned|align\*?|gathered|equation\*?|split)\}(.*)\\end\{\1\}", re.DOTALL)
_CONDITION = re.compile(
    r"""((?:^|\\\\)(?!\s*&)[^&=<>\\]*(?:\\(?!\\|[lg]eq?(?![a-z]))[^&=<>\\]*)*)
        &(?!\s*(?:\\text|\\mbox|[-+=<>]|$|\\\\)|[^\\&]*&)""",
    re.VERBOSE,
)
"""What stands before the condition of a value in ``cases``."""
_INFIX = re.compile(r"\{([^{}]*)\\(over|choose)(?![a-z])([^{}]*)\}|^([^{}]*)\\(over|choose)(?![a-z])([^{}]*)$")
_OVERLINED = re.compile("((?:\\d[\u0304\u0305])+)|(\\d)\u0307")
_TIGHT = re.compile(r"\s*([^\w\s\\{}'\"]|\\\{|\\\})\s*|(?<=[{}])\s+|\s+(?=[{}])")
_WORDS = re.compile(r"[^\\^_=<>|+*/(]*|\([A-Za-z]\)")


def tidy(text: str) -> str:
    r"""Return an answer in one spelling: ``**½**``, ``$\dfrac{1}{2}$.`` and ``\boxed{\frac{1}{2}}`` are ``\frac{1}{2}``."""
    text = _COMMA.sub(",", _ascii(text))
    if "\\" not in text:
        return unwrapped(_SPACE.sub(" ", text))
    text = _LINES.sub(_listed, text)
    text = _INFIX.sub(_prefixed, re.sub(r"\\vec\s*\{([ijk])\}", r"\\hat{\1}", text))
    if "matrix" not in text and "array" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z{}(\[])", r"\\", text)
    text = unwrapped(_LEAD_IN.sub("", _SIGN_OFF.sub("", unwrapped(text))))
    text = text.replace(r"\$", "$").replace(r"\%", "%").replace(r"\#", "#").replace(r"\&", "&")
    text = _DROPPED.sub(" ", _NO_SPACE.sub("", text))
    text = _COMMAND.sub(_one_name, text)
    text = re.sub(
        r"\^\s*\{\s*\\circ\s*\}|\^\s*\{\s*\\text\{\s*o\s*\}\s*\}|\\text\{\s*\^\\circ\s*\}|(?<![\^{\s])\s*\\circ(?=\s*(?:[CF]|$))",
        r"^\\circ ",
        text,
    )
    text = _SPACE.sub(" ", _unstyled(text))
    return unwrapped(_unstyled(text))


def normalised(text: str) -> str:
    """Return the text under which an answer that is not read as a value is compared: tidy, without case where it is words."""
    text = re.sub(r"\\text\{([^{}]*)\}", r"\1", tidy(text))
    text = _TIGHT.sub(lambda match: match[1] or "", " ".join(text.split()))
    text = re.sub(r"([\^_])\{(\w+)\}", r"\1\2", text)
    text = re.sub(r"(?<=[A-Za-z]\.)(?=[A-Za-z]\.)|\.(?=[A-Za-z]\.)|(?<=\.[A-Za-z])\.", "", text)
    return text.casefold() if len(text) > 1 and _WORDS.fullmatch(text) else text


def as_text(text: str) -> Reading:
    """Return the reading of an answer that is compared as text; of a long one only the spaces are normalised."""
    if len(text) > MAX_LENGTH:
        return Reading(f"text:{' '.join(text.split())}")
    return Reading(f"text:{normalised(text)}")


def closing(text: str, start: int) -> int:
    r"""Return the index of the brace that closes the one at ``start``, or -1; ``\{`` and ``\}`` do not count."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return -1


def unwrapped(text: str) -> str:
    """Return a text without delimiters around the whole, and without final dots."""
    while True:
        before = text
        text = text.strip()
        while text and text[-1] in _FINAL and not text.endswith((r"\,", r"\;", r"\:", "..")):
            text = text[:-1]
        for start, end in _DELIMITERS:
            inner = text[len(start) : -len(end)]
            if text.startswith(start) and text.endswith(end) and inner.strip() and start not in inner and end not in inner:
                text = inner
                break
        if text.startswith("{") and closing(text, 0) == len(text) - 1 and "," not in text:
            text = text[1:-1]
        if text.startswith(r"\text{") and closing(text, 5) == len(text) - 1:
            text = text[6:-1]
        if text == before:
            return text


def _ascii(text: str) -> str:
    """Unicode in the LaTeX that means the same."""
    if text.isascii():
        return text
    text = _OVERLINED.sub(
        lambda match: rf"\overline{{{re.sub('[^0-9]', '', match[1])}}}" if match[1] else rf"\dot{{{match[2]}}}", text
    )
    text = re.sub(r"(?<=\d)[–—](?=\d)", r"\\textendash ", text)  # a range or a score, and no difference
    text = _ROOT.sub(lambda match: _ROOTS[match[1]] + (f"{{{match[2]}}}" if match[2] else ""), text)
    text = _RAISED.sub(lambda match: "^{" + "".join(_SUPERSCRIPTS[c] for c in match[0]) + "}", text)
    text = _LOWERED.sub(lambda match: "_{" + "".join(_SUBSCRIPTS[c] for c in match[0]) + "}", text)
    return "".join(c if c.isascii() else _one_character(c) for c in text)


def _one_character(character: str) -> str:
    written = _SYMBOLS.get(character) or _GREEK.get(character)
    if written is not None:
        return written
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "Cf":  # invisible
        return ""
    compatible = unicodedata.normalize("NFKC", character)
    if fraction := _FRACTION.fullmatch(compatible):
        return rf"\frac{{{fraction[1]}}}{{{fraction[2]}}}"
    return "".join(_SYMBOLS.get(c) or _GREEK.get(c) or c for c in compatible)


def _listed(match: re.Match[str]) -> str:
    """Lines as a list, and the values of ``cases`` with their conditions."""
    lines = _CONDITION.sub(r"\1 \\text{ if } ", match[2]) if match[1] == "cases" else match[2]
    return re.sub(r"\\\\(?:\[[^\]]*\])?\s*", ", ", lines.replace("&", " ").strip().rstrip("\\"))


def _prefixed(match: re.Match[str]) -> str:
    top, name, bottom = (match[k] or match[k + 3] or "" for k in (1, 2, 3))
    return rf"\{'frac' if name == 'over' else 'binom'}{{{top.strip()}}}{{{bottom.strip()}}}"


def _one_name(match: re.Match[str]) -> str:
    name = match[1]
    if name not in _SAME:
        return match[0]
    other = _SAME[name]
    return f"\\{other}" if other in _PLAIN or other[0].isalpha() else other


def _unstyled(text: str) -> str:
    r"""Without fonts, boxes and colours: words get ``\text``, the rest stands by itself."""
    at = 0
    while match := _STYLED.search(text, at):
        end = closing(text, match.end())
        if end < 0:
            return text
        inner = text[match.end() + 1 : end]
        wordy = match["name"].startswith(_WORDY) and not match["name"].startswith("textcolor")
        stripped = inner.strip()
        if wordy and match["name"] != "text" and len(stripped) == 1 and stripped in "eid":
            inner = stripped
        elif match["name"] in _BOLD and len(stripped) == 1 and stripped in "ijk":
            inner = rf"\hat{{{stripped}}}"  # a unit vector, and no imaginary unit
        elif wordy and re.search("[A-Za-z]", inner):
            # A letter after a value, as in ``5\text{ m}``, is a unit and no variable.
            inner = rf"\text{{{inner}}}"
            if match[0] + text[match.end() : end + 1] == inner:
                at = match.end()
                continue
        text = text[: match.start()] + inner + text[end + 1 :]
        at = match.start() + (len(r"\text") if inner.startswith(r"\text{") else 0)
    return text
