"""What several people, or one person on several days, did: a table stated row by row, of which the question needs some cells."""

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import ask, finite
from epf.training.plain.kinds.grammar.owners import listed
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.vocabulary import Verb

_DOES = (
    (Verb("score", "scored", "scored", ()), ("goals", "points", "baskets", "three-pointers")),
    (Verb("do", "did", "done", ()), ("push-ups", "sit-ups", "squats", "jumping jacks", "pull-ups")),
    (Verb("read", "read", "read", ()), ("pages", "comics", "magazines", "poems", "short stories")),
    (Verb("sell", "sold", "sold", ()), ("tickets", "cookies", "raffle tickets", "hot dogs", "balloons", "newspapers")),
    (Verb("catch", "caught", "caught", ()), ("trout", "perch", "crabs", "salmon", "butterflies")),
    (Verb("plant", "planted", "planted", ()), ("trees", "bushes", "tulips", "carrots")),
    (Verb("run", "ran", "run", ()), ("laps", "miles", "kilometers")),
    (Verb("solve", "solved", "solved", ()), ("riddles", "puzzles", "equations", "problems")),
    (Verb("wash", "washed", "washed", ()), ("cars", "dishes", "windows", "shirts", "bikes")),
    (Verb("bake", "baked", "baked", ()), ("muffins", "pies", "rolls", "cookies", "cakes")),
    (Verb("visit", "visited", "visited", ()), ("museums", "castles", "cities", "islands")),
    (Verb("see", "saw", "seen", ()), ("deer", "owls", "rabbits", "foxes", "herons")),
    (Verb("draw", "drew", "drawn", ()), ("circles", "squares", "stars", "portraits")),
    (Verb("collect", "collected", "collected", ()), ("cans", "bottles", "shells", "leaves", "signatures")),
    (Verb("eat", "ate", "eaten", ()), ("grapes", "nuts", "crackers", "dumplings", "cherries")),
    (Verb("write", "wrote", "written", ()), ("letters", "postcards", "poems", "emails", "songs")),
    (Verb("take", "took", "taken", ()), ("photos", "tests", "dance lessons")),
    (Verb("pick", "picked", "picked", ()), ("apples", "pears", "plums", "tomatoes", "flowers")),
    (Verb("deliver", "delivered", "delivered", ()), ("letters", "parcels", "newspapers", "pizzas")),
    (Verb("watch", "watched", "watched", ()), ("films", "cartoons", "plays", "episodes")),
    (Verb("make", "made", "made", ()), ("bracelets", "necklaces", "sandwiches", "phone calls", "mistakes")),
    (Verb("carry", "carried", "carried", ()), ("boxes", "bags", "chairs", "bricks")),
    (Verb("count", "counted", "counted", ()), ("red cars", "blue cars", "trucks", "stars", "birds")),
    (Verb("paint", "painted", "painted", ()), ("fences", "doors", "walls", "eggs")),
    (Verb("play", "played", "played", ()), ("games of chess", "card games", "songs", "matches")),
    (Verb("fold", "folded", "folded", ()), ("shirts", "towels", "napkins", "paper boats")),
    (Verb("feed", "fed", "fed", ()), ("ducks", "hens", "goats", "pigs")),
    (Verb("answer", "answered", "answered", ()), ("questions", "calls", "letters")),
    (Verb("use", "used", "used", ()), ("nails", "screws", "bricks", "tiles", "buttons")),
    (Verb("win", "won", "won", ()), ("games", "medals", "prizes", "races")),
)
Cells = dict[tuple[str, str], int]


