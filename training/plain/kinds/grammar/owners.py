"""Who owns what in a story, and the sentences that say how it began."""

from dataclasses import dataclass, replace

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import finite, has
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import MONEY, Thing

_CLASSES_OF = {
    "bakery": ("baked",), "library": ("book",), "toy store": ("toy",), "bookstore": ("book",), "zoo": ("wild_animal",),
    "restaurant": ("meal", "house", "drink"), "farm": ("farm_animal", "fruit", "vegetable"), "florist shop": ("plant",),
    "pet shop": ("pet",), "garden center": ("plant", "tool"), "café": ("baked", "drink"), "factory": ("device", "hardware", "tool"),
    "grocery store": ("fruit", "vegetable", "drink"), "supermarket": ("fruit", "vegetable", "drink", "sweet"),
    "market stall": ("fruit", "vegetable", "craft"), "school": ("school", "book"), "kindergarten": ("toy", "school"),
    "repair shop": ("device", "hardware", "tool"), "workshop": ("hardware", "tool"), "hotel": ("house",), "hospital": ("house",),
    "warehouse": ("device", "tool", "hardware", "house"), "museum": ("collectable", "craft"), "sports club": ("clothes",),
}  # fmt: skip
Key = tuple[Agent, Thing]


@dataclass(frozen=True, slots=True)
class Cast:
    """The agents and the things of a story, what all the things together are called, and the class of them."""

    agents: tuple[Agent, ...]
    things: tuple[Thing, ...]
    whole: Thing
    kind: str


def cast(scene: Scene, n_agents: int, n_things: int, *, money: bool = True) -> Cast:
    """Draw agents and things that go together."""
    kind = scene.rng.random()
    agents: tuple[Agent, ...]
    things_of: tuple[str, ...]
    if n_agents > 1 or kind < 0.66:
        agents, things_of = tuple(scene.person() for _ in range(n_agents)), v.OWNED
    elif kind < 0.76:
        role, pronoun = scene.rng.choice(v.ROLES), scene.rng.choice(("he", "she"))
        agents, things_of = (Agent(f"the {role}", pronoun, f"a {role}"),), v.OWNED
    elif kind < 0.83:
        group = scene.rng.choice(v.GROUPS)
        agents, things_of = (Agent(group, "they", group),), v.OWNED
    else:
        business = scene.rng.choice(v.BUSINESSES)
        agents, things_of = (Agent(f"the {business}", "it", f"a {business}", "b"),), _CLASSES_OF[business]
    if money and n_things == 1 and agents[0].verbs == "p" and scene.chance(0.12):
        return Cast(agents, (MONEY,), MONEY, "money")
    if n_things == 1 and agents[0].verbs == "p" and scene.chance(0.2):
        things_of = ("measure", "tool", "hardware", "plant", "device", "farm_animal", "pet", "meal")
    return Cast(agents, *_kinds(scene, scene.rng.choice(things_of), n_things))


def _kinds(scene: Scene, kind: str, number: int) -> tuple[tuple[Thing, ...], Thing, str]:
    """Draw kinds of things of a class: different ones, or one in different colours, sizes and so on."""
    if number == 1:
        thing = scene.rng.choice(v.CLASSES[kind])
        if scene.chance(0.15) and " of " not in thing.one and (groups := v.ATTRIBUTES_OF.get(kind, v.ANY_ATTRIBUTES)):
            word = scene.rng.choice(v.ATTRIBUTES[scene.rng.choice(groups)])
            thing = Thing(f"{word} {thing.one}", f"{word} {thing.many}")
        return (replace(thing, kind=kind),), replace(thing, kind=kind), kind
    groups = v.ATTRIBUTES_OF.get(kind, v.ANY_ATTRIBUTES)
    if groups and scene.chance(0.5):
        fitting = [name for name in groups if len(v.ATTRIBUTES[name]) >= number]
        words = scene.rng.sample(v.ATTRIBUTES[scene.rng.choice(fitting)], number)
        thing = scene.rng.choice([thing for thing in v.CLASSES[kind] if " of " not in thing.one])
        return tuple(Thing(f"{word} {thing.one}", f"{word} {thing.many}", kind) for word in words), thing, kind
    return (
        tuple(replace(thing, kind=kind) for thing in scene.rng.sample(v.CLASSES[kind], number)),
        Thing("", v.WHOLES[kind]),
        kind,
    )


