"""Bills, change, budgets and unit prices: the price of one, the number or the total may be unknown."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.owners import listed
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import Thing

_KINDS = (
    "toy",
    "school",
    "fruit",
    "vegetable",
    "baked",
    "sweet",
    "meal",
    "clothes",
    "book",
    "house",
    "tool",
    "drink",
    "plant",
    "craft",
)
COSTLY = ("clothes", "house", "tool", "device", "book", "toy")


def shopping(scene: Scene) -> None:
    """Compose a purchase.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    scene.rng.choice((_bill, _bill, _bill, _unit, _afford))(scene)


def _price(scene: Scene, *, cents: bool) -> int:
    """Draw a price; with ``cents``, now and then one that is not whole dollars."""
    if cents and scene.chance(0.3):
        return scene.world.quantity(scene.rng.randint(2, 60) * scene.rng.choice((0.25, 0.5, 0.05)) + 0.5)
    return scene.number(2, 12 if scene.chance(0.6) else 60)


def goods(scene: Scene, kinds: tuple[str, ...] = _KINDS) -> Thing:
    """Draw something that is sold."""
    return scene.rng.choice(
        [thing for thing in v.CLASSES[scene.rng.choice(kinds)] if " of " not in thing.one or scene.chance(0.5)]
    )


def ask_for_money(agent: Agent, past: bool, verb: tuple[str, str, str], what: str, tail: str = "") -> Question:
    """Ask what an agent pays and the like; the verb is its base, present and past."""
    tail = f" {tail}" if tail else ""
    return Question(
        f"{what} {'did' if past else 'does'} @ {verb[0]}{tail}", f"{what} @ {verb[2] if past else verb[1]}{tail}", agent
    )


_PAY, _GET, _SPEND, _LEFT = (
    ("pay", "pays", "paid"),
    ("get", "gets", "got"),
    ("spend", "spends", "spent"),
    ("have", "has", "had"),
)


def _bill(scene: Scene) -> None:
    """One to three kinds of things at their prices: the sum, the change, or what is left of a budget."""
    agent, past = scene.person(), scene.tense == "past"
    things = [goods(scene) for _ in range(scene.rng.choices((1, 2, 3), (0.4, 0.4, 0.2))[0])]
    if len({thing.many for thing in things}) < len(things):
        raise ValueError("The things are the same.")
    prices, counts = (
        [_price(scene, cents=True) for _ in things],
        [scene.number(2, 9 if scene.chance(0.8) else 20) for _ in things],
    )
    buys = scene.fill("[bought|got|ordered]" if past else "[buys|gets|orders]")
    kind = scene.rng.random()
    if kind < 0.4:
        bought = listed(
            [
                f"{n(k)} {t.many} {scene.fill('[for ${p} each|at ${p} each|that cost ${p} each]', p=n(p))}"
                for t, k, p in zip(things, counts, prices, strict=True)
            ]
        )
        total = scene.world.times(counts[0], prices[0])
        for k, p in zip(counts[1:], prices[1:], strict=True):
            total = scene.world.plus(total, scene.world.times(k, p))
        scene.say(agent, f"{buys} {bought}")
    elif kind < 0.75:
        cost = "cost" if past else "costs"
        said = listed(
            [
                f"{scene.fill('[one|a|each]') if i == 0 else 'a'} {t.one} {cost} ${n(p)}"
                for i, (t, p) in enumerate(zip(things, prices, strict=True))
            ]
        )
        scene.tell(said)
        wanted = list(range(len(things)))
        if len(things) > 1 and scene.chance(0.4):
            wanted = sorted(scene.rng.sample(wanted, len(things) - 1))
        bought = listed([f"{n(counts[i])} {things[i].many}" for i in wanted])
        total = -1
        for i in wanted:
            one = scene.world.times(prices[i], counts[i])
            total = one if total < 0 else scene.world.plus(total, one)
        scene.say(agent, f"{buys} {bought}", event=True)
    else:
        # One piece of each kind.
        if len(things) == 1:
            things, prices = [*things, goods(scene, COSTLY)], [*prices, _price(scene, cents=True)]
        said = listed([f"a {t.one} for ${n(p)}" for t, p in zip(things, prices, strict=True)])
        scene.say(agent, f"{buys} {said}")
        total = prices[0]
        for p in prices[1:]:
            total = scene.world.plus(total, p)
    _after(scene, agent, total, past)