def activities(scene: Scene) -> None:
    """Compose a table of people or days and one or two things that are done.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    verb, things = scene.rng.choice(_DOES)
    if scene.scale[1] > 1000:
        scene.scale = (10, 99)
    columns = scene.rng.sample(things, 1 if scene.chance(0.45) or verb.base == "run" else 2)
    agents = [scene.person() for _ in range(2 if scene.chance(0.7) else 3)]
    if scene.chance(0.3):
        days = sorted(scene.rng.sample(v.DAYS, 3), key=v.DAYS.index)[: len(agents)]
        agents, rows = [agents[0]] * len(agents), [f"on {day}" for day in days]
    else:
        rows = [agent.name for agent in agents]
        pronouns = [agent.pronoun for agent in agents]
        scene.shared_pronouns = {pronoun for pronoun in pronouns if pronouns.count(pronoun) > 1}
    does = [finite(agent, verb, scene.tense) for agent in agents]
    cells: Cells = {}
    compared: set[tuple[str, str]] = set()
    for agent, row, word in zip(agents, rows, does, strict=True):
        parts = []
        for column in columns:
            part, cells[row, column] = _cell(scene, column, rows, row, cells)
            if "than" in part or " as " in part:
                compared.add((row, column))
            parts.append(part)
        than = f" than {rows[0]}"
        if all(part.endswith(than) for part in parts) and scene.chance(0.6):
            # 5 more poems and 2 fewer songs than Ann
            parts[:-1] = [part.removesuffix(than) for part in parts[:-1]]
        tail = f" {row}" if row != agent.name else ""
        joined = " but ".join(parts) if len(parts) == 2 and scene.chance(0.25) else listed(parts)
        # A day does not stand behind a comparison with another day.
        if tail and (scene.chance(0.5) or (row, columns[-1]) in compared):
            scene.say(None, f"{row}, {agent.name} {word} {joined}")
        else:
            scene.say(agent, f"{word} {joined}{tail}")
    _ask(scene, verb, agents, rows, columns, cells, compared)


def _cell(scene: Scene, column: str, rows: list[str], row: str, cells: Cells) -> tuple[str, int]:
    """Tell a number, by itself or compared with the first row."""
    first = rows[0]
    kind = scene.rng.random()
    if row == first or kind < 0.45:
        quantity = scene.number()
        return f"{n(quantity)} {column}", quantity
    base = cells[first, column]
    if kind < 0.68:
        by = scene.number()
        return f"{n(by)} more {column} than {first}", scene.world.plus(base, by)
    if kind < 0.9:
        by = scene.below(base)
        return f"{n(by)} {scene.fill('[fewer|fewer|less]')} {column} than {first}", scene.world.minus(base, by)
    if scene.chance(0.5):
        return f"twice as many {column} as {first}", scene.world.times(base, scene.world.constant(2))
    factor = scene.number(2, 6)
    return f"{n(factor)} times as many {column} as {first}", scene.world.times(base, factor)


def _ask(
    scene: Scene,
    verb: Verb,
    agents: list[Agent],
    rows: list[str],
    columns: list[str],
    cells: Cells,
    compared: set[tuple[str, str]],
) -> None:
    kind, column, tense = scene.rng.random(), scene.rng.choice(columns), scene.tense
    on_days = rows[0] != agents[0].name
    if kind < 0.4 and compared:
        row, column = scene.rng.choice(sorted(compared))
        agent = agents[rows.index(row)]
        scene.put(ask(f"how many {column}", agent, verb, row if on_days else "", tense), cells[row, column])
    elif kind < 0.65:
        total = cells[rows[0], column]
        for row in rows[1:]:
            total = scene.world.plus(total, cells[row, column])
        tail = scene.fill("[in all|altogether|in total]" if on_days else "[together|altogether|in all|in total]")
        names = listed(rows)
        group = agents[0] if on_days else Agent(names, "they", names) if scene.chance(0.6) else Agent("they", "they", "they")
        scene.put(ask(f"how many {column}", group, verb, tail, tense), total)
    elif kind < 0.75 and len(columns) == 2:
        row = scene.rng.choice(rows)
        total = scene.world.plus(cells[row, columns[0]], cells[row, columns[1]])
        tail = row if on_days else scene.fill("[in all|altogether|]")
        scene.put(ask(f"how many {columns[0]} and {columns[1]}", agents[rows.index(row)], verb, tail, tense), total)
    else:
        low, high = sorted(scene.rng.sample(rows, 2), key=lambda row: scene.value(cells[row, column]))
        if scene.value(cells[low, column]) == scene.value(cells[high, column]):
            raise ValueError("There is no difference.")
        fewer = scene.chance(0.3)
        one, other = (low, high) if fewer else (high, low)
        what = f"how many {'fewer' if fewer else 'more'} {column}"
        tail = f"{one} than {other}" if on_days else f"than {other}"
        difference = scene.world.minus(cells[high, column], cells[low, column])
        scene.put(ask(what, agents[rows.index(one)], verb, tail, tense), difference)
