"""Questions about who has how many: one, several together, a difference, or what is done with what somebody has."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import HAVE, Question, ask, finite
from epf.training.plain.kinds.grammar.owners import Cast, Key
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import Thing

Holdings = dict[Key, int]
"""How many of which thing everybody has, as quantities of the world."""


def how_many_more(thing: Thing) -> str:
    """The beginning of a question for a difference."""
    return "how much more money" if thing.is_money else f"how many more {thing.many}"


def _now(scene: Scene, quantity: int) -> str:
    left = "left|left|" if quantity in scene.lessened else ""
    return scene.fill(
        "["
        + left
        + {"past": "in the end|at the end|after that]", "present": "now|now|]", "future": "then|in the end|]"}[scene.asks_now]
    )


def question(scene: Scene, roles: Cast, held: Holdings) -> None:
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
    what = how_many_more(thing) if not fewer else f"how many fewer {thing.many}"
    scene.put(ask(what, one, HAVE, f"than {other.name}", tense), difference)


def _ask_equal(scene: Scene, roles: Cast, held: Holdings) -> None:
    """Ask how many more one needs to have as many as another."""
    thing = scene.rng.choice(roles.things)
    less, more = sorted(scene.rng.sample(roles.agents, 2), key=lambda agent: scene.value(held[agent, thing]))
    if scene.value(held[less, thing]) == scene.value(held[more, thing]):
        raise ValueError("There is no difference.")
    difference = scene.world.minus(held[more, thing], held[less, thing])
    tail = f"to have as {'much' if thing.is_money else 'many'} as {more.name}"
    scene.put(ask(how_many_more(thing), less, v.NEED, tail, "present"), difference)


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
        stated = f"{thing.how} each of them {gets}"
        scene.put(Question(f"{thing.how} {each}", stated), result)
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
    scene.say(agent, f"{finite(agent, v.NEED, 'present')} {thing.amount(n(goal))} {purpose}".strip(), alone=True)
    scene.put(ask(how_many_more(thing), agent, v.NEED, "", "present"), more)


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
