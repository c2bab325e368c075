"""Problems that cannot be answered: a number that the answer needs is not stated, or the question is about somebody else."""

import re
from dataclasses import replace

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.scene import Scene

_AMOUNT = re.compile(r"(?<![$%#\w] )(?<!\$)#(\d+)# (?=(?:more |red |of the |of them|[a-z]))")
_NOT_BEFORE = re.compile(r"\b(of|each|every|the|another|than|by|in|with|for|at|these|to|all|into|a) $")
_NOT_AFTER = re.compile(
    r"(times|percent|fewer|less|on|years|cm|km|kg|and|or|is|are|were|was|each|apiece|degrees|dollars|minutes|hours|in|from)\b"
)
_ANY_NUMBER = re.compile(r"#(\d+)d?#")
_POINTS_BACK = re.compile(r"\b(that|it|such|the rest|the remaining money|the way)\b")
_THINGS_ASKED = re.compile(r"how many (.+?) (?:does|did|do|are|were|will|is|was)\b")
_CLASS_OF = {thing.many: name for name, things in v.CLASSES.items() for thing in things}
_VAGUE = ("some ", "some ", "several ", "a few ", "a number of ", "many ")


def hide_a_number(scene: Scene) -> None:
    """Replace a number on which the answer depends by a word such as "some".

    Raises:
        ValueError: no number can go without leaving the answer determined.
    """
    world = scene.world
    stated = {int(number) for clause in scene.clauses for number in _ANY_NUMBER.findall(clause.predicate + clause.lead)}
    if stated & world.formulas.keys():
        # A result that is stated would give the hidden number away.
        raise ValueError("A result is stated.")
    places = []
    for index, clause in enumerate(scene.clauses):
        for match in _AMOUNT.finditer(clause.predicate):
            number = int(match[1])
            fits = not _NOT_BEFORE.search(clause.predicate[: match.start()]) and not _NOT_AFTER.match(
                clause.predicate[match.end() :]
            )
            other = world.values[number] + 1
            if fits and abs(world.value_if(scene.target, number, other) - world.values[scene.target]) > 1e-9:
                places.append((index, match))
    if not places:
        raise ValueError("No number can go.")
    index, match = scene.rng.choice(places)
    clause = scene.clauses[index]
    vague = "several " if clause.predicate[match.end() :].startswith(("of them", "of the")) else scene.rng.choice(_VAGUE)
    if clause.predicate[match.end() :].startswith("more"):
        vague = "some "
    scene.clauses[index] = replace(
        clause, predicate=clause.predicate[: match.start()] + vague + clause.predicate[match.end() :]
    )
    scene.hopeless = True


def ask_about_another(scene: Scene) -> None:
    """Let the question be about somebody or about things that are not in the story.

    Raises:
        ValueError: the question is about neither a person nor things.
    """
    question = scene.question
    if question is None or _POINTS_BACK.search(question.direct):
        raise ValueError("The question needs the story.")
    asked = _THINGS_ASKED.match(question.direct)
    if asked and asked[1] in _CLASS_OF and scene.chance(0.5):
        others = [
            thing.many
            for thing in v.CLASSES[_CLASS_OF[asked[1]]]
            if not any(thing.many in clause.predicate for clause in scene.clauses)
        ]
        other = scene.rng.choice(others)
        scene.question = replace(
            question, direct=question.direct.replace(asked[1], other, 1), indirect=question.indirect.replace(asked[1], other, 1)
        )
    elif question.agent is not None and question.agent.pronoun in ("he", "she"):
        scene.question = replace(question, agent=scene.person())
    else:
        raise ValueError("The question is not about a person.")
    scene.hopeless = True
