r"""Find the answer in a solution text: the content of its last ``\boxed{}``.

A regular expression such as ``\\boxed\{([^}]+)\}`` cuts ``\boxed{\frac{1}{2}}`` at the first closing brace; here braces are
matched as TeX matches them (``\{`` and ``\}`` are characters, not braces), in one pass over the text.
"""

import re

_TOKEN = re.compile(
    r"""
    (?P<box> \\\\?(?:boxed|fbox)\s*\{ )                                           # also the doubled backslash of escaped text
  | \\\\?boxed\s+(?P<bare> [-+]?\d+(?:[.,/]\d+)* (?=[.,;]?(?:\s|\$|\\|\Z)) )      # \boxed 42, where it is clear what is meant
  | (?P<macro> \\. )
  | (?P<open> \{ )
  | (?P<close> \} )
  | (?P<content> [^\\{}\s] )
    """,
    re.VERBOSE | re.DOTALL,
)


def boxed_answer(text: str) -> str | None:
    r"""Content of the last box of ``text`` that is closed and not empty, stripped; None if there is none.

    ``\boxed{...}`` and ``\fbox{...}`` count, and ``\boxed 42`` with a plain number. Of nested boxes the inner one is taken. A
    box of spaces, braces and boxes only is empty, so a text that merely speaks of ``\boxed{}`` has no answer. Never raises;
    linear in ``len(text)``.
    """
    answer: tuple[int, int] | None = None
    open_braces: list[tuple[int, bool, int]] = []
    n_content = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("box", "open"):
            open_braces.append((token.end(), kind == "box", n_content))
        elif kind == "bare":
            n_content += 1
            answer = token.span("bare")
        elif kind == "close":
            if open_braces:
                start, is_box, n_before = open_braces.pop()
                if is_box and n_content > n_before and (answer is None or start > answer[0]):
                    answer = (start, token.start())
        else:
            n_content += 1
    return None if answer is None else text[slice(*answer)].strip()
