"""Clauses of a story and how verbs are put into a tense."""

from dataclasses import dataclass

from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.vocabulary import Verb, third


@dataclass(frozen=True, slots=True)
class Clause:
    """What an agent does or has, or, without an agent, a whole sentence without its full stop.

    Attributes:
        event: whether it happens after what was stated before, so that "then" may stand before it.
        lead: a subordinate clause before it, with its comma: "after selling 5 pears, ".
        alone: whether it is a sentence of its own.
    """

    agent: Agent | None
    predicate: str
    event: bool = False
    lead: str = ""
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a sentence, and as it follows after "find out": how many pears @ has. The agent's name stands for @."""

    direct: str
    indirect: str
    agent: Agent | None = None


def finite(agent: Agent, verb: Verb, tense: str) -> str:
    """Return a verb as the predicate of an agent, in the past, present or future."""
    head, _, particle = verb.base.partition(" ")
    if tense == "future":
        return f"will {verb.base}"
    if tense == "past":
        return verb.past.replace("was ", "were ") if agent.is_many else verb.past
    if agent.is_many:
        return f"are {particle}" if head == "be" else verb.base
    return verb.third


def has(agent: Agent, tense: str) -> str:
    """Have, has, had or will have."""
    return {"past": "had", "present": "have" if agent.is_many else "has", "future": "will have"}[tense]


def ask(what: str, agent: Agent, verb: Verb, tail: str, tense: str) -> Question:
    """Ask what an agent does: "how many pears" becomes "how many pears does Ann have"."""
    tail = f" {tail}" if tail else ""
    stated = f"{what} @ {finite(agent, verb, tense)}{tail}"
    if verb.base.startswith("be "):
        be = {"past": "were" if agent.is_many else "was", "present": "are" if agent.is_many else "is", "future": "will"}[tense]
        return Question(f"{what} {be} @ {verb.base if tense == 'future' else verb.base[3:]}{tail}", stated, agent)
    do = {"past": "did", "present": "do" if agent.is_many else third("do"), "future": "will"}[tense]
    return Question(f"{what} {do} @ {verb.base}{tail}", stated, agent)


HAVE = Verb("have", "had", "had", ())
