"""Several people who each get the same, equal shares, two kinds of groups, and how many times as many."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.groups import packed, sizes
from epf.training.plain.kinds.grammar.scene import Scene, n


def sharing(scene: Scene) -> None:
    """Compose shares.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    scene.rng.choice((_each_person, _each_person, _sharing, _sharing, _two_products, _ratio))(scene)


def _each_person(scene: Scene) -> None:
    """Several people who each do the same; something may be taken from it."""
    kind = scene.rng.choice(("toy", "fruit", "baked", "sweet", "craft", "plant", "book", "school", "collectable"))
    thing, people = scene.rng.choice(v.CLASSES[kind]), scene.rng.choice(v.CROWDS).many
    count, size, total = sizes(scene)
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
    one, box = packed(scene)
    other, box2 = packed(scene)
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


def _pair(scene: Scene) -> tuple[int, int]:
    return scene.number(2, 12), scene.number(2, 25)


def _ratio(scene: Scene) -> None:
    """Two people, of whom one has several times as many as the other; ask how many times."""
    thing, _ = packed(scene)
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
