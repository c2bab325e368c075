"""So much per hour, day or kilometre: work, travel, reading, production. Any of the three quantities may be unknown."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n

_DAILY = (
    ("reads", "read", "read", "pages"), ("writes", "wrote", "write", "lines"), ("solves", "solved", "solve", "puzzles"),
    ("paints", "painted", "paint", "pictures"), ("swims", "swam", "swim", "laps"), ("folds", "folded", "fold", "paper cranes"),
    ("does", "did", "do", "push-ups"), ("learns", "learned", "learn", "new words"), ("plants", "planted", "plant", "trees"),
    ("bakes", "baked", "bake", "loaves of bread"), ("delivers", "delivered", "deliver", "newspapers"), ("types", "typed", "type", "pages"),
    ("washes", "washed", "wash", "cars"), ("knits", "knitted", "knit", "scarves"), ("walks", "walked", "walk", "kilometers"),
    ("runs", "ran", "run", "miles"), ("rides", "rode", "ride", "miles"), ("hikes", "hiked", "hike", "kilometers"),
    ("picks", "picked", "pick", "baskets of berries"), ("answers", "answered", "answer", "emails"), ("practices", "practiced", "practice", "songs"),
    ("drinks", "drank", "drink", "glasses of water"), ("repairs", "repaired", "repair", "bikes"), ("takes", "took", "take", "photos"),
    ("milks", "milked", "milk", "cows"), ("grades", "graded", "grade", "tests"), ("sews", "sewed", "sew", "buttons"),
)  # fmt: skip
_MACHINES = (
    ("a machine", "fills", "fill", "bottles"), ("a printer", "prints", "print", "pages"), ("a factory", "makes", "make", "toys"),
    ("a pump", "moves", "move", "liters of water"), ("a robot", "packs", "pack", "boxes"), ("a bakery", "bakes", "bake", "rolls"),
    ("a loom", "weaves", "weave", "meters of cloth"), ("a worker", "checks", "check", "parts"), ("a tap", "loses", "lose", "drops"),
    ("a candle", "loses", "lose", "millimeters of its height"), ("a tractor", "plows", "plow", "acres"), ("a cow", "gives", "give", "liters of milk"),
)  # fmt: skip


def rates(scene: Scene) -> None:
    """Compose a rate.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    scene.rng.choice((_daily, _daily, _wages, _machine, _supply))(scene)


