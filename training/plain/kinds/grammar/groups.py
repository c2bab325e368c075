"""Equal groups, rows and shares: how many in all, in each, or how many groups, with something before or after it."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import Thing

_SEATS = (
    ("a theater", "rows", "row", "seats"), ("a parking lot", "rows", "row", "parking spaces"), ("the orchard", "rows", "row", "trees"),
    ("a classroom", "rows", "row", "desks"), ("a hotel", "floors", "floor", "rooms"), ("the library", "shelves", "shelf", "books"),
    ("a building", "floors", "floor", "windows"), ("a field", "rows", "row", "plants"), ("an album", "pages", "page", "photos"),
    ("a school", "classes", "class", "students"), ("a train", "cars", "car", "seats"), ("a league", "teams", "team", "players"),
    ("a garden", "beds", "bed", "tulips"), ("a hall", "tables", "table", "chairs"), ("a marching band", "rows", "row", "musicians"),
    ("a factory", "machines", "machine", "workers"), ("a zoo", "cages", "cage", "birds"), ("a book", "chapters", "chapter", "pages"),
    ("a wall", "rows", "row", "tiles"), ("an egg farm", "barns", "barn", "hens"), ("a chess club", "groups", "group", "members"),
)  # fmt: skip
_KINDS = (
    "toy",
    "collectable",
    "school",
    "fruit",
    "vegetable",
    "baked",
    "sweet",
    "craft",
    "book",
    "clothes",
    "house",
    "tool",
    "hardware",
    "plant",
    "meal",
)


def groups(scene: Scene) -> None:
    """Compose equal groups.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    scene.rng.choice(
        (_array, _array, _array, _boxes, _boxes, _boxes, _each_person, _each_person, _sharing, _sharing, _two_products, _ratio)
    )(scene)


def _sizes(scene: Scene) -> tuple[int, int, int]:
    """Draw a number of groups, their size, and the number in all."""
    count = scene.number(2, 12 if scene.chance(0.6) else 40)
    size = scene.number(2, 12 if scene.chance(0.5) else 60)
    return count, size, scene.world.times(count, size)


def _array(scene: Scene) -> None:
    where, rows, row, things = scene.rng.choice(_SEATS)
    count, size, total = _sizes(scene)
    unknown = scene.rng.choices(("total", "size", "count"), (0.5, 0.25, 0.25))[0]
    were = "were" if scene.tense == "past" else "are"
    slots = {
        "where": where,
        "rows": rows,
        "row": row,
        "things": things,
        "k": n(count),
        "m": n(size),
        "t": n(total),
        "has": "had" if scene.tense == "past" else "has",
    }
    on = {"floor": "on", "shelf": "on", "page": "on", "table": "at", "machine": "at"}.get(row, "in")
    slots |= {"on": on}
    if unknown == "total":
        scene.tell(
            "[{where} {has} {k} {rows} [with|of] {m} {things} each|{where} {has} {k} {rows}, and [each {row}|every {row}] {has} {m} {things}|there {were} {m} {things} {on} each of the {k} {rows} of {where}]",
            were=were,
            **slots,
        )
        _then(scene, things, total, were, slots)
        return
    if unknown == "size":
        scene.tell(
            "[{where} {has} {t} {things} {on} {k} {rows}, with the same number {on} each {row}|the {t} {things} of {where} {were} {on} {k} {rows}, with the same number {on} each]",
            were=were,
            **slots,
        )
        asked = scene.fill("how many {things} {were} {on} [each {row}|one {row}]", were=were, **slots)
        if scene.chance(0.25):
            other = scene.number(2, 12)
            scene.put(
                Question(
                    f"how many {things} {were} {on} {n(other)} such {rows}",
                    f"how many {things} {were} {on} {n(other)} such {rows}",
                ),
                scene.world.times(size, other),
            )
            return
        scene.put(Question(asked, asked), size)
        return
    scene.tell(
        "[{where} {has} {t} {things} {on} {rows} with {m} each|{where} {has} {t} {things}, {m} {on} each {row}|there {were} {m} {things} {on} [each|every] {row} of {where} and {t} {things} in all]",
        were=were,
        **slots,
    )
    scene.put(Question(f"how many {rows} {were} there", f"how many {rows} there {were}"), count)


