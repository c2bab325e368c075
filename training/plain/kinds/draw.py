"""Draws problems of the synthetic kinds. The forms of a kind lie in ``forms/KIND.tsv``: text, numbers and lines of each."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from epf.training.plain.kinds.events import event_problem
from epf.training.plain.kinds.form import Form, realise
from epf.training.plain.kinds.grammar.compose import composed_problem
from epf.training.plain.kinds.scenes import scene_problem
from epf.training.plain.problem import PlainProblem

COMPOSED: Mapping[str, Callable[[np.random.Generator], PlainProblem]] = MappingProxyType(
    {"composed": composed_problem, "events": event_problem, "scenes": scene_problem}
)
"""Kinds that are put together from clauses, the first of them by the grammar in ``grammar/``; the others have forms."""
SHARES: Mapping[str, float] = MappingProxyType(
    {
        "composed": 0.5,
        "events": 0.05,
        "scenes": 0.06,
        "stories": 0.08,
        "comparisons": 0.06,
        "groups": 0.06,
        "money": 0.05,
        "times": 0.03,
        "percent": 0.02,
        "arithmetic": 0.08,
        "unanswerable": 0.01,
    }
)
_NAMES, _CUMULATIVE = tuple(SHARES), np.cumsum(list(SHARES.values()))
_FORMS = Path(__file__).parent / "forms"
_MAX_TRIES = 1000


@cache
def forms_of(kind: str) -> tuple[Form, ...]:
    """Return the forms of a kind."""
    rows = (line.split("\t") for line in (_FORMS / f"{kind}.tsv").read_text(encoding="utf-8").splitlines())
    return tuple(Form(row[0], row[1], row[2] if len(row) == 3 else "") for row in rows)


def draw_kind(rng: np.random.Generator, kind: str | None = None) -> PlainProblem:
    """Draw a problem of a kind; without one, of a kind drawn with :data:`SHARES`.

    Raises:
        RuntimeError: a kind's numbers never work out, which a form in it must be the cause of.
    """
    chosen = kind or _NAMES[min(int(np.searchsorted(_CUMULATIVE, rng.random())), len(_NAMES) - 1)]
    for _ in range(_MAX_TRIES):
        try:
            if chosen in COMPOSED:
                return COMPOSED[chosen](rng)
            forms = forms_of(chosen)
            return realise(rng, forms[int(rng.integers(len(forms)))])
        except ValueError:
            continue
    raise RuntimeError(f"No problem of the kind {chosen!r} works out in {_MAX_TRIES} tries; check its numbers.")
