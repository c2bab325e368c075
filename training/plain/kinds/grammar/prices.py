"""Prices that are compared, saved for, earned, shared or reduced."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.shopping import COSTLY, ask_for_money, goods


def prices(scene: Scene) -> None:
    """Compose a story about prices.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    scene.rng.choice((_two_prices, _goal, _profit, _tickets, _discount))(scene)


def _two_prices(scene: Scene) -> None:
    """Two prices, one stated by the other: sum, difference or one of them."""
    one, other = goods(scene, COSTLY), goods(scene, COSTLY)
    if one.one == other.one:
        raise ValueError("The things are the same.")
    first = scene.number(5, 300)
    kind = scene.rng.choice(("more", "less", "times", "stated"))
    if kind == "stated":
        second = scene.number(5, 300)
        scene.tell("a {one} costs ${a}[ and|, while] a {two} costs ${b}", one=one.one, two=other.one, a=n(first), b=n(second))
    else:
        by = scene.number(2, 5) if kind == "times" else scene.below(first) if kind == "less" else scene.number(2, 90)
        second = {"more": scene.world.plus, "less": scene.world.minus, "times": scene.world.times}[kind](first, by)
        stated = {"more": "${b} more than", "less": "${b} less than", "times": "{b} times as much as"}[kind].replace(
            "{b}", n(by)
        )
        forms = (
            f"a {other.one} costs {stated} a {one.one}. a {one.one} costs ${n(first)}",
            f"a {one.one} costs ${n(first)}. a {other.one} costs {stated} the {one.one}",
            f"a {one.one} costs ${n(first)}, and a {other.one} costs {stated} that",
        )
        scene.tell(scene.rng.choice(forms))
    ask = scene.rng.random()
    if ask < 0.5:
        agent = scene.person()
        if scene.chance(0.4):
            asked = scene.fill("[how much do they cost together|how much do both cost together|what do the two cost together]")
            scene.put(Question(asked, "how much the two cost together"), scene.world.plus(first, second))
            return
        scene.say(agent, scene.fill("[buys one of each|buys both|wants to buy both]"))
        scene.put(Question("how much does @ need to pay", "how much @ needs to pay", agent), scene.world.plus(first, second))
    elif kind != "stated":
        scene.put(
            Question(f"how much does {scene.fill('[a|the]')} {other.one} cost", f"how much the {other.one} costs"), second
        )
    else:
        (low, cheap), (high, dear) = sorted(((scene.value(q), t.one) for q, t in ((first, one), (second, other))))
        if low == high:
            raise ValueError("The prices are the same.")
        bigger, smaller = (first, second) if scene.value(first) == high else (second, first)
        asked = scene.fill(
            "[how much more does the {dear} cost than the {cheap}|how much cheaper is the {cheap} than the {dear}]",
            dear=dear,
            cheap=cheap,
        )
        scene.put(Question(asked, f"how much more the {dear} costs than the {cheap}"), scene.world.minus(bigger, smaller))


def _goal(scene: Scene) -> None:
    """Saving for something: what is missing, or for how many weeks to save."""
    agent, thing = scene.person(), goods(scene, COSTLY)
    saved = scene.number(5, 200)
    if scene.chance(0.5):
        missing = scene.number(5, 300)
        price = scene.world.plus(saved, missing)
        scene.say(agent, f"wants to buy a {thing.one} {scene.fill('[for|that costs]')} ${n(price)}")
        scene.say(agent, scene.fill("[has saved|already has|has] ${s} [so far|]", s=n(saved)))
        if scene.chance(0.4):
            gift = scene.below(missing)
            scene.say(agent, scene.fill("gets ${g} from [{other}|a friend]", g=n(gift)), event=True)
            missing = scene.world.minus(missing, gift)
            # What is missing after the gift follows from what was missing before it.
        scene.put(Question("how much more money does @ need", "how much more money @ needs", agent), missing)
        return
    weekly, weeks = scene.number(2, 25), scene.number(2, 20)
    gap = scene.world.times(weekly, weeks)
    price = scene.world.plus(saved, gap)
    unit = scene.rng.choice(("week", "month", "day"))
    scene.say(agent, f"wants to buy a {thing.one} {scene.fill('[for|that costs]')} ${n(price)}")
    scene.say(agent, scene.fill("[has|already has] ${s}", s=n(saved)))
    scene.say(agent, scene.fill("[saves|can save|earns] ${w} [every|each|a] {unit}", w=n(weekly), unit=unit))
    scene.put(Question(f"how many {unit}s does @ need to save", f"how many {unit}s @ needs to save", agent), weeks)