def _then(scene: Scene, things: str, total: int, were: str, slots: dict[str, str]) -> None:
    """Ask for all, or for what is left without some, or with some more."""
    kind = scene.rng.random()
    if kind < 0.4:
        tail = scene.fill("[in all|altogether|in total|]")
        scene.put(
            Question(f"how many {things} {were} there {tail}".strip(), f"how many {things} there {were} {tail}".strip()), total
        )
    elif kind < 0.7:
        fewer = scene.below(total)
        state = {
            "seats": "taken",
            "rooms": "occupied",
            "parking spaces": "taken",
            "books": "checked out",
            "pages": "torn",
            "students": "absent",
            "players": "injured",
            "chairs": "broken",
            "windows": "dirty",
            "photos": "in color",
            "hens": "white",
            "birds": "parrots",
        }.get(things, scene.fill("[new|old]"))
        scene.tell("{f} of the {things} {were} {state}", f=n(fewer), things=things, were=were, state=state)
        asked = f"how many {things} {were} not {state}"
        scene.put(Question(asked, asked), scene.world.minus(total, fewer))
    else:
        more = scene.number(2, 60)
        scene.tell("[another {m} {things} are added|{m} more {things} are added]", m=n(more), things=things)
        scene.put(
            Question(f"how many {things} are there then", f"how many {things} there are then"), scene.world.plus(total, more)
        )


def _thing(scene: Scene) -> tuple[Thing, Thing]:
    kind = scene.rng.choice(_KINDS)
    return scene.rng.choice(v.CLASSES[kind]), scene.container(kind)


def _boxes(scene: Scene) -> None:
    thing, box = _thing(scene)
    agent = scene.person()
    count, size, total = _sizes(scene)
    past = scene.tense == "past"
    slots = {"k": n(count), "m": n(size), "t": n(total), "box": box.one, "boxes": box.many, "things": thing.many}
    holds = scene.fill("[each|every|one] {box} [holds|can hold|has space for] {m} {things}", **slots)
    unknown = scene.rng.choice(("count", "count", "size", "total"))
    if unknown == "count":
        if scene.chance(0.5):
            scene.tell(holds)
            scene.say(agent, scene.fill("[has|wants to pack|needs to pack] {t} {things}", **slots))
        else:
            scene.say(
                agent,
                scene.fill(
                    "{packs} {t} {things} into {boxes} [of {m}|of {m} each|with {m} in each]",
                    packs="packed" if past else "packs",
                    **slots,
                ),
            )
            past_do = ("did", "used") if past else ("does", "uses")
            scene.put(Question(f"how many {box.many} {past_do[0]} @ use", f"how many {box.many} @ {past_do[1]}", agent), count)
            return
        scene.put(Question(f"how many {box.many} does @ need", f"how many {box.many} @ needs", agent), count)
    elif unknown == "size":
        scene.say(
            agent,
            scene.fill(
                "{puts} {t} {things} into {k} {boxes}, [the same number in each|with the same number in each {box}|equally]",
                puts="put" if past else "puts",
                **slots,
            ),
        )
        asked = scene.fill("how many {things} {are} in each {box}", are="were" if past else "are", **slots)
        scene.put(Question(asked, asked), size)
    else:
        scene.tell(holds.replace("can hold", "holds").replace("has space for", "contains"))
        extra = scene.number(2, 20)
        if scene.chance(0.5):
            scene.say(agent, scene.fill("[buys|has|gets] {k} {boxes} and {e} single {things}", e=n(extra), **slots))
            total = scene.world.plus(total, extra)
        else:
            scene.say(agent, scene.fill("[buys|has|gets] {k} {boxes}", **slots))
        tail = scene.fill("[in all|altogether|]")
        scene.put(
            Question(f"how many {thing.many} does @ have {tail}".strip(), f"how many {thing.many} @ has {tail}".strip(), agent),
            total,
        )


