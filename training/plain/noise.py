"""Writes a text as people also write: lower case, no last mark, other spellings of money, a typo, another word for the same.

The numbers stay what they are, except that a sentence about somebody who is not in the text may add one that does not matter.
"""

import re
from collections.abc import Callable

import numpy as np

from epf.training.plain.kinds.grammar.vocabulary import NAMES

_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_DOLLARS = re.compile(rf"\$({_NUMBER})(?!,?\d|[\w-]| (?:bill|note|coupon|discount|gift|million|thousand))")
_IN_DOLLARS = re.compile(rf"(?<![\w$.,])({_NUMBER}) dollars\b")
_LONG = re.compile(r"(?<![\d.,/:$-])\d{4,6}(?![\d.,/:]?\d|[a-z])")
_WITH_COMMA = re.compile(r"(?<=\d),(?=\d{3}\b)")
_PLAIN_WORD = re.compile(r"(?<![\w'-])[a-z]{5,}(?![\w'-])")
_KEPT = frozenset(
    """three seven eight eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty
    sixty seventy eighty ninety hundred thousand million dozen twice double triple third thirds quarter quarters fourth fourths
    fifth fifths tenth percent minus times""".split()  # noqa: SIM905
)
_CONTRACTIONS = (
    *((f"{verb} not", f"{verb}n't") for verb in ("does", "did", "do", "is", "are", "was", "were", "has", "had", "could")),
    *(
        ("it is", "it's"),
        ("what is", "what's"),
        ("What is", "What's"),
        ("It is", "It's"),
        ("there is", "there's"),
        ("There is", "There's"),
    ),
)
_SYNONYMS = tuple(
    (re.compile(pattern), tuple(other.split("|")))
    for pattern, other in (
        (r"\bHow many (?=[a-z]+ (?:does|did|do|will|are|were|is) )(?!more|fewer|less|of\b|times|people)", "What number of "),
        (r"\bin total\b", "altogether|in all|all together"),
        (r"\baltogether\b", "in total|in all"),
        (r"\bin all\b", "altogether|in total"),
        (r"\bbuys\b", "purchases"),
        (r"\bbought\b", "purchased"),
        (r"\bgets (?=\d|another|some)", "receives "),
        (r"\bgot (?=\d|another|some)", "received "),
        (r"\bgave (?=\d+ [a-z]+ to )", "handed "),
        (r"\bgives (?=\d+ [a-z]+ to )", "hands "),
        (r"\bleft(?=\?)", "remaining|left over"),
        (r"\bequally\b", "evenly"),
        (r"\bchildren\b", "kids"),
        (r"\beach day\b", "every day|daily"),
        (r"\bevery day\b", "each day|daily"),
        (r"\bat first\b", "initially|at the start"),
        (r"\bto begin with\b", "initially|in the beginning"),
        (r"\bin the end\b", "at the end|finally"),
        (r"\blarge\b", "big"),
        (r"\bsmall\b", "little"),
        (r"\bfather\b", "dad"),
        (r"\bmother\b", "mom"),
        (r"(?<=\b[Tt]he )store\b(?! (?:rooms?|things))", "shop"),
        (r"\bhas to pay\b", "must pay"),
        (r"\bneeds\b", "requires"),
        (r"\bowns\b", "has"),
        (r"\bowned\b", "had"),
        (r"\bspends\b", "pays out"),
        (r"\bneighbors\b", "neighbours"),
        (r"\bkilometers\b", "kilometres|km"),
        (r"\bmeters\b", "metres"),
        (r"\bliters\b", "litres"),
    )
)
_ASIDES = (
    ("{name} is {n} years old.", r"\b(old|older|younger|age|ages|years?)\b"),
    ("{name} has {n} cousins.", r"\b(cousins?|family|relatives?)\b"),
    ("{name} lives at {n} Park Road.", r"\b(streets?|roads?|lives?)\b"),
    ("{name} got up at {n} o'clock.", r"\b(o'clock|hours?|minutes?|am|pm|time)\b"),
    ("{name} owns {n} umbrellas.", r"\bumbrellas?\b"),
    ("{name} has been waiting for {n} minutes.", r"\b(hours?|minutes?|seconds?|long)\b"),
    ("{name} wears shoes of size {n}.", r"\b(shoes?|sizes?)\b"),
)
_REFERS = re.compile(
    r"\b(they|them|that|those|it|this|he|she|his|her|him|these|everyone|everybody|people|total|rest|others?)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z])")

