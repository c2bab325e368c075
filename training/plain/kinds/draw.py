"""Draws problems of the synthetic kinds. The forms of a kind lie in ``forms/KIND.tsv``: text, numbers and lines of each.

Of all kinds but arithmetic, one form in ten is held out of the generator's training, and ``forms/voices.tsv``, written by other
voices, is as a whole. What the generator makes of forms that are new to it is what the reward model has to learn, from half of
the former and four in five of the latter; the others are for the confidence and for development.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

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
        "composed": 0.14,
        "events": 0.02,
        "scenes": 0.02,
        "stories": 0.07,
        "comparisons": 0.07,
        "groups": 0.07,
        "money": 0.05,
        "times": 0.05,
        "percent": 0.03,
        "unneeded": 0.04,
        "chains": 0.15,
        "workbook": 0.19,
        "arithmetic": 0.06,
        "typed": 0.02,
        "unanswerable": 0.02,
    }
)
_NAMES, _CUMULATIVE = tuple(SHARES), np.cumsum(list(SHARES.values()))
_FORMS = Path(__file__).parent / "forms"
_MAX_TRIES = 1000
Part = Literal["generator", "reward model", "confidence"]
_PARTS: Mapping[int, Part] = MappingProxyType({9: "reward model", 19: "confidence"})
"""Who learns from a form of words, by its index modulo 20; from all others the generator does."""
_ARITHMETIC, _VOICES = "arithmetic", "voices"
WITH_FORMS = tuple(kind for kind in (*SHARES, _VOICES) if kind not in COMPOSED)
"""All kinds that have forms, also the one from which the generator does not learn."""


@cache
def forms_of(kind: str, part: Part = "generator") -> tuple[Form, ...]:
    """Return the forms of a kind from which ``part`` learns."""
    lines = (_FORMS / f"{kind}.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for i, line in enumerate(lines) if _part_of(kind, i) == part)
    return tuple(Form(row[0], row[1], row[2] if len(row) == 3 else "") for row in rows)


def _part_of(kind: str, index: int) -> Part:
    if kind == _VOICES:
        return "confidence" if index % 5 == 4 else "reward model"
    return "generator" if kind == _ARITHMETIC else _PARTS.get(index % 20, "generator")


def draw_kind(rng: np.random.Generator, kind: str | None = None) -> PlainProblem:
    """Draw a problem of a kind; without one, of a kind drawn with :data:`SHARES`.

    Raises:
        RuntimeError: a kind's numbers never work out, which a form in it must be the cause of.
    """
    chosen = kind or _NAMES[min(int(np.searchsorted(_CUMULATIVE, rng.random())), len(_NAMES) - 1)]
    return _tried(rng, COMPOSED[chosen] if chosen in COMPOSED else partial(_one_of, forms_of(chosen)), chosen)


def draw_held_out(rng: np.random.Generator, part: Part) -> PlainProblem:
    """Draw a problem of a form that only ``part`` learns from.

    Raises:
        RuntimeError: the numbers of these forms never work out.
    """
    forms = [form for kind in WITH_FORMS for form in forms_of(kind, part)]
    return _tried(rng, partial(_one_of, forms), f"held out for the {part}")


def _one_of(forms: Sequence[Form], rng: np.random.Generator) -> PlainProblem:
    return realise(rng, forms[int(rng.integers(len(forms)))])


def _tried(rng: np.random.Generator, draw: Callable[[np.random.Generator], PlainProblem], name: str) -> PlainProblem:
    """Return the first draw whose numbers work out."""
    for _ in range(_MAX_TRIES):
        try:
            return draw(rng)
        except ValueError:
            continue
    raise RuntimeError(f"No problem of the kind {name!r} works out in {_MAX_TRIES} tries; check its numbers.")
