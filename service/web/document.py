"""A stored search, or the report of a run, as one HTML file that needs neither a server nor the internet."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Any, Final

from epf.service.web import files
from epf.service.web.maths import mathml_of

STYLES: Final = ("style.css", "run.css")
MAX_FORMULAS: Final = 2000
"""Maximum number of different formulas in a file that are rendered; the others stay as the model wrote them."""

_IMPORT: Final = re.compile(r'^import [^"]*from "\./(?P<name>[^"]+)";\n', re.MULTILINE)
_FORMULA: Final = re.compile(
    r"\\\[([\s\S]+?)\\\]|\\\(([\s\S]+?)\\\)|\$\$([^$]+)\$\$|(?<!\\)\$(?!\s)([^$\n]*[^$\s\\])\$(?!\d)"
    r"|(\\boxed\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*\})"
)
"""What ``maths.js`` takes for a formula."""


def document(stored: Mapping[str, Any]) -> str:
    """The page of one search: ``stored`` has its ``request``, which may be null, and its ``events`` or its ``result``.

    The file allows no script and no style but its own, by their digests, and loads nothing.
    """
    data = {**stored, "maths": dict(_rendered(stored))}
    problem = (stored.get("request") or {}).get("problem") or "A search"
    return _page("viewer.js", STYLES, data, title=problem[:80], subtitle="a stored search")


def report_document(report: Mapping[str, Any]) -> str:
    """The page of a run: ``report`` is what :func:`epf.evaluation.report.page.page_data` returns."""
    styles = (*STYLES, "tables.css", "report.css")
    return _page("report.js", styles, report, title=f"{report['dataset']}: report", subtitle="the report of an evaluation")


def _page(entry: str, styles: Sequence[str], data: Mapping[str, Any], *, title: str, subtitle: str) -> str:
    """A document with its data, its styles, and the script that begins with the module ``entry``."""
    stored = json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")
    style = "".join(files.content(name).decode() for name in styles)
    script = "".join(_modules(entry))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<header class="top"><h1>Entropic particle filtering</h1><p>{subtitle}</p></header>
<main><div id="runs"></div></main>
<script type="application/json" id="stored">{stored}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _digest(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _modules(name: str, seen: set[str] | None = None) -> Iterator[str]:
    """Sources of a module and of all that it imports, in an order in which they can stand in one script.

    They share its scope, so no two of them may declare the same name: then the browser refuses the script, and tests fail.
    """
    seen = set() if seen is None else seen
    seen.add(name)
    source = files.content(name).decode()
    for found in _IMPORT.finditer(source):
        if found["name"] not in seen:
            yield from _modules(found["name"], seen)
    yield re.sub(r"^export (?:\{\};)?", "", _IMPORT.sub("", source), flags=re.MULTILINE)


def _rendered(stored: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Formulas in the texts of a search, as MathML."""
    formulas = {
        next(group for group in match.groups() if group is not None).strip()
        for text in _texts(stored)
        for match in _FORMULA.finditer(text)
    }
    for latex in sorted(formulas)[:MAX_FORMULAS]:
        if (made := mathml_of(latex)) is not None:
            yield latex, made


def _texts(value: Any) -> Iterator[str]:
    """All fields ``text``, at any depth."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name == "text" and isinstance(each, str):
                yield each
            else:
                yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
