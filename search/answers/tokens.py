"""The tokens of an expression in tidy text."""

import re

from epf.search.answers.functions import FUNCTIONS, OF_SEVERAL
from epf.search.answers.text import closing

_TOKEN = re.compile(
    r"""[ ]* (?:
        (?P<number> (?:\d{1,3}(?:,\d{3})+(?![\d,]) | \d+) (?:\.\d+)? (?:[eE][-+]?\d{1,3}(?![\d.A-Za-z]))? | \.\d+ )
      | \\(?P<command> [A-Za-z]+ | [{}|] )
      | (?P<name> [A-Za-z]+ )
      | (?P<sign> \*\* | [-+*/^!|()\[\]{},_'] )
      )""",
    re.VERBOSE | re.ASCII,
)
_KNOWN = re.compile("pi|sqrt|sin|cos|tan|log|ln|exp")


class Unread(Exception):
    """The text is not an expression that is read here."""


class Tokens:
    """The tokens of one text, one after the other.

    Attributes:
        kind: kind of the next token: ``number``, ``command``, ``name``, ``sign`` or ``end``.
        token: what is written, a command without its backslash.
        begin: where the next token begins.
        at: where it ends.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.next()

    def next(self) -> None:
        """Go on to the next token.

        Raises:
            Unread: no token is written like this.
        """
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise Unread(self.text)
            self.kind, self.token, self.begin = "end", "", len(self.text)
            return
        self.kind = str(match.lastgroup)
        self.token, self.begin, self.at = match[self.kind], match.start(self.kind), match.end()
        if self.kind == "command":
            self.begin -= 1
        if self.kind == "name" and self.token not in FUNCTIONS and self.token not in OF_SEVERAL and self.token != "mod":
            self._one_letter()

    def jump(self, at: int) -> None:
        """Go on to the token that begins at or after ``at``."""
        self.at = at
        self.next()

    def is_sign(self, *signs: str) -> bool:
        """Whether the next token is one of these signs."""
        return self.kind == "sign" and self.token in signs

    def is_command(self, *names: str) -> bool:
        """Whether the next token is one of these commands."""
        return self.kind == "command" and self.token in names

    def take(self, sign: str) -> None:
        """Go past a sign.

        Raises:
            Unread: the next token is another one.
        """
        if not self.is_sign(sign):
            raise Unread(self.text)
        self.next()

    def after_parentheses(self) -> int:
        """Return where the parentheses end that open at the next token.

        Raises:
            Unread: they do not end.
        """
        depth = 0
        for at in range(self.begin, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[at], 0)
            if depth == 0:
                return at + 1
        raise Unread(self.text)

    def after_braces(self) -> int:
        """Return where the braces end that open at the next token.

        Raises:
            Unread: they do not end.
        """
        end = closing(self.text, self.begin)
        if end < 0:
            raise Unread(self.text)
        return end + 1

    def _one_letter(self) -> None:
        """Names of functions and constants may stand in a run of letters; other letters are variables of their own."""
        run = self.token
        if run.isupper() and len(run) > 1:
            return  # a segment such as AB
        if known := _KNOWN.match(run):
            self.token, self.at = known[0], self.begin + known.end()
        elif len(run) > 3:
            raise Unread(self.text)
        else:
            self.token, self.at = run[0], self.begin + 1