def _after(scene: Scene, agent: Agent, total: int, past: bool) -> None:
    """Ask for the sum, for the change from a note, for what is left of a budget, or for the price with a coupon."""
    kind, dear = scene.rng.random(), int(scene.value(total))
    how = scene.fill("[how much|how much money|how many dollars]")
    if kind < 0.45:
        scene.put(
            ask_for_money(agent, past, scene.rng.choice((_PAY, _SPEND)), how, scene.fill("[in all|altogether|in total|]")),
            total,
        )
    elif kind < 0.62:
        note = scene.world.quantity(next((b for b in (5, 10, 20, 50, 100, 200, 500, 1000) if b > dear), dear + 100))
        scene.say(
            agent,
            scene.fill("{pays} with [a ${b} bill|${b}|a ${b} note]", pays="paid" if past else "pays", b=n(note)),
            event=True,
        )
        scene.put(ask_for_money(agent, past, _GET, "how much change", scene.fill("[back|]")), scene.world.minus(note, total))
    elif kind < 0.85:
        budget = scene.world.quantity(dear + scene.rng.randint(2, 90))
        scene.say(agent, f"{'had' if past else 'has'} ${n(budget)}")
        scene.clauses.insert(0, scene.clauses.pop())
        scene.put(ask_for_money(agent, past, _LEFT, "how much money", "left"), scene.world.minus(budget, total))
    else:
        if dear < 5:
            raise ValueError("The coupon is dearer than the things.")
        off = scene.number(2, dear - 1) if dear < 40 else scene.number(2, 20)
        scene.say(agent, scene.fill("{has} a coupon for ${c} off", has="had" if past else "has", c=n(off)))
        scene.put(ask_for_money(agent, past, _PAY, how), scene.world.minus(total, off))


def _unit(scene: Scene) -> None:
    """A price for several: the price of one, or of another number."""
    thing = goods(scene)
    price, count = _price(scene, cents=True), scene.number(2, 12)
    total = scene.world.times(count, price)
    agent, past = scene.person(), scene.tense == "past"
    paid = scene.fill(
        "[{pays} ${t} for {k} {things}|{buys} {k} {things} for ${t}|{buys} {k} {things} for a total of ${t}]",
        pays="paid" if past else "pays",
        buys="bought" if past else "buys",
        t=n(total),
        k=n(count),
        things=thing.many,
    )
    if scene.chance(0.35):
        scene.tell(
            "[{k} {things} cost ${t}|you get {k} {things} for ${t}|a pack of {k} {things} costs ${t}]",
            k=n(count),
            things=thing.many,
            t=n(total),
        )
    else:
        scene.say(agent, paid)
    kind = scene.rng.random()
    if kind < 0.55:
        asked = scene.fill(
            "[how much does one {thing} cost|what is the price of one {thing}|how much is that per {thing}]", thing=thing.one
        )
        stated = f"how much one {thing.one} costs"
        scene.put(Question(asked, stated), price)
    else:
        other = scene.number(2, 15)
        scene.put(
            Question(
                f"how much do {n(other)} {thing.many} cost {scene.fill('[at this price|at the same price|]')}".strip(),
                f"how much {n(other)} {thing.many} cost",
            ),
            scene.world.times(price, other),
        )


def _afford(scene: Scene) -> None:
    """How many can be bought, with or without something else first."""
    thing, agent = goods(scene), scene.person()
    price, count = scene.number(2, 15), scene.number(2, 20)
    money = scene.world.quantity(scene.value(price) * scene.value(count))
    has = "had" if scene.tense == "past" else "has"
    if scene.chance(0.45):
        first = scene.number(2, 60)
        scene.say(agent, f"{has} ${n(scene.world.plus(money, first))}")
        scene.say(
            agent,
            scene.fill(
                "[{buys} a {item} for ${f}|{spends} ${f} on lunch|{pays} ${f} for the bus]",
                buys="bought" if has == "had" else "buys",
                spends="spent" if has == "had" else "spends",
                pays="paid" if has == "had" else "pays",
                f=n(first),
            ),
            event=True,
        )
        rest = "[the rest|the money that is left|the remaining money]"
    else:
        scene.say(agent, f"{has} ${n(money)}")
        rest = "[that money|it|that]"
    scene.tell(
        "[a {thing} costs ${p}|{things} cost ${p} each|the price of one {thing} is ${p}]",
        thing=thing.one,
        things=thing.many,
        p=n(price),
    )
    tail = scene.fill(f"with {rest}")
    scene.put(
        Question(f"how many {thing.many} can @ buy {tail}", f"how many {thing.many} @ can buy {tail}", agent),
        scene.world.over(money, price),
    )
