"""Equal groups: rows, floors, boxes. How many in all, in each, or how many groups, with something after it."""

from epf.training.plain.kinds.grammar import vocabulary as v
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
    scene.rng.choice((_array, _boxes))(scene)


def sizes(scene: Scene) -> tuple[int, int, int]:
    """Draw a number of groups, their size, and the number in all."""
    count = scene.number(2, 12 if scene.chance(0.6) else 40)
    size = scene.number(2, 12 if scene.chance(0.5) else 60)
    return count, size, scene.world.times(count, size)


def _array(scene: Scene) -> None:
    where, rows, row, things = scene.rng.choice(_SEATS)
    count, size, total = sizes(scene)
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


def packed(scene: Scene) -> tuple[Thing, Thing]:
    """Draw things and what they are packed in."""
    kind = scene.rng.choice(_KINDS)
    return scene.rng.choice(v.CLASSES[kind]), scene.container(kind)


def _boxes(scene: Scene) -> None:
    thing, box = packed(scene)
    agent = scene.person()
    count, size, total = sizes(scene)
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
