"""Stories about who has how many of what: beginnings, changes, comparisons, and one of many questions."""

import re
from dataclasses import replace

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.changes import change, hand_over, unknown_change
from epf.training.plain.kinds.grammar.clauses import HAVE, ask, has
from epf.training.plain.kinds.grammar.holding_questions import Holdings, how_many_more, question
from epf.training.plain.kinds.grammar.owners import begin, cast
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import Thing

_REFERS = re.compile(r"\b(of|bag|home|first|stock|day)\b")


def ownership(scene: Scene) -> None:
    """Compose a story of one or two owners.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    kind = scene.rng.random()
    if kind < 0.04:
        _if_there_were_more(scene)
    elif kind < 0.14:
        _unknown_start(scene)
    elif kind < 0.24:
        _unknown_change(scene)
    elif kind < 0.62:
        _one_owner(scene)
    else:
        _two_owners(scene)


def _unknown_start(scene: Scene) -> None:
    roles = cast(scene, 1, 1)
    (agent,), (thing,) = roles.agents, roles.things
    held = begin(scene, agent, (thing,), hidden=True)[agent, thing]
    start = held
    for _ in range(scene.rng.choice((1, 1, 2, 2, 3))):
        held = change(scene, agent, thing, held, alone=True, parts=False)
    left = scene.fill("[now|left|in the end]" if held in scene.lessened else "[now|in the end|altogether]")
    tense = "present" if left == "now" else scene.tense
    scene.say(agent, f"{has(agent, tense)} {thing.amount(n(held))} {left}".strip(), alone=True)
    tail = scene.fill("[at first|at the beginning|to begin with|at the start|before that|originally]")
    scene.put(ask(thing.how, agent, HAVE, tail, "past"), start)


def _unknown_change(scene: Scene) -> None:
    roles = cast(scene, 1, 1)
    (agent,), (thing,) = roles.agents, roles.things
    held = begin(scene, agent, (thing,))[agent, thing]
    for _ in range(scene.rng.choice((0, 0, 0, 1, 1, 2, 2))):
        held = change(scene, agent, thing, held, alone=True)
    quantity, after, question = unknown_change(scene, agent, thing, held)
    scene.put(question, quantity)
    if scene.chance(0.15):
        more = scene.number()
        scene.say(
            agent,
            scene.fill("[wants to have|needs|would like to have] {more}", more=thing.amount(n(scene.world.plus(after, more)))),
            alone=True,
        )
        scene.put(ask(how_many_more(thing), agent, v.NEED, "", "present"), more)


def _if_there_were_more(scene: Scene) -> None:
    """Tell what somebody would have with more or fewer, and ask for what they have."""
    roles = cast(scene, 1, 1)
    thing = roles.things[0]
    # A baker would need to be introduced.
    agent = roles.agents[0] if roles.agents[0].first == roles.agents[0].name else scene.person()
    held = scene.number()
    slots = {"A": agent.name, "he": agent.pronoun, "s": "" if agent.is_many else "s", "has": has(agent, "present")}
    if scene.chance(0.7):
        more = scene.number()
        slots |= {"m": thing.amount(n(more), "more"), "t": thing.amount(n(scene.world.plus(held, more)))}
        text = scene.fill(
            "[{A} need{s} {m} to have {t}|if {A} had {m}, {he} would have {t}|with {m}, {A} would have {t}"
            "|if {A} got {m} from {other}, {he} would have {t}]",
            **slots,
        )
    else:
        fewer = scene.below(held)
        slots |= {"m": thing.amount(n(fewer)), "t": thing.amount(n(scene.world.minus(held, fewer)))}
        text = scene.fill(
            "[if {A} gave {m} to {other}, {he} would have {t} left|without {m}, {A} would only have {t}"
            "|if {A} lost {m}, {he} would still have {t}]",
            **slots,
        )
    scene.say(None, text)
    scene.put(ask(thing.how, agent, HAVE, scene.fill("[now|]"), "present"), held)


def _one_owner(scene: Scene) -> None:
    roles = cast(scene, 1, scene.rng.choices((1, 2, 3), (0.5, 0.33, 0.17))[0])
    (agent,) = roles.agents
    held: Holdings = begin(scene, agent, roles.things)
    n_changes = scene.rng.choices((0, 1, 2, 3, 4), (0.08, 0.28, 0.34, 0.2, 0.1))[0]
    future = scene.chance(0.15)
    for i in range(n_changes):
        key = (agent, scene.rng.choice(roles.things))
        tense = "future" if future and i == n_changes - 1 else ""
        held[key] = change(scene, *key, held[key], alone=len(roles.things) == 1, tense=tense)
    if n_changes and len(roles.things) == 1 and not future and scene.chance(0.15):
        _start_last(scene)
    if future and n_changes:
        scene.asks_now = scene.tense = "future"
    question(scene, roles, held)


def _start_last(scene: Scene) -> None:
    """Tell what was there at first after what happened, unless something refers to it."""
    first, *events = scene.clauses
    said = " ".join(clause.predicate for clause in scene.clauses)
    if (
        not all(clause.event for clause in events)
        or not first.predicate.startswith(("had ", "has ", "owned "))
        or _REFERS.search(said)
    ):
        return
    had = first.predicate.replace("has ", "had ", 1)
    if scene.chance(0.4):
        scene.clauses = [*events, replace(first, predicate=had, lead="at the beginning, ")]
    else:
        had = f"{had} {scene.fill('[at first|to begin with|at the start|before that]')}"
        scene.clauses = [*events, replace(first, predicate=had, event=True)]


def _two_owners(scene: Scene) -> None:
    roles = cast(scene, 2 if scene.chance(0.75) else 3, scene.rng.choices((1, 2), (0.7, 0.3))[0])
    pronouns = [agent.pronoun for agent in roles.agents]
    scene.shared_pronouns = {pronoun for pronoun in pronouns if pronouns.count(pronoun) > 1}
    held: Holdings = begin(scene, roles.agents[0], roles.things)
    for agent in roles.agents[1:]:
        for thing in roles.things:
            held[agent, thing] = _compared(scene, agent, thing, roles.agents[0], held)
    for _ in range(scene.rng.choices((0, 1, 2, 3), (0.35, 0.35, 0.2, 0.1))[0]):
        key = scene.rng.choice(list(held))
        if scene.chance(0.35):
            taker = scene.rng.choice([agent for agent in roles.agents if agent != key[0]])
            other = (taker, key[1])
            held[key], held[other] = hand_over(scene, key[0], taker, key[1], (held[key], held[other]))
        else:
            held[key] = change(scene, *key, held[key], alone=False)
    question(scene, roles, held)


def _compared(scene: Scene, agent: Agent, thing: Thing, first: Agent, held: Holdings) -> int:
    """Say how many another owner has: by itself, or compared with the first in one of the two directions."""
    base, kind = held[first, thing], scene.rng.random()
    have = has(agent, scene.tense)
    if kind < 0.4:
        quantity = scene.number()
        scene.say(agent, f"{have} {thing.amount(n(quantity))}")
        return quantity
    than = thing.many if not thing.is_money else ""
    turned = scene.chance(0.35)
    subject, other = (first, agent) if turned else (agent, first)
    have = has(subject, scene.tense)
    if kind < 0.85:
        gains = (kind < 0.65) != turned
        difference = scene.number() if gains else scene.below(base)
        word = (
            "more"
            if (gains != turned)
            else scene.fill("[fewer|fewer|less]")
            if not thing.is_money and thing.kind != "measure"
            else "less"
        )
        amount = thing.amount(n(difference), word)
        if scene.chance(0.25) and than:
            amount = f"{n(difference)} {than} {word}" if thing.kind != "measure" else amount
        scene.say(subject, scene.fill("{have} {amount} than {other}", have=have, amount=amount, other=other.name))
        return scene.world.plus(base, difference) if gains else scene.world.minus(base, difference)
    as_many = "as much money" if thing.is_money else f"as {'much' if thing.kind == 'measure' else 'many'} {than}"
    if thing.kind == "measure":
        as_many = f"as many {than}"
    if not turned and scene.chance(0.35) and scene.value(base) % 2 == 0 and scene.value(base) > 3:
        scene.say(agent, f"{have} half {as_many} as {first.name}")
        return scene.world.over(base, scene.world.constant(2))
    if turned:
        factor = scene.divisor(base, 6)
        quantity = scene.world.over(base, factor)
    else:
        factor = scene.number(2, 6)
        quantity = scene.world.times(base, factor)
    twice = f"{n(factor)} times"
    if scene.value(factor) == 2 and scene.chance(0.8):
        twice, constant = scene.fill("[twice|double]"), scene.world.constant(2)
        quantity = scene.world.over(base, constant) if turned else scene.world.times(base, constant)
    scene.say(
        subject, f"{have} {twice} {as_many} as {other.name}" if twice != "double" else f"{have} twice {as_many} as {other.name}"
    )
    return quantity
