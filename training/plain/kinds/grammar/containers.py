"""Things in a place where some are put in and taken out, by somebody or in the passive."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n

_PLACES = (
    (("toy", "collectable", "school", "craft"), ("in the drawer", "in a box", "on the shelf", "in a suitcase", "on the table", "in a bag", "under the bed")),
    (("fruit", "vegetable", "baked", "meal"), ("in the fridge", "in a basket", "on the plate", "in the pantry", "on the counter", "in a bowl", "on a tray")),
    (("clothes", "book"), ("in the closet", "on the shelf", "in a suitcase", "in the wardrobe", "in a chest")),
    (("farm_animal", "pet"), ("in the barn", "in the shed", "in the yard", "in a pen", "on the meadow")),
    (("plant",), ("in the garden", "in the park", "on the balcony", "in the greenhouse", "along the path")),
    (("device", "tool", "hardware"), ("in the storeroom", "in the garage", "in the warehouse", "in the workshop")),
)  # fmt: skip
_IN = (("put in", "puts in", "put in"), ("added", "adds", "added"), ("brought", "brings", "brought"))
_OUT = (
    ("took out", "takes out", "taken out"),
    ("removed", "removes", "removed"),
    ("took away", "takes away", "taken away"),
    ("sold", "sells", "sold"),
)
_PLANT_IN, _PLANT_OUT = (
    (("planted", "plants", "planted"),),
    (("cut down", "cuts down", "cut down"), ("pulled out", "pulls out", "pulled out"), ("sold", "sells", "sold")),
)


def containers(scene: Scene) -> None:
    """Compose what is put into a place and taken out of it.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    kinds, places = scene.rng.choice(_PLACES)
    kind, where = scene.rng.choice(kinds), scene.rng.choice(places)
    thing, agent = scene.rng.choice(v.CLASSES[kind]), scene.person()
    past = scene.tense == "past"
    were, where_then = "were" if past else "are", where.replace(" a ", " the ")
    unknown = scene.rng.choices(("end", "start", "change"), (0.6, 0.18, 0.22))[0]
    held = start = scene.number()
    amount = "some" if unknown == "start" else n(start)
    scene.tell(
        "[there {were} {a} {things} {where}|{where} there {were} {a} {things}]",
        were=were,
        a=amount,
        things=thing.many,
        where=where,
    )
    count = scene.rng.choices((1, 2, 3), (0.4, 0.42, 0.18))[0]
    asked = Question("", "")
    for i in range(count):
        gains = scene.chance(0.5)
        quantity = scene.number() if gains else scene.below(held)
        did, does, done = scene.rng.choice(
            (_PLANT_IN if gains else _PLANT_OUT) if kind == "plant" else (_IN if gains else _OUT)
        )
        hidden = unknown == "change" and i == count - 1
        said = "some" if hidden else n(quantity)
        more = scene.fill(
            "[more {things}|more]"
            if gains and not hidden
            else "more {things}"
            if gains
            else "[of them|{things}|of the {things}]",
            things=thing.many,
        )
        if scene.chance(0.35):
            scene.say(None, f"{said} {more} {were} {done}", event=True)
            asked = Question(f"how many {thing.many} {were} {done}", f"how many {thing.many} {were} {done}")
        else:
            verb, _, particle = (did if past else does).partition(" ")
            text = (
                f"{verb} {particle} {said} {more}"
                if scene.chance(0.5) or not particle or len(more) > 4
                else f"{verb} {said} {more} {particle}"
            )
            scene.say(agent, text.replace("  ", " "), event=True)
            base = {
                "put": "put",
                "added": "add",
                "brought": "bring",
                "took": "take",
                "removed": "remove",
                "sold": "sell",
                "planted": "plant",
                "cut": "cut",
                "pulled": "pull",
            }
            do = f"{'did' if past else 'does'} @ {base[did.split()[0]]} {particle}".strip()
            asked = Question(f"how many {thing.many} {do}", f"how many {thing.many} @ {did if past else does}", agent)
        held = scene.world.plus(held, quantity) if gains else scene.minus(held, quantity)
        last = quantity
    if unknown == "end":
        are = scene.rng.choice((were, "are"))
        if held in scene.lessened and scene.chance(0.5):
            text = scene.fill("[how many {things} {are} left|how many {are} left]", things=thing.many, are=are)
            scene.put(Question(text, text), held)
            return
        tail = scene.fill("[now|in the end]" if are == "are" else "[in the end|then]")
        scene.put(
            Question(f"how many {thing.many} {are} {where_then} {tail}", f"how many {thing.many} {are} {where_then} {tail}"),
            held,
        )
        return
    scene.tell_end(held, thing.many, were, where_then)
    if unknown == "change":
        scene.put(asked, last)
    else:
        first = scene.fill("[at first|at the beginning|to begin with|before]")
        scene.put(
            Question(f"how many {thing.many} were {where_then} {first}", f"how many {thing.many} were {where_then} {first}"),
            start,
        )
