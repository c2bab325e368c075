"""One quantity that one, two or three events change, in one sentence or several."""

import numpy as np

from epf.training.plain.kinds.form import Form, realise
from epf.training.plain.problem import PlainProblem

_STARTS = (
    "{A} [had|has|owned|started with] {a} {items}",
    "There [were|are] {a} {items} in [the|a] {box}",
    "{A}'s {box} [held|contained] {a} {items}",
    "{A} [picked|collected|gathered|found|bought] {a} {items} [on {day}|in the morning|yesterday|at the {place}]",
    "[A shop|The {shop}|A store] [had|had in stock] {a} {items}",
    "[At first|In the beginning|To begin with] [there were|{A} had] {a} {items}",
    "{a} {people} [were|are] [at|in] the {place}",
    "[A bus|A train|The ferry] [had|carried|left with] {a} [passengers|people on board]",
)
_ITEM_GAINS = (
    "[bought|buys|got|picked up] {n} more",
    "[found|finds|discovered] {n} [more|others]",
    "[received|got] {n} [more|] from [{B}|{his} {relative}]",
    "[collected|gathered|made] [another {n}|{n} more]",
    "was given {n} [more|] by [{B}|a friend]",
    "[won|earned] {n} [more|]",
    "[added|put in] [{n} more|another {n}]",
)
_ITEM_LOSSES = (
    "[gave|gives] {n} [of them|] to [{B}|{his} {relative}|a friend]",
    "[lost|loses|dropped] {n} [of them|]",
    "[sold|sells] {n} [of them|]",
    "[gave away|threw away|used|used up] {n} [of them|]",
    "[took out|removed|broke] {n} [of them|]",
    "[donated|handed out|lent] {n} [of them|] [to {B}|at the {place}]",
)
_CROWD_GAINS = (
    "{n} [more|others] [came|arrived|joined]",
    "[another {n}|{n} more] [came in|got on|showed up]",
    "{n} [got on|joined them|walked in]",
)
_CROWD_LOSSES = (
    "{n} [left|went away|went home]",
    "{n} [of them|] [left|got off|walked away]",
    "{n} [got off|went out|had to leave]",
)
_JOINS = (
    ", [then|and then] ",
    ". [Then|Later|After that|The next day|On {day2}] ",
    " and ",
    ". ",
    " and then ",
    "; [later|then] ",
)
_ITEM_ENDS = (
    "How many {items} [does {A} have|are there|are left|remain|does {he} have] [now|in the end|altogether|]?",
    "[What is the number of {items} now|How many {items} are there now|How many does {A} have now]?",
    "How many [{items}|] [are left|are there in the end|does {he} end up with|does {A} have at the end]?",
)
_CROWD_ENDS = (
    "How many [are there now|are there in the end|people are there now|are left]?",
    "[What is the number of people now|How many people are there in the end|How many remain]?",
)


def event_problem(rng: np.random.Generator) -> PlainProblem:
    """Draw a start, one to three events and a question.

    Raises:
        ValueError: the numbers that were drawn do not work out; draw again.
    """
    start = int(rng.integers(len(_STARTS)))
    crowd = start >= 6
    n_events = int(rng.choice(3, p=(0.25, 0.5, 0.25))) + 1
    text, numbers, lines, current = _STARTS[start], "a:N", "", "a"
    subject = "" if crowd else "{He} " if start < 4 and start != 1 else "{A} "
    subject_small = "" if crowd else subject.replace("{He}", "{he}")
    for i in range(n_events):
        gains = rng.random() < 0.5
        pool = (_CROWD_GAINS if gains else _CROWD_LOSSES) if crowd else (_ITEM_GAINS if gains else _ITEM_LOSSES)
        join = (
            _JOINS[int(rng.integers(len(_JOINS)))]
            if i
            else (". ", ". [Then|Later|One day|On {day2}] ", ", and ", " and ")[int(rng.integers(4))]
        )
        new_sentence = join == ". "
        opening = (
            subject if new_sentence else subject_small if "." in join or ";" in join or i == 0 or rng.random() < 0.4 else ""
        )
        name, result = f"n{i}", f"v{i}"
        text += join + opening + pool[int(rng.integers(len(pool)))].replace("{n}", "{" + name + "}")
        bound = current if not gains else None
        numbers += f" {name}:{'<' + bound if bound else 'N' if rng.random() < 0.3 else 'M' if rng.random() < 0.6 else 'T'}"
        numbers += f" {result}={current}{'+' if gains else '-'}{name}"
        lines += f"{result}={current}{'+' if gains else '-'}{name};"
        current = result
    ends = _CROWD_ENDS if crowd else _ITEM_ENDS
    return realise(rng, Form(f"{text}. {ends[int(rng.integers(len(ends)))]}", numbers, lines))
