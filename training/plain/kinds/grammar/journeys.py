"""Ways and times: speeds, ways in several legs, and minutes that add up."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n

_TRAVELERS = ("a car", "a train", "a bus", "a truck", "a cyclist", "a ship", "a plane", "a motorcycle")


def journeys(scene: Scene) -> None:
    """Compose a way or a time.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    scene.rng.choice((_travel, _legs, _durations))(scene)


def _travel(scene: Scene) -> None:
    subject = scene.rng.choice(_TRAVELERS)
    it, km = subject.replace("a ", "the ", 1), scene.rng.choice(("km", "kilometers", "miles"))
    speed, hours = scene.number(10, 120), scene.number(2, 9)
    way = scene.world.times(speed, hours)
    kind = scene.rng.random()
    if kind < 0.4:
        scene.tell(
            f"{subject} [travels|goes|moves] at {n(speed)} {km} per hour"
            if scene.chance(0.6)
            else f"{subject} goes {n(speed)} {km} [an|every|each] hour"
        )
        scene.put(
            Question(
                scene.fill(f"[how far does {it} get in {n(hours)} hours|how many {km} does {it} go in {n(hours)} hours]"),
                f"how many {km} {it} goes in {n(hours)} hours",
            ),
            way,
        )
    elif kind < 0.7:
        scene.tell(f"{subject} [travels|goes|covers] {n(way)} {km} in {n(hours)} hours at a constant speed")
        scene.put(
            Question(f"how many {km} does {it} go {scene.fill('[per|each|in one]')} hour", f"how many {km} {it} goes per hour"),
            speed,
        )
    else:
        scene.tell(f"{subject} travels at {n(speed)} {km} per hour")
        scene.put(
            Question(f"how many hours does {it} need for {n(way)} {km}", f"how many hours {it} needs for {n(way)} {km}"), hours
        )


def _legs(scene: Scene) -> None:
    """A way in several legs, there and back, or what remains of it."""
    agent, km = scene.person(), scene.rng.choice(("km", "miles", "kilometers", "meters"))
    past = scene.tense == "past"
    goes = scene.rng.choice(
        (
            ("drove", "drives", "drive"),
            ("walked", "walks", "walk"),
            ("cycled", "cycles", "cycle"),
            ("ran", "runs", "run"),
            ("hiked", "hikes", "hike"),
        )
    )
    verb = goes[0] if past else goes[1]
    far = (2, 400) if goes[2] == "drive" else (200, 5000) if km == "meters" else (2, 30)
    legs = [scene.number(*far) for _ in range(scene.rng.choice((2, 2, 3)))]
    total = legs[0]
    for leg in legs[1:]:
        total = scene.world.plus(total, leg)
    do = "did" if past else "does"
    if scene.chance(0.5):
        places = scene.rng.sample(v.PLACES, len(legs))
        said = [f"{n(leg)} {km} to the {place}" for leg, place in zip(legs, places, strict=True)]
        joined = f"{said[0]} and then {said[1]}" if len(said) == 2 else f"{said[0]}, then {said[1]} and finally {said[2]}"
        scene.say(agent, f"{verb} {joined}")
        scene.put(
            Question(
                f"how many {km} {do} @ {goes[2]} {scene.fill('[in all|altogether|in total]')}",
                f"how many {km} @ {verb} in all",
                agent,
            ),
            total,
        )
        return
    rest = scene.number(*far)
    way = scene.world.plus(total, rest)
    scene.tell("[the way to {other}'s house is {t} {km} long|a trail is {t} {km} long]", t=n(way), km=km)
    said = [
        f"{n(leg)} {km} {part}"
        for leg, part in zip(legs, ("in the morning", "in the afternoon", "in the evening"), strict=False)
    ]
    scene.say(agent, f"{verb} {', '.join(said[:-1])} and {said[-1]}")
    scene.put(
        Question(
            f"how many {km} of the way {'were' if past else 'are'} left",
            f"how many {km} of the way {'were' if past else 'are'} left",
        ),
        rest,
    )


def _durations(scene: Scene) -> None:
    """Minutes that add up, differ or are what remains of a time."""
    agent, past = scene.person(), scene.tense == "past"
    tasks = scene.rng.sample(
        (
            ("practiced the piano", "practices the piano"), ("did homework", "does homework"), ("read a book", "reads a book"), ("cleaned the kitchen", "cleans the kitchen"),
            ("walked the dog", "walks the dog"), ("worked in the garden", "works in the garden"), ("watched a film", "watches a film"), ("talked on the phone", "talks on the phone"),
            ("cooked dinner", "cooks dinner"), ("played chess", "plays chess"), ("went jogging", "goes jogging"), ("drew a picture", "draws a picture"),
        ),
        3,
    )  # fmt: skip
    times = [scene.number(5, 90) for _ in tasks[: scene.rng.choice((2, 2, 3))]]
    said = [f"{task[0 if past else 1]} for {n(time)} minutes" for task, time in zip(tasks, times, strict=False)]
    scene.say(agent, f"{', '.join(said[:-1])} and {said[-1]}")
    total = times[0]
    for time in times[1:]:
        total = scene.world.plus(total, time)
    kind = scene.rng.random()
    if kind < 0.6:
        asked = scene.fill(
            "[how many minutes {is} that in all|how many minutes {is} that altogether|how many minutes {is} that together]",
            **{"is": "is"},
        )
        scene.put(Question(asked, asked.replace("is that", "that is")), total)
        return
    free = scene.number(5, 120)
    whole = scene.world.plus(total, free)
    scene.say(agent, f"{'had' if past else 'has'} {n(whole)} minutes {scene.fill('[in all|for everything|for all of it]')}")
    left = "did @ have left" if past else "does @ have left"
    scene.put(Question(f"how many minutes {left}", f"how many minutes @ {'had' if past else 'has'} left", agent), free)
