"""Wholes and their parts: a number in all, some of one kind and the rest of another."""

import re

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.owners import listed
from epf.training.plain.kinds.grammar.scene import Scene, n

_KINDS_OF_PEOPLE = (
    ("adults", "children"), ("boys", "girls"), ("men", "women"), ("teachers", "students"), ("beginners", "experts"),
    ("locals", "visitors"), ("runners", "swimmers", "cyclists"), ("singers", "dancers", "drummers"), ("doctors", "nurses", "patients"),
    ("painters", "writers"), ("members", "guests"), ("men", "women", "children"), ("babies", "toddlers", "school children"),
)  # fmt: skip


def parts(scene: Scene) -> None:
    """Compose a whole of two or three parts and ask for a part, the whole or a difference.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    crowd = scene.chance(0.4)
    if crowd:
        words = list(scene.rng.choice(_KINDS_OF_PEOPLE))
        scene.rng.shuffle(words)
        whole, where = "people", scene.fill("[at the {place}|in the {room}]")
    else:
        kind = scene.rng.choice(
            ("toy", "collectable", "fruit", "baked", "sweet", "clothes", "house", "craft", "school", "vegetable", "book")
        )
        groups = v.ATTRIBUTES_OF.get(kind, v.ANY_ATTRIBUTES)
        words = scene.rng.sample(v.ATTRIBUTES[scene.rng.choice(groups)], 2 if scene.chance(0.6) else 3)
        thing = scene.rng.choice([thing for thing in v.CLASSES[kind] if " of " not in thing.one])
        box = scene.container(kind)
        whole, where = thing.many, f"{'on' if box.one in ('tray', 'plate') else 'in'} the {box.one}"
    quantities = [scene.number() for _ in words]
    total = quantities[0]
    for quantity in quantities[1:]:
        total = scene.world.plus(total, quantity)
    names = words if crowd else [f"{word} {whole}" for word in words]
    are = "were" if scene.tense == "past" else "are"
    if scene.chance(0.55):
        _part_unknown(scene, words, names, quantities, total, (whole, where, are))
        return
    amounts = listed([f"{n(quantity)} {name}" for quantity, name in zip(quantities, names, strict=True)])
    scene.tell(
        scene.rng.choice(("there {are} {amounts} {where}", "{where} there {are} {amounts}", "there {are} {amounts} {where}")),
        are=are,
        amounts=amounts,
        where=where,
    )
    kind_of = scene.rng.random()
    if kind_of < 0.45:
        asked = f"how many {whole} {are} there"
        scene.put(
            Question(f"{asked} {scene.fill('[in all|altogether|in total]')}", f"how many {whole} there {are} in all"), total
        )
    elif kind_of < 0.75 or len(words) == 2:
        (low, one), (high, other), *_ = sorted((scene.value(q), i) for i, q in enumerate(quantities))
        if low == high:
            raise ValueError("There is no difference.")
        difference = scene.world.minus(quantities[other], quantities[one])
        more = scene.chance(0.65)
        what = f"how many more {names[other]} than {names[one]}" if more else f"how many fewer {names[one]} than {names[other]}"
        scene.put(Question(f"{what} {are} there", f"{what} there {are}"), difference)
    else:
        one, other = sorted(scene.rng.sample(range(len(words)), 2))
        both = scene.world.plus(quantities[one], quantities[other])
        what = f"how many {names[one]} and {names[other]}"
        scene.put(Question(f"{what} {are} there {scene.fill('[in all|together|]')}", f"{what} there {are}"), both)


def _part_unknown(
    scene: Scene, words: list[str], names: list[str], quantities: list[int], total: int, said: tuple[str, str, str]
) -> None:
    """State the whole and all parts but the last, and ask for that one."""
    whole, where, are = said
    known = listed(
        [
            f"{n(quantity)} {are if i == 0 else ''} {word}".replace("  ", " ")
            for i, (quantity, word) in enumerate(zip(quantities[:-1], words[:-1], strict=True))
        ]
    )
    last = words[-1]
    if scene.chance(0.5):
        scene.tell(
            "[there {are} {total} {whole} {where}|{where} there {are} {total} {whole}]",
            are=are,
            total=n(total),
            whole=whole,
            where=where,
        )
        scene.tell(known)
        if scene.chance(0.75):
            scene.tell("[the rest|the others|the remaining ones|all the others] {are} {last}", are=are, last=last)
    else:
        scene.tell(
            "of the {total} {whole} {where}, {known}[, and the rest {are} {last}|]",
            total=n(total),
            whole=whole,
            where=where,
            known=known,
            are=are,
            last=last,
        )
    if not re.search("rest|others|remaining", scene.clauses[-1].predicate):
        # The last kind has no name in the text.
        asked = f"how many {whole} {are} {'not' if len(words) == 2 else 'neither'} {' nor '.join(words[:-1])}"
        scene.put(Question(asked, asked), quantities[-1])
        return
    asked = f"how many {whole} {are} {last}" if scene.chance(0.5) else f"how many {names[-1]} {are} there"
    scene.put(Question(asked, asked.replace(f"{are} there", f"there {are}")), quantities[-1])