def has_them(scene: Scene, agent: Agent, amounts: str) -> str:
    """Say that an agent has something, in one of several ways."""
    plain = has(agent, scene.tense)
    if scene.chance(0.5):
        return f"{plain} {amounts}"
    if agent.verbs == "b":
        return scene.fill("{has} {amounts} [in stock|at the start of the day|]", has=plain, amounts=amounts)
    own = finite(agent, v.OWN, scene.tense)
    return scene.fill(
        "[{has} {amounts} [at home|at first|in a bag|]|{own} {amounts}|{has} {amounts}]", has=plain, own=own, amounts=amounts
    )


def listed(parts: list[str]) -> str:
    """Join parts: a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def begin(scene: Scene, agent: Agent, things: tuple[Thing, ...], *, hidden: bool = False) -> dict[Key, int]:
    """Say what an agent has at the beginning; ``hidden``: without its number."""
    if hidden:
        (thing,) = things
        if scene.chance(0.75):
            scene.say(agent, has_them(scene, agent, thing.some))
        return {(agent, thing): scene.number()}
    if len(things) > 1:
        quantities = [scene.number() for _ in things]
        parts = [t.amount(n(q)) for t, q in zip(things, quantities, strict=True)]
        noun = things[-1].many.split(" ", 1)[-1]
        if all(t.many.endswith(f" {noun}") for t in things) and scene.chance(0.5):
            # 5 red and 6 blue cars
            parts[:-1] = [part.removesuffix(f" {noun}") for part in parts[:-1]]
        scene.say(agent, has_them(scene, agent, listed(parts)))
        return dict(zip(((agent, thing) for thing in things), quantities, strict=True))
    (thing,) = things
    kind = scene.rng.random()
    if thing.is_money or thing.kind == "measure" or kind < 0.6:
        quantity = scene.number()
        scene.say(agent, has_them(scene, agent, thing.amount(n(quantity))))
        return {(agent, thing): quantity}
    if kind < 0.82:
        return {(agent, thing): in_groups(scene, agent, thing)}
    return {(agent, thing): on_days(scene, agent, thing)}


def in_groups(scene: Scene, agent: Agent, thing: Thing) -> int:
    """Say that an agent has equal groups of things; return the number of all."""
    groups, size = scene.number(2, 20 if scene.chance(0.4) else 9), scene.number(2, 30 if scene.chance(0.4) else 12)
    box = scene.container(thing.kind)
    forms = (
        "{k} {boxes} of {m} {many} [each|]",
        "{k} {boxes} with {m} {many} [each|in each|in each {box}]",
        "{k} {boxes} of {many} with {m} [{many}|] in each [{box}|]",
        "{k} {boxes}, each [with|containing] {m} {many}",
    )
    amounts = scene.fill(scene.rng.choice(forms), k=n(groups), m=n(size), boxes=box.many, box=box.one, many=thing.many)
    scene.say(agent, f"{has(agent, scene.tense)} {amounts}")
    return scene.world.times(groups, size)


def on_days(scene: Scene, agent: Agent, thing: Thing) -> int:
    """Say that an agent gets things on two or three days, the later ones now and then compared with the first; return the sum."""
    verb = scene.rng.choice([verb for verb in v.VERBS["gain", agent.verbs, thing.kind] if not verb.base.startswith("be ")])
    past = finite(agent, verb, "past")
    days = sorted(scene.rng.sample(v.DAYS, 3), key=v.DAYS.index)
    first = scene.number()
    total, parts = first, [f"{thing.amount(n(first))} on {days[0]}"]
    if scene.chance(0.3):
        more = scene.number()
        second = scene.world.plus(first, more)
        scene.say(agent, f"{past} {parts[0]}")
        scene.say(
            agent,
            scene.fill("{past} {more} more on {day2} than on {day1}", past=past, more=n(more), day2=days[1], day1=days[0]),
        )
        return scene.world.plus(first, second)
    for day in days[1 : scene.rng.choice((2, 2, 3))]:
        quantity = scene.number()
        parts.append(f"{n(quantity)} on {day}")
        total = scene.world.plus(total, quantity)
    scene.say(agent, f"{past} {listed(parts)}")
    return total
