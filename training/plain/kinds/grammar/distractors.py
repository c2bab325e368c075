"""Numbers that a question does not need: facts about the people of a story, about others, and about the day and the place."""

import re
from dataclasses import replace
from random import Random

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Clause
from epf.training.plain.kinds.grammar.scene import Scene, n

_ABOUT = (
    "is {s} years old", "lives {t} km from the {place}", "has {w} [cousins|brothers|sisters|friends|dogs|cats]", "turned {t} on {day}",
    "lives on floor {td}", "has lived in this town for {t} years", "went to bed at {fd} o'clock", "lives at {md} Oak Street", "got up at {fd} in the morning",
    "has been to the {place} {t} times", "is in a class of {c} pupils", "can hold {his} breath for {m} seconds", "sleeps {f} hours a night",
)  # fmt: skip
_ABOUT_BUSINESS = (
    "opened {t} years ago", "has {t} [employees|windows|rooms]", "opens at {fd} in the morning", "is open {w} days a week", "is {m} meters from the {place}",
    "has been there since {yd}", "pays ${l} a month for electricity",
)  # fmt: skip
_OUTSIDE = (
    "it is {t} degrees outside", "the {place} opened in {yd}", "the {place} is {t} [km|miles] away", "{other} is {s} years old", "{other} has {m} {things}",
    "{other} [bought|sold|found] {m} {things} [last week|on {day}|]", "{other} paid ${t} for a {item}", "a {item} costs ${m}", "it was {month} {td}",
    "the {place} is open from {fd} o'clock", "{other} needs {m} {things} for a project", "{other} lives at {md} Main Street", "the {shop} sells {m} kinds of {things}",
    "the town has {l} inhabitants", "the {shop} closes in {t} minutes", "{other}'s [cousin|sister|brother|friend] is {s} years old", "a ticket for the bus costs ${f}",
)  # fmt: skip
_SIZES = {
    "w": (2, 6),
    "c": (15, 35),
    "f": (2, 12),
    "t": (2, 25),
    "s": (5, 70),
    "m": (2, 99),
    "l": (100, 9000),
    "y": (1900, 2020),
}
_SHORT = re.compile(r"how many (does|do|did|will|are|were|of|is)\b")
_ATTACHED = re.compile(r"\b(them|the rest|the others|another|they|others|remaining|that|more)\b")
_MEASURED = re.compile(r"\b(minutes|km|kilometers|miles|meters|hours|years|old|tall|long|days|weeks|months|feet|inches)\b")


def distract(scene: Scene) -> None:
    """Add a sentence with a number that the question does not ask for."""
    question, agent = scene.question, next((clause.agent for clause in scene.clauses if clause.agent), None)
    if question is None:
        return
    measured = _MEASURED.search(question.direct)
    if measured or agent is None or agent.name == "they" or agent.pronoun == "they" or scene.chance(0.35):
        clause = Clause(None, _filled(scene, _outside(scene.rng, measured is not None), question.direct, None), alone=True)
    elif (
        agent.verbs == "p"
        and agent.pronoun != "it"
        and not _SHORT.match(question.direct)
        and "$" not in question.direct
        and scene.chance(0.4)
    ):
        clause = Clause(
            agent,
            _filled(
                scene, "also has {m} {things}" if scene.tense == "present" else "also had {m} {things}", question.direct, agent
            ),
        )
    else:
        about = _ABOUT_BUSINESS if agent.pronoun == "it" else _ABOUT
        fact = _filled(scene, scene.rng.choice(about), question.direct, agent)
        if agent.verbs == "p" and agent.pronoun != "it" and scene.chance(0.3):
            scene.appositions[agent.name] = f", who {fact},"
            return
        clause = Clause(agent, fact, alone=True)
    if "also" in clause.predicate:
        place = 1 + next(i for i, other in enumerate(scene.clauses) if other.agent == agent)
    else:
        place = scene.rng.choice((0, 1, len(scene.clauses) - 1, len(scene.clauses)))
    if place < len(scene.clauses) and place and _ATTACHED.search(scene.clauses[place].predicate + scene.clauses[place].lead):
        place = 0 if "also" not in clause.predicate else len(scene.clauses)
    scene.clauses.insert(place, replace(clause, alone=True) if place == len(scene.clauses) else clause)


def _outside(rng: Random, measured: bool) -> str:
    while True:
        text = rng.choice(_OUTSIDE)
        if not measured or not _MEASURED.search(text):
            return text


def _filled(scene: Scene, text: str, question: str, agent: Agent | None) -> str:
    while True:
        thing = scene.rng.choice(v.CLASSES[scene.rng.choice(v.OWNED)])
        if thing.many.split()[-1] not in question and not any(thing.many in clause.predicate for clause in scene.clauses):
            break
    sizes = {name: n(scene.number(*size)) for name, size in _SIZES.items() if f"{{{name}}}" in text or f"{{{name}d}}" in text}
    # A "d" after the letter: always in digits.
    sizes |= {f"{name}d": size[:-1] + "d#" for name, size in sizes.items()}
    return scene.fill(text, things=thing.many, his=agent.his if agent else "their", **sizes)