def _daily(scene: Scene) -> None:
    """Somebody does so much on several days: stated, compared or the same each day."""
    agent, past = scene.person(), scene.tense == "past"
    present, did, base, things = scene.rng.choice(_DAILY)
    does = did if past else present
    auxiliary = "did" if past else "does"
    days = sorted(scene.rng.sample(v.DAYS, 3), key=v.DAYS.index)
    kind = scene.rng.random()
    if kind < 0.35:
        each, count = scene.number(2, 60), scene.number(2, 14)
        total = scene.world.times(each, count)
        unit = scene.rng.choice(("day", "day", "hour", "week", "morning", "evening"))
        rate = scene.fill("{does} {m} {things} [every|each|per|a] {unit}", does=does, m=n(each), things=things, unit=unit)
        if unit in ("morning", "evening"):
            rate = rate.replace(" per ", " every ").replace(f" a {unit}", f" each {unit}")
        unknown = scene.rng.random()
        if unknown < 0.45:
            scene.say(agent, rate)
            scene.put(
                Question(
                    f"how many {things} {auxiliary} @ {base} in {n(count)} {unit}s",
                    f"how many {things} @ {does} in {n(count)} {unit}s",
                    agent,
                ),
                total,
            )
        elif unknown < 0.75:
            scene.say(agent, rate)
            if things == "pages" and base == "read":
                scene.tell("[the|{his}] book has {t} pages", t=n(total), his=agent.his)
                scene.put(
                    Question(
                        f"how many {unit}s {auxiliary} @ need for the book",
                        f"how many {unit}s @ {'needed' if past else 'needs'} for the book",
                        agent,
                    ),
                    count,
                )
            else:
                scene.put(
                    Question(
                        f"how many {unit}s {auxiliary} it take @ to {base} {n(total)} {things}".replace("@", agent.name),
                        f"how many {unit}s it {'took' if past else 'takes'} {agent.name} to {base} {n(total)} {things}",
                    ),
                    count,
                )
        else:
            scene.say(agent, f"{does} {n(total)} {things} in {n(count)} {unit}s, the same number every {unit}")
            scene.put(
                Question(
                    f"how many {things} {auxiliary} @ {base} {scene.fill('[per|each|every]')} {unit}",
                    f"how many {things} @ {does} each {unit}",
                    agent,
                ),
                each,
            )
        return
    first = scene.number()
    if kind < 0.6:
        # The second day is compared with the first.
        more = scene.chance(0.5)
        by = scene.number() if more else scene.below(first)
        second = scene.world.plus(first, by) if more else scene.world.minus(first, by)
        word = "more" if more else scene.fill("[fewer|less]")
        scene.say(agent, f"{does} {n(first)} {things} on {days[0]}")
        scene.say(
            agent,
            f"{does} {n(by)} {word} {things if scene.chance(0.5) else ''} on {days[1]} than on {days[0]}".replace("  ", " "),
        )
        if scene.chance(0.4):
            scene.put(
                Question(
                    f"how many {things} {auxiliary} @ {base} on {days[1]}", f"how many {things} @ {does} on {days[1]}", agent
                ),
                second,
            )
            return
        scene.put(
            Question(
                f"how many {things} {auxiliary} @ {base} {scene.fill('[in all|altogether|on the two days]')}",
                f"how many {things} @ {does} on the two days",
                agent,
            ),
            scene.world.plus(first, second),
        )
        return
    amounts = [first, *(scene.number() for _ in range(scene.rng.choice((1, 2))))]
    said = [f"{n(q)}{f' {things}' if i == 0 else ''} on {day}" for i, (q, day) in enumerate(zip(amounts, days, strict=False))]
    scene.say(agent, f"{does} {', '.join(said[:-1])} and {said[-1]}")
    total = amounts[0]
    for quantity in amounts[1:]:
        total = scene.world.plus(total, quantity)
    if kind < 0.78:
        goal_gap = scene.number()
        goal = scene.world.plus(total, goal_gap)
        scene.say(
            agent, f"{'wanted' if past else 'wants'} to {base} {n(goal)} {things} {scene.fill('[in all|in the week|]')}".strip()
        )
        scene.put(
            Question(
                f"how many more {things} {auxiliary} @ have to {base}",
                f"how many more {things} @ {'had' if past else 'has'} to {base}",
                agent,
            ),
            goal_gap,
        )
    elif kind < 0.9 or len(amounts) == 2:
        scene.put(
            Question(
                f"how many {things} {auxiliary} @ {base} {scene.fill('[in all|altogether|in total]')}",
                f"how many {things} @ {does} in all",
                agent,
            ),
            total,
        )
    else:
        high, low = sorted(amounts, key=scene.value)[::-2]
        if scene.value(high) == scene.value(low):
            raise ValueError("There is no difference.")
        day = dict(zip(amounts, days, strict=False))
        scene.put(
            Question(
                f"how many more {things} {auxiliary} @ {base} on {day[high]} than on {day[low]}",
                f"how many more {things} @ {does} on {day[high]} than on {day[low]}",
                agent,
            ),
            scene.world.minus(high, low),
        )


def _wages(scene: Scene) -> None:
    agent = scene.person()
    hourly, hours = scene.number(5, 40), scene.number(2, 12)
    job = scene.fill(
        "[babysitting|mowing lawns|at a shop|as a waiter|walking dogs|in a library|tutoring|at a gas station|washing cars|delivering food]"
    )
    unit = scene.rng.choice(("hour", "hour", "hour", "day"))
    an = "an" if unit == "hour" else "a"
    kind = scene.rng.random()
    if kind < 0.3:
        total = scene.world.times(hourly, hours)
        scene.say(agent, scene.fill(f"earned ${{t}} {job} for {{h}} {unit}s", t=n(total), h=n(hours)))
        scene.put(
            Question(f"how much did @ earn {scene.fill('[per|each]')} {unit}", f"how much @ earned per {unit}", agent), hourly
        )
        return
    scene.say(agent, scene.fill(f"earns ${{p}} [{an}|per|each] {unit} {job}", p=n(hourly)))
    if kind < 0.6:
        days = sorted(scene.rng.sample(v.DAYS, 2), key=v.DAYS.index)
        second = scene.number(2, 12)
        scene.say(
            agent,
            f"worked {n(hours)} {unit}s {f'on {days[0]}' if unit == 'hour' else 'last week'} and {n(second)} {unit}s {f'on {days[1]}' if unit == 'hour' else 'this week'}",
        )
        income = scene.world.times(scene.world.plus(hours, second), hourly)
    else:
        scene.say(agent, scene.fill("[worked|has worked] {h} {unit}s [this week|last month|so far|]", h=n(hours), unit=unit))
        income = scene.world.times(hourly, hours)
    extra = scene.rng.random()
    if extra < 0.4:
        scene.put(
            Question(f"how much {scene.fill('[money|]')} did @ earn".replace("  ", " "), "how much @ earned", agent), income
        )
    elif extra < 0.7:
        spent = scene.below(income)
        scene.say(
            agent, scene.fill("[spent ${s} on a {item}|paid ${s} for a ticket|gave ${s} to {other}]", s=n(spent)), event=True
        )
        scene.put(
            Question("how much of the money does @ have left", "how much of the money @ has left", agent),
            scene.world.minus(income, spent),
        )
    else:
        tips = scene.number(2, 60)
        scene.say(agent, scene.fill("also [got|received] ${t} in tips", t=n(tips)))
        scene.put(Question("how much did @ make in all", "how much @ made in all", agent), scene.world.plus(income, tips))