def _profit(scene: Scene) -> None:
    """Sales of one or two days, with or without costs."""
    agent, thing = scene.person(), goods(scene, ("fruit", "baked", "craft", "plant", "drink", "vegetable", "clothes", "meal"))
    price, first = scene.number(2, 25), scene.number(2, 40)
    past = scene.tense == "past"
    sells = "sold" if past else "sells"
    scene.say(agent, scene.fill("{sells} {things} [for|at] ${p} [each|apiece]", sells=sells, things=thing.many, p=n(price)))
    sold = first
    if scene.chance(0.5):
        second = scene.number(2, 40)
        days = sorted(scene.rng.sample(v.DAYS, 2), key=v.DAYS.index)
        scene.say(agent, f"{sells} {n(first)} on {days[0]} and {n(second)} on {days[1]}")
        sold = scene.world.plus(first, second)
    else:
        scene.say(agent, scene.fill("{sells} {k} of them [on {day}|in one day|]", sells=sells, k=n(first)))
    income = scene.world.times(sold, price)
    if scene.chance(0.45) and scene.value(income) > 10:
        cost = scene.below(income)
        scene.say(
            agent,
            scene.fill(
                "[{pays} ${c} for materials|{spends} ${c} on supplies|{pays} ${c} to rent a stand]",
                pays="paid" if past else "pays",
                spends="spent" if past else "spends",
                c=n(cost),
            ),
        )
        asked = scene.fill("[how much profit|how much money]")
        tail = "" if "profit" in asked else scene.fill("[after the costs|after paying for that]")
        scene.put(ask_for_money(agent, past, ("make", "makes", "made"), asked, tail), scene.world.minus(income, cost))
        return
    scene.put(
        ask_for_money(
            agent,
            past,
            ("earn", "earns", "earned"),
            scene.fill("[how much money|how much|how many dollars]"),
            scene.fill("[in all|altogether|]"),
        ),
        income,
    )


def _tickets(scene: Scene) -> None:
    """Tickets for adults and children, or a bill shared by several."""
    people = scene.fill("[friends|classmates|coworkers|roommates|cousins|neighbors]")
    if scene.chance(0.5):
        count, each = scene.number(2, 12), scene.number(3, 40)
        bill = scene.world.quantity(scene.value(count) * scene.value(each))
        what = scene.fill("[a dinner|a boat trip|a present|a taxi ride|a pizza party]")
        if scene.chance(0.4):
            tip = scene.number(2, max(2, int(scene.value(bill)) // 5))
            food = scene.world.minus(bill, tip)
            scene.tell(
                "{k} {people} share the cost of {what} equally. it costs ${a}, and they [give a tip of ${b}|pay ${b} for drinks]",
                k=n(count),
                people=people,
                what=what,
                a=n(food),
                b=n(tip),
            )
        else:
            scene.tell("{k} {people} share the cost of {what}, ${t}, equally", k=n(count), people=people, what=what, t=n(bill))
        scene.put(Question("how much does each of them pay", "how much each of them pays"), scene.world.over(bill, count))
        return
    adult, child, adults, children = scene.number(5, 40), scene.number(2, 20), scene.number(2, 9), scene.number(2, 30)
    place = scene.fill("[the zoo|a museum|a concert|the circus|a swimming pool|an aquarium|a football match]")
    scene.tell(
        "[a ticket for {place} costs ${a} for adults and ${c} for children|at {place}, adults pay ${a} and children pay ${c}]",
        place=place,
        a=n(adult),
        c=n(child),
    )
    wants = scene.rng.random()
    if wants < 0.65:
        total = scene.world.plus(scene.world.times(adult, adults), scene.world.times(child, children))
        scene.tell(
            "[{m} adults and {k} children go there|a group of {m} adults and {k} children buys tickets]",
            m=n(adults),
            k=n(children),
        )
        scene.put(
            Question(
                scene.fill("how much do [they|their tickets|the tickets] cost").replace("do they cost", "do they pay"),
                "how much they pay",
            ),
            total,
        )
    else:
        scene.tell("a group of {m} adults and {k} children buys tickets", m=n(adults), k=n(children))
        scene.put(
            Question("how much do the tickets of the children cost", "how much the tickets of the children cost"),
            scene.world.times(child, children),
        )


def _discount(scene: Scene) -> None:
    """A price that falls by an amount or a percentage, for one or several pieces."""
    thing = goods(scene, COSTLY)
    if scene.chance(0.5):
        price = scene.number(6, 200)
        off = scene.below(price)
        now = scene.world.minus(price, off)
        scene.tell(
            "[a {thing} usually costs ${p}. today it is ${o} cheaper|the price of a {thing} falls by ${o} from ${p}|a shop lowers the price of a {thing} from ${p} by ${o}]",
            thing=thing.one,
            p=n(price),
            o=n(off),
        )
        if scene.chance(0.5):
            count = scene.number(2, 9)
            scene.put(
                Question(f"how much do {n(count)} {thing.many} cost now", f"how much {n(count)} {thing.many} cost now"),
                scene.world.times(now, count),
            )
        else:
            scene.put(
                Question(f"how much does {scene.fill('[a|one]')} {thing.one} cost now", f"how much one {thing.one} costs now"),
                now,
            )
        return
    percent = scene.world.quantity(5 * scene.rng.randint(1, 15))
    price = scene.world.quantity(20 * scene.rng.randint(1, 30))
    hundred = scene.world.constant(100)
    saved = scene.world.over(scene.world.times(percent, price), hundred)
    scene.tell(
        "[a {thing} costs ${p}. it is sold with {o}% off|a shop gives {o}% off a {thing} that costs ${p}|a {thing} with a price of ${p} is reduced by {o}%]",
        thing=thing.one,
        p=n(price),
        o=n(percent),
    )
    if scene.chance(0.4):
        scene.put(Question(scene.fill("[how much do you save|how much is the discount]"), "how much you save"), saved)
    else:
        scene.put(
            Question(f"how much does the {thing.one} cost now", f"how much the {thing.one} costs now"),
            scene.world.minus(price, saved),
        )