def _each_person(scene: Scene) -> None:
    """Several people who each do the same; something may be taken from it."""
    kind = scene.rng.choice(("toy", "fruit", "baked", "sweet", "craft", "plant", "book", "school", "collectable"))
    thing, people = scene.rng.choice(v.CLASSES[kind]), scene.rng.choice(v.CROWDS).many
    count, size, total = _sizes(scene)
    verb = scene.rng.choice([verb for verb in v.VERBS["gain", "p", kind] if not verb.base.startswith(("be ", "inherit"))])
    past = scene.tense == "past"
    does = verb.past if past else verb.base
    form = scene.rng.choice(
        (
            "{k} {people} {each}{does} {m} {things}",
            "each of {k} {people} {did} {m} {things}",
            "{k} {people} {does} {m} {things} each",
        )
    )
    scene.tell(
        form, k=n(count), people=people, each="each ", does=does, did=does if past else verb.third, m=n(size), things=thing.many
    )
    if scene.chance(0.45):
        fewer = scene.below(total)
        lost = scene.rng.choice([verb for verb in v.VERBS["loss", "p", kind] if "{his}" not in " ".join(verb.tails)])
        scene.say(Agent("they", "they", "they"), f"{lost.past if past else lost.base} {n(fewer)} of them")
        total = scene.world.minus(total, fewer)
        scene.put(Question(f"how many {thing.many} are left", f"how many {thing.many} are left"), total)
        return
    do = "did" if past else "do"
    tail = scene.fill("[in all|altogether|in total|together]")
    scene.put(
        Question(f"how many {thing.many} {do} they {verb.base} {tail}", f"how many {thing.many} they {does} {tail}"), total
    )


def _sharing(scene: Scene) -> None:
    """Share equally, after some are taken away or put to them; or find what remains of a division."""
    kind = scene.rng.choice(("toy", "fruit", "baked", "sweet", "school", "collectable", "craft"))
    thing, agent = scene.rng.choice(v.CLASSES[kind]), scene.person()
    who = scene.rng.choice(
        ("friends", "children", "classmates", "neighbors", "guests", "players", "teams", "families", "cousins")
    )
    past = scene.tense == "past"
    if scene.chance(0.3):
        count, size = scene.number(2, 12), scene.number(2, 30)
        rest = scene.world.quantity(scene.rng.randint(1, max(1, int(scene.value(count)) - 1)))
        given = scene.world.times(count, size)
        total = scene.world.plus(given, rest)
        scene.say(
            agent,
            scene.fill(
                "{has} {t} {things} and {gives} each of {k} {who} {m} {things}",
                has="had" if past else "has",
                gives="gave" if past else "gives",
                t=n(total),
                things=thing.many,
                k=n(count),
                who=who,
                m=n(size),
            ),
        )
        scene.put(
            Question(
                f"how many {thing.many} {'were' if past else 'are'} left",
                f"how many {thing.many} {'were' if past else 'are'} left",
            ),
            rest,
        )
        return
    count, size = scene.number(2, 12), scene.number(2, 12 if scene.chance(0.6) else 40)
    shared = scene.world.quantity(scene.value(count) * scene.value(size))
    each = scene.world.over(shared, count)
    slots = {"things": thing.many, "k": n(count), "who": who, "has": "had" if past else "has", "his": agent.his}
    shares = scene.fill(
        "[shared|divided|split] the [rest|others] equally among {k} {who}"
        if past
        else "[shares|divides|splits] the [rest|others] equally among {k} {who}",
        **slots,
    )
    kind_of = scene.rng.random()
    if kind_of < 0.35:
        scene.say(agent, scene.fill("{has} {t} {things}", t=n(shared), **slots))
        scene.say(agent, shares.replace("the rest", "them").replace("the others", "them"), event=True)
    elif kind_of < 0.75:
        kept = scene.number(2, 20)
        # The whole is stated, so what is shared follows from it.
        whole = scene.world.plus(shared, kept)
        scene.say(agent, scene.fill("{has} {t} {things}", t=n(whole), **slots))
        keeps = "[kept {k} for {his}self|ate {k}|kept {k}]" if past else "[keeps {k}|sets {k} aside]"
        scene.say(agent, scene.fill(keeps.replace("{his}self", agent.him + "self"), k=n(kept)), event=True)
        scene.say(agent, shares, event=True)
    else:
        part = scene.below(shared)
        rest = scene.world.minus(shared, part)
        days = scene.rng.sample(v.DAYS, 2)
        scene.say(
            agent,
            scene.fill(
                "{got} {a} {things} on {one} and {b} on {two}",
                got="got" if past else "gets",
                a=n(part),
                b=n(rest),
                one=days[0],
                two=days[1],
                things=thing.many,
            ),
        )
        scene.say(agent, shares.replace("the rest", "all of them").replace("the others", "all of them"), event=True)
    asked = ("did each of them get", "each of them got") if past else ("does each of them get", "each of them gets")
    scene.put(Question(f"how many {thing.many} {asked[0]}", f"how many {thing.many} {asked[1]}"), each)


