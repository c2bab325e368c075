"""Stories about who has how many of what: beginnings, changes, comparisons, and one of many questions."""

import re
from dataclasses import replace

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.changes import change, hand_over, unknown_change
from epf.training.plain.kinds.grammar.clauses import HAVE, Question, ask, finite, has
from epf.training.plain.kinds.grammar.owners import Cast, Key, begin, cast
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import Thing

_REFERS = re.compile(r"\b(of|bag|home|first|stock|day)\b")
Holdings = dict[Key, int]


def ownership(scene: Scene) -> None:
    """Compose a story of one or two owners.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    kind = scene.rng.random()
    if kind < 0.12:
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
        scene.put(ask(_more(thing), agent, _NEED, "", "present"), more)


_NEED = v.NEED


def _more(thing: Thing) -> str:
    return "how much more money" if thing.is_money else f"how many more {thing.many}"


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
    _question(scene, roles, held)


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
    _question(scene, roles, held)


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


def _now(scene: Scene, quantity: int) -> str:
    left = "left|left|" if quantity in scene.lessened else ""
    return scene.fill(
        "["
        + left
        + {"past": "in the end|at the end|after that]", "present": "now|now|]", "future": "then|in the end|]"}[scene.asks_now]
    )


def _question(scene: Scene, roles: Cast, held: Holdings) -> None:
    """Ask about one holding, about several together, about a difference, or about what is done with a holding."""
    options = [_ask_one, _ask_one, _ask_one, _ask_share, _ask_need, _ask_price]
    if len(roles.agents) > 1:
        options = [_ask_one, _ask_together, _ask_together, _ask_difference, _ask_difference, _ask_equal, _ask_share]
    elif len(roles.things) > 1:
        options = [_ask_one, _ask_one, _ask_kinds, _ask_kinds, _ask_kind_difference, _ask_share, _ask_price]
    scene.rng.choice(options)(scene, roles, held)


def _pick(scene: Scene, held: Holdings) -> tuple[Key, int]:
    key = scene.rng.choice(list(held))
    return key, held[key]


def _ask_one(scene: Scene, roles: Cast, held: Holdings) -> None:
    (agent, thing), quantity = _pick(scene, held)
    changed = any(clause.event for clause in scene.clauses)
    tense = scene.asks_now if changed else scene.tense
    short = len(roles.things) == 1 and not thing.is_money and thing.kind != "measure" and scene.chance(0.2)
    what = "how many" if short else thing.how
    if (
        not thing.is_money
        and thing.kind != "measure"
        and quantity in scene.lessened
        and len(roles.agents) == 1
        and scene.chance(0.25)
    ):
        are = {"past": "were", "present": "are", "future": "will be"}[tense]
        tail = {"past": "left", "present": "left", "future": "left"}[tense]
        how = "how many of them" if len(roles.things) == 1 and scene.chance(0.15) else what
        asked = f"{how} {are} {tail}" if tense != "future" else f"{how} will be left"
        scene.put(Question(asked, asked), quantity)
        return
    scene.put(ask(what, agent, HAVE, _now(scene, quantity) if changed else "", tense), quantity)


def _ask_together(scene: Scene, roles: Cast, held: Holdings) -> None:
    thing = scene.rng.choice(roles.things)
    total = _sum(scene, [held[agent, thing] for agent in roles.agents])
    they = Agent("they", "they", "they")
    tail = scene.fill("[together|altogether|in all|in total|combined]")
    tense = scene.asks_now if any(clause.event for clause in scene.clauses) else scene.tense
    names = [agent.name for agent in roles.agents]
    both = " and ".join(names) if len(names) == 2 else f"{', '.join(names[:-1])} and {names[-1]}"
    group = Agent(both, "they", both)
    kind = ask(thing.how, group if scene.chance(0.6) else they, HAVE, tail, tense)
    scene.put(kind, total)


def _sum(scene: Scene, quantities: list[int]) -> int:
    total = quantities[0]
    for quantity in quantities[1:]:
        total = scene.world.plus(total, quantity)
    return total


def _ask_difference(scene: Scene, roles: Cast, held: Holdings) -> None:
    thing = scene.rng.choice(roles.things)
    one, other = scene.rng.sample(roles.agents, 2)
    if scene.value(held[one, thing]) == scene.value(held[other, thing]):
        raise ValueError("There is no difference.")
    fewer = scene.chance(0.25) and not thing.is_money
    if (scene.value(held[one, thing]) < scene.value(held[other, thing])) != fewer:
        one, other = other, one
    more, less = (other, one) if fewer else (one, other)
    difference = scene.world.minus(held[more, thing], held[less, thing])
    tense = scene.asks_now if any(clause.event for clause in scene.clauses) else scene.tense
    what = _more(thing) if not fewer else f"how many fewer {thing.many}"
    scene.put(ask(what, one, HAVE, f"than {other.name}", tense), difference)


def _ask_equal(scene: Scene, roles: Cast, held: Holdings) -> None:
    """Ask how many more one needs to have as many as another."""
    thing = scene.rng.choice(roles.things)
    less, more = sorted(scene.rng.sample(roles.agents, 2), key=lambda agent: scene.value(held[agent, thing]))
    if scene.value(held[less, thing]) == scene.value(held[more, thing]):
        raise ValueError("There is no difference.")
    difference = scene.world.minus(held[more, thing], held[less, thing])
    tail = f"to have as {'much' if thing.is_money else 'many'} as {more.name}"
    scene.put(ask(_more(thing), less, _NEED, tail, "present"), difference)


def _ask_kinds(scene: Scene, roles: Cast, held: Holdings) -> None:
    (agent,) = roles.agents
    some = scene.rng.sample(roles.things, 2) if len(roles.things) == 3 and scene.chance(0.35) else list(roles.things)
    some.sort(key=roles.things.index)
    total = _sum(scene, [held[agent, thing] for thing in some])
    changed = any(clause.event for clause in scene.clauses)
    names = (
        " and ".join(thing.many for thing in some) if len(some) < 3 else f"{some[0].many}, {some[1].many} and {some[2].many}"
    )
    what = names if len(some) < len(roles.things) or scene.chance(0.3) else roles.whole.many
    tail = scene.fill("[in all|altogether|in total|]") if what == names else scene.fill("[in all|altogether|in total]")
    scene.put(ask(f"how many {what}", agent, HAVE, tail, scene.asks_now if changed else scene.tense), total)


def _ask_kind_difference(scene: Scene, roles: Cast, held: Holdings) -> None:
    (agent,) = roles.agents
    one, other = sorted(scene.rng.sample(roles.things, 2), key=lambda thing: scene.value(held[agent, thing]))
    if scene.value(held[agent, one]) == scene.value(held[agent, other]):
        raise ValueError("There is no difference.")
    difference = scene.world.minus(held[agent, other], held[agent, one])
    what = (
        f"how many more {other.many} than {one.many}" if scene.chance(0.7) else f"how many fewer {one.many} than {other.many}"
    )
    tense = scene.asks_now if any(clause.event for clause in scene.clauses) else scene.tense
    scene.put(ask(what, agent, HAVE, "", tense), difference)


def _ask_share(scene: Scene, roles: Cast, held: Holdings) -> None:
    """Let an owner share a holding equally, or pack it in groups of a size, and ask for the size or for their number."""
    (agent, thing), quantity = _pick(scene, held)
    number = scene.divisor(quantity)
    result = scene.world.over(quantity, number)
    tense = scene.tense
    what = "the money" if thing.is_money else f"the {thing.many.split(' of ')[-1] if thing.kind == 'measure' else thing.many}"
    if thing.kind == "measure" or scene.chance(0.5):
        who = scene.rng.choice(
            ("friends", "children", "people", "families", "cousins")
            if agent.verbs == "p"
            else ("customers", "schools", "visitors")
        )
        verb = scene.rng.choice((v.SHARE, v.SPLIT, v.DIVIDE))
        scene.say(agent, f"{finite(agent, verb, tense)} {what} equally among {n(number)} {who}", event=True)
        do, gets = {"present": ("does", "gets"), "past": ("did", "got"), "future": ("will", "will get")}[tense]
        each = scene.fill(f"{do} [each one|each of them|each] get")
        told = f"{thing.how} each of them {gets}"
        scene.put(Question(f"{thing.how} {each}", told), result)
        return
    if thing.is_money:
        raise ValueError("Money is not packed.")
    box = scene.container(thing.kind)
    scene.say(agent, f"{finite(agent, v.PACK, tense)} {what} into {box.many} of {n(number)}", event=True)
    scene.put(ask(f"how many {box.many}", agent, v.FILL, "", tense), result)


def _ask_need(scene: Scene, roles: Cast, held: Holdings) -> None:
    (agent, thing), quantity = _pick(scene, held)
    more = scene.number()
    goal = scene.world.plus(quantity, more)
    purpose = (
        scene.fill("[for a project|for an event|in total|]")
        if not thing.is_money
        else scene.fill("[for a trip|to buy a {item}|for a {item}]")
    )
    scene.say(agent, f"{finite(agent, _NEED, 'present')} {thing.amount(n(goal))} {purpose}".strip(), alone=True)
    tail = scene.fill("[still|]")
    asked = ask(_more(thing), agent, v.STILL_NEED if tail else _NEED, "", "present")
    scene.put(asked, more)


def _ask_price(scene: Scene, roles: Cast, held: Holdings) -> None:
    """Let an owner sell all of a holding at a price and ask for the money."""
    (agent, thing), quantity = _pick(scene, held)
    if thing.is_money or scene.value(quantity) > 500:
        raise ValueError("That many are not sold.")
    price = scene.number(2, 20 if scene.chance(0.5) else 9)
    rest = "all of the remaining" if quantity in scene.lessened else "all the"
    scene.say(agent, f"{finite(agent, v.SELL, scene.tense)} {rest} {thing.many} for ${n(price)} each", event=True)
    asked = scene.fill("[how much money|how many dollars]")
    scene.put(ask(asked, agent, v.MAKE, scene.fill("[from that|that way|]"), scene.tense), scene.world.times(quantity, price))