Change = Callable[[np.random.Generator, str], str]


def noisy(rng: np.random.Generator, text: str) -> str:
    """Return the text written in another way, or as it is."""
    for share, change in _CHANGES:
        if rng.random() < share:
            text = change(rng, text)
    return text


def _aside(rng: np.random.Generator, text: str) -> str:
    """Insert a sentence about somebody else before the question, if the question cannot be meant to include it."""
    sentences = _SENTENCE_END.split(text)
    if len(sentences) < 2 or not sentences[-1].endswith("?") or _REFERS.search(sentences[-1]):
        return text
    form, clash = _ASIDES[int(rng.integers(len(_ASIDES)))]
    names = NAMES["he" if rng.random() < 0.5 else "she"]
    name = names[int(rng.integers(len(names)))]
    if re.search(clash, text, re.IGNORECASE) or name in text:
        return text
    return " ".join([*sentences[:-1], form.format(name=name, n=int(rng.integers(2, 13))), sentences[-1]])


def _synonym(rng: np.random.Generator, text: str) -> str:
    """Replace some frequent words, each everywhere, unless the other word is in the text and may mean something else."""
    for pattern, others in _SYNONYMS:
        if rng.random() < 0.5 and pattern.search(text):
            other = others[int(rng.integers(len(others)))]
            if other.strip() not in text:
                text = pattern.sub(other, text)
    return text


def _contraction(_: np.random.Generator, text: str) -> str:
    for long, short in _CONTRACTIONS:
        text = re.sub(rf"\b{long}\b", short, text)
    return text


def _money(rng: np.random.Generator, text: str) -> str:
    if rng.random() < 0.3:
        return _IN_DOLLARS.sub(r"$\1", text)
    return _DOLLARS.sub(r"\1 dollars" if rng.random() < 0.7 else r"$ \1", text)


def _commas(_: np.random.Generator, text: str) -> str:
    """Take the commas out of thousands, or put them in; a year has none."""
    if _WITH_COMMA.search(text):
        return _WITH_COMMA.sub("", text)
    return _LONG.sub(lambda match: match[0] if 1800 <= int(match[0]) < 2200 else f"{int(match[0]):,}", text)


def _typo(rng: np.random.Generator, text: str) -> str:
    """Swap, drop or double a letter inside a word."""
    found = [match for match in _PLAIN_WORD.finditer(text) if match[0] not in _KEPT]
    if not found:
        return text
    match = found[int(rng.integers(len(found)))]
    word, place, kind = match[0], int(rng.integers(1, len(match[0]) - 2)), rng.random()
    if kind < 0.4:
        word = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    else:
        word = word[:place] + (word[place] * 2 if kind < 0.6 else "") + word[place + 1 :]
    return text[: match.start()] + word + text[match.end() :]


def _spaces(rng: np.random.Generator, text: str) -> str:
    places = [i for i, character in enumerate(text) if character == " "]
    if not places:
        return text
    place = places[int(rng.integers(len(places)))]
    return text[:place] + " " + text[place:]


def _ampersand(_: np.random.Generator, text: str) -> str:
    return text.replace(" & ", " and ") if " & " in text else text.replace(" and ", " & ")


def _last_mark(_: np.random.Generator, text: str) -> str:
    return text[:-1] if text.endswith(("?", ".")) else text


_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.08, _aside),
    (0.4, _synonym),
    (0.2, _contraction),
    (0.3, _money),
    (0.3, _commas),
    (0.04, _ampersand),
    (0.2, _typo),
    (0.06, _spaces),
    (0.3, lambda _, text: text.replace("'", "’")),
    (0.25, _last_mark),
    (0.2, lambda _, text: text.lower()),
)
"""What may change, and how often, in this order."""
