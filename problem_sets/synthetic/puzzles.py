"""Short problems of 1 to 3 lines that are not stories: missing parts, shares, rates, several quantities, differences.

Each puzzle draws its numbers, states them in one of several forms and returns the lines; see :func:`puzzle`. The slots of the
forms are those of :mod:`.wordings`.
"""

from collections.abc import Callable

import numpy as np

from epf.problem_sets.synthetic import words
from epf.problem_sets.synthetic.amount import RunningAmount
from epf.problem_sets.synthetic.narrator import Narrator
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.wordings import DISTRACTORS

Drawn = tuple[tuple[str, ...], dict[str, object]]
"""The forms to choose from (sentences separated by " / ", the question last) and the numbers to fill in."""

_MISSING_FOUND = (
    "{S} [had|has|have] {a} {items} / {S} [found|finds|find] some more / Now {s} [had|has|have] {c} {items} / How many {items} [did|does|do] {s} find",
    "{S} [had|has|have] {a} {items} / {friend} [gave|gives|gives] {obj} some more / Now {s} [had|has|have] {c} / How many {items} [did|does|does] {friend} give {obj}",
    "There [were|are|are] {a} {items} in the {container} / {S} [put|puts|put] some more in / Now there are {c} {items} in the {container} / How many {items} [did|does|do] {s} put in",
    "{S} [collected|collects|collect] some {items} / {S} already [had|has|have] {a} and now {s} [had|has|have] {c} / How many {items} [did|does|do] {s} collect",
    "If {s} [had|has|have] {a} {items} and [wanted|wants|want] {c} {items}, how many more {items} {do} {s} need",
)
_MISSING_LOST = (
    "{S} [had|has|have] {c} {items} / {S} [lost|loses|lose] some of them / Now {s} [had|has|have] {a} {items} / How many {items} [did|does|do] {s} lose",
    "{S} [had|has|have] {c} {items} / After giving some to {friend}, {s} [had|has|have] {a} left / How many {items} [did|does|do] {s} give to {friend}",
    "There [were|are|are] {c} {items} in the {container} / {S} [took|takes|take] some out / Now there are {a} left / How many {items} [did|does|do] {s} take",
    "{c} {items} [were|are|are] in the {container} / Some of them [were|are|are] taken and {a} {items} are left / How many [were|are|are] taken",
)
_START_BEFORE_LOSS = (
    "{S} [had|has|have] some {items} / {S} [lost|loses|lose] {a} of them and [had|has|have] {b} left / How many {items} [did|does|do] {s} have at the start",
    "{S} [gave|gives|give] {a} {items} to {friend} / Now {s} [had|has|have] {b} {items} left / How many {items} [did|does|do] {s} have to start with",
    "After {s} [used|uses|use] {a} {items} there [were|are|are] {b} left / How many {items} [were|are|are] there before",
)
_START_BEFORE_GAIN = (
    "{S} [had|has|have] some {items} / {S} [got|gets|get] {a} more and now [had|has|have] {c} / How many {items} [did|does|do] {s} have at first",
    "{S} [bought|buys|buy] {a} {items} / Now {s} [had|has|have] {c} {items} / How many {items} [did|does|do] {s} have before",
)
_PARTS = (
    "There [were|are|are] {c} {items} in the {container} / {a} of them [were|are|are] {adj} and the rest [were|are|are] {adj2} / How many {items} [were|are|are] {adj2}",
    "{S} and {friend} [had|have|have] {c} {items} together / {S} [had|has|have] {a} {items} / How many {items} [did|does|does] {friend} have",
    "Of the {c} {items} that {s} [had|has|have], {a} [were|are|are] broken / How many {items} [were|are|are] not broken",
    "There [were|are|are] {c} children in the class / {a} of them [were|are|are] boys / How many [were|are|are] girls",
    "{friend} and {s} [picked|pick|pick] {c} {items} in all / {friend} [picked|picks|picks] {a} of them / How many [did|does|do] {s} pick",
)
_TOTAL = (
    "{S} [had|has|have] {a} {items} and {friend} [had|has|has] {b} {items} / How many {items} {do2} they have together",
    "{S} [found|finds|find] {a} {items} and {friend} [found|finds|finds] {b} / How many {items} {do2} they find in total",
    "There [were|are|are] {a} boys and {b} girls at the {place} / How many children [were|are|are] there",
    "{S} [had|has|have] {a} {adj} {items} and {b} {others} / How many things {do} {s} have in all",
    "{S} [bought|buys|buy] {a} {items} {time} and {b} {items} {time3} / How many {items} [did|does|do] {s} buy in all",
    "A {item} costs ${a} and a {other} costs ${b} / How much do they cost together",
    "{S} [walked|walks|walk] {a} miles {time} and {b} miles {time3} / How many miles [did|does|do] {s} walk in total",
    "{S} [read|reads|read] {a} pages {time} and {b} pages {time3} / How many pages [did|does|do] {s} read altogether",
)
_TOTAL_THREE = (
    "{S} [had|has|have] {a} {items}, {b} {others} and {d} {others2} / How many things {do} {s} have in all",
    "{S} [found|finds|find] {a} {items}, {friend} [found|finds|finds] {b} and {friend2} [found|finds|finds] {d} / How many {items} {do2} they find together",
    "{S} [read|reads|read] {a} pages on Monday, {b} pages on Tuesday and {d} pages on Wednesday / How many pages [did|does|do] {s} read in total",
    "There [were|are|are] {a} {items} in one {container}, {b} in the second and {d} in the third / How many {items} [were|are|are] there in total",
    "{S} [spent|spends|spend] ${a} on a {item}, ${b} on a {other} and ${d} on lunch / How much [did|does|do] {s} spend in all",
)
_DIFFERENCE = (
    "{S} [had|has|have] {c} {items} and {friend} [had|has|has] {a} {items} / How many more {items} {do} {s} have than {friend}",
    "{S} [had|has|have] {a} {items} and {friend} [had|has|has] {c} / How many fewer {items} {do} {s} have than {friend}",
    "{S} [had|has|have] {c} {items} and {a} {others} / How many more {items} than {others} {do} {s} have",
    "There [were|are|are] {c} {items} and {a} {others} in the {place} / How many more {items} than {others} [were|are|are] there",
    "A {item} costs ${c} and a {other} costs ${a} / How much more does the {item} cost than the {other}",
    "{S} [read|reads|read] {c} pages {time} and {a} pages {time3} / How many more pages [did|does|do] {s} read {time}",
    "{S} [was|is|are] {c} inches tall and {friend} [was|is|is] {a} inches tall / How much taller {is} {s} than {friend}",
)
_GROUPS = (
    "{S} [had|has|have] {k} {containers} of {items} / Each {container} [had|has|has] {m} {items} / How many {items} {do} {s} have in all",
    "There [were|are|are] {k} {containers} with {m} {items} in each / How many {items} are there in total",
    "{S} [put|puts|put] {m} {items} in each of {k} {containers} / How many {items} {do} {s} have",
    "Each {item} costs ${m} / How much do {k} {items} cost",
    "{S} [bought|buys|buy] {k} {items} for ${m} each / How much [did|does|do] {s} spend",
    "{S} [earned|earns|earn] ${m} a day / How much {do} {s} earn in {k} days",
    "{S} [made|makes|make] {m} {items} an hour / How many {items} can {s} make in {k} hours",
    "A {container} holds {m} {items} / How many {items} do {k} {containers} hold",
    "{S} [read|reads|read] {m} pages every day for {k} days / How many pages [did|does|do] {s} read",
    "{S} [ran|runs|run] {m} miles a day / How many miles {do} {s} run in {k} days",
    "{k} {friends} [had|have|have] {m} {items} each / How many {items} do they have together",
    "There [were|are|are] {k} rows of chairs with {m} chairs in each row / How many chairs are there",
    "{S} [had|has|have] {m} {items} / {friend} [had|has|has] {k} times as many / How many {items} [did|does|does] {friend} have",
)
_SHARE = (
    "{S} [had|has|have] {c} {items} and [put|puts|put] them equally into {k} {containers} / How many {items} are in each {container}",
    "{S} [shared|shares|share] {c} {items} equally among {k} friends / How many {items} does each friend get",
    "{c} {items} are split into {k} equal groups / How many {items} are in each group",
    "There [were|are|are] {c} {items} in {k} {containers} with the same number in each / How many {items} are in one {container}",
    "{k} {items} cost ${c} / How much does one {item} cost",
    "{S} [spent|spends|spend] ${c} on {k} {items} that all cost the same / How much [did|does|does] each {item} cost",
    "{S} [read|reads|read] {c} pages in {k} days, the same number each day / How many pages {do} {s} read each day",
    "{S} [earned|earns|earn] ${c} in {k} days / How much {do} {s} earn per day",
    "A book has {c} pages in {k} chapters of the same length / How many pages are in each chapter",
)
_FILL = (
    "{S} [had|has|have] {c} {items} / {S} [put|puts|put] {k} {items} in each {container} / How many {containers} {do} {s} need",
    "{S} [placed|places|place] {c} {items} in rows of {k} / How many rows {do} {s} make",
    "Each {container} holds {k} {items} / How many {containers} are needed for {c} {items}",
    "{S} [had|has|have] ${c} / Each {item} costs ${k} / How many {items} can {s} buy",
    "{S} [read|reads|read] {k} pages a day / How many days {do} {s} need for a book of {c} pages",
    "{S} [gave|gives|give] {k} {items} to each friend until {poss} {c} {items} are gone / How many friends get {items}",
)
_TOTAL_SHARE = (
    "{S} [had|has|have] {a} {items} and {friend} [had|has|has] {b} {items} / They [put|put|put] all of them equally into {k} {containers} / How many {items} are in each {container}",
    "There [were|are|are] {a} {adj} {items} and {b} {adj2} {items} / They [were|are|are] shared equally among {k} children / How many {items} does each child get",
    "{S} [found|finds|find] {a} {items} and then {b} more / {S} [put|puts|put] {k} in each {container} / How many {containers} {do} {s} fill",
)
_TWO_GROUPS = (
    "{S} [bought|buys|buy] {k} {items} for ${m} each and {k2} {others} for ${m2} each / How much [did|does|do] {s} spend in total",
    "{S} [had|has|have] {k} {containers} of {m} {items} and {k2} {containers} of {m2} {items} / How many {items} {do} {s} have in total",
    "There [were|are|are] {k} tables with {m} chairs each and {k2} tables with {m2} chairs each / How many chairs are there altogether",
)
_TIMES_TOTAL = (
    "{S} [had|has|have] {a} {items} / {friend} [had|has|has] {times} as many {items} as {s} / How many {items} do they have together",
    "{S} [sold|sells|sell] {a} {items} on Monday and {times} as many on Tuesday / How many {items} [did|does|do] {s} sell in all",
    "{S} [found|finds|find] {a} {items} {time} and {times} as many {time3} / How many {items} [did|does|do] {s} find altogether",
    "A {other} costs ${a} / A {item} costs {times} as much / How much do both cost together",
)
_HALF_TOTAL = (
    "{S} [sold|sells|sell] {a} {items} in April and half as many in May / How many {items} [did|does|do] {s} sell in April and May altogether",
    "{S} [had|has|have] {a} {items} and {friend} [had|has|has] half as many / How many {items} do they have together",
    "{S} [read|reads|read] {a} pages on Monday and half as many on Tuesday / How many pages [did|does|do] {s} read in total",
)
_MORE_TOTAL = (
    "{S} [had|has|have] {a} {items} / {friend} [had|has|has] {b} more than {s} / How many {items} do they have in total",
    "{S} [caught|catches|catch] {a} {items} and {friend} [caught|catches|catches] {b} more than {s} / How many {items} {do2} they catch altogether",
    "{S} [made|makes|make] {a} {items} on Monday and {b} more on Tuesday than on Monday / How many {items} [did|does|do] {s} make in all",
)