def _two_products(scene: Scene) -> None:
    """Two kinds of groups: what they make together or which difference."""
    agent = scene.person()
    one, box = _thing(scene)
    other, box2 = _thing(scene)
    if one.many == other.many:
        raise ValueError("The two kinds are the same.")
    a, b = _pair(scene), _pair(scene)
    first, second = scene.world.times(*a), scene.world.times(*b)
    does = scene.rng.choice(("bought", "has", "packed", "ordered", "has", "prepared"))
    scene.say(agent, f"{does} {n(a[0])} {box.many} of {n(a[1])} {one.many} and {n(b[0])} {box2.many} of {n(b[1])} {other.many}")
    do = (
        ("does", "have", "has")
        if does == "has"
        else ("did", {"bought": "buy", "packed": "pack", "ordered": "order", "prepared": "prepare"}[does], does)
    )
    if scene.chance(0.5) or scene.value(first) == scene.value(second):
        what, target = f"how many {one.many} and {other.many}", scene.world.plus(first, second)
        tail = scene.fill("[in all|altogether|in total]")
    else:
        if scene.value(first) < scene.value(second):
            first, second, one, other = second, first, other, one
        what, target, tail = f"how many more {one.many} than {other.many}", scene.world.minus(first, second), ""
    scene.put(Question(f"{what} {do[0]} @ {do[1]} {tail}".strip(), f"{what} @ {do[2]} {tail}".strip(), agent), target)


def _ratio(scene: Scene) -> None:
    """Two people, of whom one has so many times as many as the other; ask how many times."""
    thing, _ = _thing(scene)
    small, factor = scene.number(2, 30), scene.number(2, 12)
    large = scene.world.times(small, factor)
    owners = [(scene.person(), small), (scene.person(), large)]
    one, other = owners[0][0], owners[1][0]
    scene.shared_pronouns = {one.pronoun} if one.pronoun == other.pronoun else set()
    scene.rng.shuffle(owners)
    has = scene.fill("[had|has]") if scene.tense == "past" else "has"
    for owner, quantity in owners:
        scene.say(owner, f"{has} {n(quantity)} {thing.many}")
    do, had = ("does", "has") if has == "has" else ("did", "had")
    what = f"how many times as many {thing.many}"
    scene.put(Question(f"{what} {do} @ have as {one.name}", f"{what} @ {had} as {one.name}", other), factor)


def _pair(scene: Scene) -> tuple[int, int]:
    return scene.number(2, 12), scene.number(2, 25)