def _machine(scene: Scene) -> None:
    subject, does, base, things = scene.rng.choice(_MACHINES)
    rate, time = scene.number(2, 90), scene.number(2, 12)
    total = scene.world.times(rate, time)
    unit = scene.rng.choice(("minute", "hour", "day"))
    it = subject.replace("a ", "the ", 1)
    kind = scene.rng.random()
    if kind < 0.35:
        scene.tell(f"{subject} {does} {n(rate)} {things} [per|every|each] {unit}")
        scene.put(
            Question(
                f"how many {things} does {it} {base} in {n(time)} {unit}s",
                f"how many {things} {it} {does} in {n(time)} {unit}s",
            ),
            total,
        )
    elif kind < 0.55:
        scene.tell(f"{subject} {does} {n(rate)} {things} [per|every|each] {unit}")
        scene.put(
            Question(
                f"how many {unit}s does {it} take to {base} {n(total)} {things}",
                f"how many {unit}s {it} takes to {base} {n(total)} {things}",
            ),
            time,
        )
    elif kind < 0.8:
        other = scene.number(2, 12)
        scene.tell(f"in {n(time)} {unit}s {subject} {does} {n(total)} {things}")
        scene.put(
            Question(
                f"how many {things} does {it} {base} in {n(other)} {unit}s",
                f"how many {things} {it} {does} in {n(other)} {unit}s",
            ),
            scene.world.times(rate, other),
        )
    else:
        count = scene.number(2, 9)
        plural = subject.split(" ", 1)[1] + "s" if not subject.endswith("y") else subject.split(" ", 1)[1][:-1] + "ies"
        scene.tell(f"{subject} {does} {n(rate)} {things} [per|every|each] {unit}")
        scene.put(
            Question(
                f"how many {things} do {n(count)} such {plural} {base} {scene.fill('[per|each]')} {unit}",
                f"how many {things} {n(count)} such {plural} {base} per {unit}",
            ),
            scene.world.times(rate, count),
        )


def _supply(scene: Scene) -> None:
    """A supply that is used up: how long it lasts, how much is left, or how much is used each day."""
    agent = scene.person()
    stock = scene.fill(
        "[pounds of dog food|tea bags|liters of water|sheets of paper|vitamin pills|eggs|cans of soup|logs of wood|kilograms of rice|bales of hay|diapers|rolls of film]"
    )
    daily, days = scene.number(2, 25), scene.number(2, 20)
    used = scene.world.times(daily, days)
    unit = scene.rng.choice(("day", "week"))
    if scene.chance(0.5):
        scene.say(agent, f"has {n(used)} {stock}")
        scene.say(
            agent,
            scene.fill(
                f"[uses|needs] {{d}} {stock if scene.chance(0.3) else 'of them' if ' of ' not in stock else stock} [every|each|a] {unit}",
                d=n(daily),
            ),
        )
        scene.put(
            Question(
                scene.fill(
                    f"[how many {unit}s will they last|for how many {unit}s will they last|after how many {unit}s are they used up]"
                ),
                f"how many {unit}s they will last",
            ),
            days,
        )
        return
    rest = scene.number(2, 60)
    whole = scene.world.plus(used, rest)
    scene.say(agent, f"has {n(whole)} {stock}")
    scene.say(agent, scene.fill(f"[uses|needs] {{d}} {stock} [every|each|a] {unit}", d=n(daily)))
    scene.put(
        Question(f"how many {stock} are left after {n(days)} {unit}s", f"how many {stock} are left after {n(days)} {unit}s"),
        rest,
    )