def _pair(amount: RunningAmount) -> tuple[int, int]:
    pair = amount.factor_pair(800)
    return pair if pair else (2, 3)


def _sum(amount: RunningAmount, forms: tuple[str, ...]) -> Drawn:
    a, b = amount.small(400), amount.small(400)
    amount.value = amount.do(a, "+", b)
    return forms, {"a": a, "b": b}


def _minus(amount: RunningAmount, forms: tuple[str, ...]) -> Drawn:
    a, b = amount.small(400), amount.small(400)
    amount.value = amount.do(a + b, "-", a)
    return forms, {"a": a, "c": a + b}


def _product(amount: RunningAmount, forms: tuple[str, ...]) -> Drawn:
    k, m = _pair(amount)
    amount.value = amount.do(max(k, m), "*", min(k, m))
    return forms, {"k": k, "m": m}


def _quotient(amount: RunningAmount, forms: tuple[str, ...]) -> Drawn:
    k, m = _pair(amount)
    amount.value = amount.do(k * m, "/", k)
    return forms, {"k": k, "c": k * m}


def _sum_three(amount: RunningAmount) -> Drawn:
    a, b, d = amount.small(200), amount.small(200), amount.small(200)
    amount.value = amount.do(amount.do(a, "+", b), "+", d)
    return _TOTAL_THREE, {"a": a, "b": b, "d": d}


