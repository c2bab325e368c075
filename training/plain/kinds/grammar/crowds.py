"""People who come and go: on a bus, at a party, in a club. The unknown is the end, the start or one of the changes."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n

_ON_BOARD = (
    "on the bus", "on the train", "on a ferry", "on the plane", "in the tram", "on the subway car", "on a sightseeing boat",
    "in the cable car",
)  # fmt: skip
_PEOPLE_ON = ("passengers", "people", "tourists", "travelers", "commuters")
_ON = ("got on", "boarded", "stepped on", "got on at the next stop")
_OFF = ("got off", "got off at the first stop", "left", "stepped off")
_IN = ("came in", "arrived", "joined them", "showed up", "came later", "entered", "walked in")
_OUT = ("left", "went home", "walked out", "had to leave", "went away", "left early")
_NOW_OF = {
    "got on": "get on", "boarded": "board", "stepped on": "step on", "got off": "get off", "left": "leave", "stepped off": "step off",
    "came": "come", "arrived": "arrive", "joined": "join", "showed": "show", "entered": "enter", "walked": "walk", "went": "go", "had": "have",
}  # fmt: skip


def _present(past: str) -> str:
    known = next(key for key in sorted(_NOW_OF, key=len, reverse=True) if past.startswith(key))
    return _NOW_OF[known] + past[len(known) :]


def crowds(scene: Scene) -> None:
    """Compose comings and goings.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    if scene.chance(0.5):
        where, people = scene.rng.choice(_ON_BOARD), scene.rng.choice(_PEOPLE_ON)
        comes: tuple[str, ...] = _ON
        goes: tuple[str, ...] = _OFF
    else:
        where, people = (
            scene.fill(
                "[at the {place}|in the {room}|at a party|at the meeting|in a waiting room|in the cinema|at the concert|in a club|in a choir]"
            ),
            scene.rng.choice(v.CROWDS).many,
        )
        comes, goes = _IN, _OUT
    were = "were" if scene.tense == "past" else "are"
    tense = (lambda verb: verb) if scene.tense == "past" else _present
    if scene.scale[1] > 1000:
        scene.scale = (10, 99)
    held = start = scene.number()
    unknown = scene.rng.choices(("end", "start", "change", "moved"), (0.5, 0.16, 0.22, 0.12))[0]
    if unknown == "start":
        scene.tell("there {were} [some|a number of] {people} {where}", were=were, people=people, where=where)
    else:
        scene.tell(
            "[there {were} {a} {people} {where}|{a} {people} {were} {where}]", were=were, a=n(start), people=people, where=where
        )
    count = scene.rng.choices((1, 2, 3, 4), (0.3, 0.4, 0.2, 0.1))[0]
    moved: dict[bool, list[int]] = {True: [], False: []}
    last_verb = ""
    for i in range(count):
        gains = scene.chance(0.5)
        quantity = scene.number() if gains else scene.below(held)
        verb = tense(scene.rng.choice([verb for verb in (comes if gains else goes) if i or "next" not in verb]))
        last_verb = verb
        hidden = unknown == "change" and i == count - 1
        more = scene.fill(
            "[more {people}|more|others]" if gains else "[of them|of the {people}|people|{people}]", people=people
        )
        more = more.replace("people", people)
        subject = f"some {more}" if hidden else f"{n(quantity)} {more}"
        if hidden and more == "others":
            subject = f"some more {people}"
        scene.say(None, f"{subject} {verb}", event=True)
        held = scene.world.plus(held, quantity) if gains else scene.minus(held, quantity)
        moved[gains].append(quantity)
        last = quantity
    left = "left " if held in scene.lessened else ""
    if unknown == "end":
        are = scene.rng.choice((were, "are"))
        what = scene.rng.choice((f"how many {people}", f"how many {people}", "how many people"))
        if left and scene.chance(0.4):
            asked = scene.fill("{what} {are} left", what=what, are=are)
            scene.put(Question(asked, asked), held)
        else:
            tail = scene.fill("[now|in the end]" if are == "are" else "[in the end|then|after that]")
            place = scene.fill("[{where}|]", where=where.replace(" a ", " the "))
            scene.put(
                Question(
                    f"{what} {are} {place or 'there'} {tail}",
                    f"{what} {'there ' if not place else ''}{are} {place} {tail}".replace("  ", " "),
                ),
                held,
            )
    elif unknown == "moved":
        gains = bool(moved[True]) and (not moved[False] or scene.chance(0.5))
        together = moved[gains]
        if len(together) < 2:
            raise ValueError("One group alone stands in the text.")
        total = together[0]
        for quantity in together[1:]:
            total = scene.world.plus(total, quantity)
        verb = tense("got on" if gains else "got off") if comes is _ON else tense("came" if gains else "left")
        asked = f"how many {people} {verb} {scene.fill('[in all|altogether|in total]')}"
        scene.put(Question(asked, asked), total)
    else:
        scene.tell_end(held, people, were, where.replace(" a ", " the "))
        if unknown == "start":
            asked = f"how many {people} were there"
            tail = scene.fill("[at first|at the beginning|to begin with|before]")
            scene.put(Question(f"{asked} {tail}", f"how many {people} there were {tail}"), start)
        else:
            scene.put(Question(f"how many {people} {last_verb}", f"how many {people} {last_verb}"), last)