def _sum_share(amount: RunningAmount) -> Drawn:
    k, m = _pair(amount)
    a = int(amount.rng.integers(1, k * m))
    amount.value = amount.do(amount.do(a, "+", k * m - a), "/", k)
    return _TOTAL_SHARE, {"a": a, "b": k * m - a, "k": k}


def _times_total(amount: RunningAmount) -> Drawn:
    a, k = amount.small(120), int(amount.rng.integers(2, 7))
    amount.value = amount.do(a, "+", amount.do(a, "*", k))
    return _TIMES_TOTAL, {"a": a, "k": k}


def _half_total(amount: RunningAmount) -> Drawn:
    a = 2 * amount.small(150)
    amount.value = amount.do(a, "+", amount.do(a, "/", 2))
    return _HALF_TOTAL, {"a": a}


def _more_total(amount: RunningAmount) -> Drawn:
    a, b = amount.small(200), amount.small(100)
    amount.value = amount.do(a, "+", amount.do(a, "+", b))
    return _MORE_TOTAL, {"a": a, "b": b}


def _two_groups(amount: RunningAmount) -> Drawn:
    (k, m), (k2, m2) = _pair(amount), _pair(amount)
    amount.value = amount.do(amount.do(max(k, m), "*", min(k, m)), "+", amount.do(max(k2, m2), "*", min(k2, m2)))
    return _TWO_GROUPS, {"k": k, "m": m, "k2": k2, "m2": m2}


_ONE_LINE: tuple[Callable[[RunningAmount], Drawn], ...] = (
    lambda amount: _minus(amount, _MISSING_FOUND),
    lambda amount: _minus(amount, _MISSING_LOST),
    lambda amount: _sum(amount, _START_BEFORE_LOSS),
    lambda amount: _minus(amount, _START_BEFORE_GAIN),
    lambda amount: _minus(amount, _PARTS),
    lambda amount: _sum(amount, _TOTAL),
    lambda amount: _minus(amount, _DIFFERENCE),
    lambda amount: _product(amount, _GROUPS),
    lambda amount: _quotient(amount, _SHARE),
    lambda amount: _quotient(amount, _FILL),
)
_TWO_LINES: tuple[Callable[[RunningAmount], Drawn], ...] = (_sum_three, _sum_share, _times_total, _half_total, _more_total)
_THREE_LINES: tuple[Callable[[RunningAmount], Drawn], ...] = (_two_groups,)


def puzzle(rng: np.random.Generator, n_steps: int, split: str) -> SyntheticProblem:
    """Draw a short problem of ``n_steps`` (1 to 3) lines, sometimes with a fact that does not matter."""
    narrator = Narrator(rng, split)
    narrator.item, narrator.items = narrator.a_noun(words.FOODS if rng.random() < 0.4 else words.THINGS)
    other, others = narrator.a_noun(words.ANIMALS if rng.random() < 0.3 else words.THINGS)
    _, others2 = narrator.a_noun(words.FOODS)
    amount = RunningAmount(rng)
    kinds = (_ONE_LINE, _TWO_LINES, _THREE_LINES)[n_steps - 1]
    forms, numbers = kinds[rng.integers(len(kinds))](amount)
    slots: dict[str, object] = {
        "other": other, "others": others, "others2": others2, "friend2": narrator.a_name(),
        "friends": narrator.pick(("friends", "children", "boys", "girls", "people")),
        "do2": "did" if narrator.past else "do", "is": "am" if narrator.name == "I" else ("are" if narrator.pronoun == "they" else "is"),
    }  # fmt: skip
    if "k" in numbers:
        slots["times"] = narrator.times(int(str(numbers["k"])))
    *sentences, question = (narrator.fill(part, **slots, **numbers) for part in narrator.form(forms).split(" / "))
    narrator.sentences = list(sentences)
    if narrator.sentences and rng.random() < 0.3:
        distract = narrator.rng.integers(len(narrator.sentences) + 1)
        _, unrelated = narrator.a_noun(words.ANIMALS)
        sentence = narrator.fill(narrator.form(DISTRACTORS), n=int(rng.integers(2, 60)), others=unrelated)
        narrator.sentences.insert(int(distract), sentence)
    text = narrator.text(question) if narrator.sentences else f"{question}?"
    return SyntheticProblem(text, tuple(amount.lines), amount.value)
