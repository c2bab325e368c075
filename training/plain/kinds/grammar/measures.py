"""Lengths, weights, ages, heights and scores that are compared: longer, lighter, older; in both directions."""

from dataclasses import dataclass

from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Question
from epf.training.plain.kinds.grammar.scene import Scene, n


@dataclass(frozen=True, slots=True)
class _Measure:
    """How something is measured: ``{who} is {n} cm tall``, by how much it is more or less than another, and how it is asked."""

    unit: str
    states: str
    more: str
    less: str
    asks: str
    statement: str
    low: int
    high: int
    people: bool = True
    adds: bool = True


_MEASURES = (
    _Measure("years", "{who} is {n} years old", "{n} years older than", "{n} years younger than", "how old is {who}", "how old {who} is", 4, 80, adds=False),
    _Measure("cm", "{who} is {n} cm tall", "{n} cm taller than", "{n} cm shorter than", "how tall is {who}", "how tall {who} is", 80, 200, adds=False),
    _Measure("inches", "{who} is {n} inches tall", "{n} inches taller than", "{n} inches shorter than", "how many inches tall is {who}", "how many inches tall {who} is", 30, 80, adds=False),
    _Measure("kg", "{who} weighs {n} kg", "{n} kg heavier than", "{n} kg lighter than", "how many kg does {who} weigh", "how many kg {who} weighs", 20, 100),
    _Measure("pounds", "{who} weighs {n} pounds", "{n} pounds heavier than", "{n} pounds lighter than", "how many pounds does {who} weigh", "how many pounds {who} weighs", 40, 220),
    _Measure("meters", "{who} is {n} meters long", "{n} meters longer than", "{n} meters shorter than", "how many meters long is {who}", "how many meters long {who} is", 3, 300, people=False),
    _Measure("feet", "{who} is {n} feet high", "{n} feet higher than", "{n} feet lower than", "how many feet high is {who}", "how many feet high {who} is", 5, 900, people=False),
    _Measure("grams", "{who} weighs {n} grams", "{n} grams heavier than", "{n} grams lighter than", "how many grams does {who} weigh", "how many grams {who} weighs", 50, 900, people=False),
    _Measure("liters", "{who} holds {n} liters", "{n} liters more than", "{n} liters less than", "how many liters does {who} hold", "how many liters {who} holds", 2, 400, people=False),
)  # fmt: skip
_OBJECTS = {
    "meters": ("rope", "bridge", "boat", "fence", "train", "path", "hose", "tunnel"),
    "feet": ("tower", "wall", "hill", "tree", "flagpole", "lighthouse", "monument"),
    "grams": ("parcel", "melon", "stone", "vase", "letter", "loaf", "lamp", "trophy"),
    "liters": ("tank", "bucket", "barrel", "jug", "bathtub", "pot"),
}
_WHICH = (("red", "blue"), ("old", "new"), ("first", "second"), ("wooden", "metal"), ("white", "black"), ("green", "yellow"))


def measures(scene: Scene) -> None:
    """Compose a comparison of two or three measures.

    Raises:
        ValueError: the numbers do not work out; compose another.
    """
    measure = scene.rng.choice(_MEASURES)
    if measure.people:
        agents = [scene.person() for _ in range(3)]
    else:
        noun = scene.rng.choice(_OBJECTS[measure.unit])
        which = scene.rng.choice(_WHICH)
        names = [f"the {word} {noun}" for word in which] + [f"the third {noun}"]
        if scene.chance(0.4):
            names = [f"the {noun}" for noun in scene.rng.sample(_OBJECTS[measure.unit], 3)]
        agents = [Agent(name, "it", name) for name in names]
    names = [agent.name for agent in agents]
    scene.shared_pronouns = {"he", "she", "it"}
    first = scene.number(measure.low, measure.high)
    if scene.chance(0.12) and measure.people and measure.unit == "years":
        _ages(scene, names[0], first)
        return
    known = [(names[0], first)]
    sentences = [measure.states.format(who=names[0], n=n(first))]
    for name in names[1 : scene.rng.choices((2, 3), (0.65, 0.35))[0]]:
        base_name, base = known[-1]
        quantity, sentence = _second(scene, measure, name, base_name, base)
        known.append((name, quantity))
        sentences.append(sentence)
    if len(sentences) == 2 and scene.chance(0.3) and "than" in sentences[1]:
        sentences.reverse()
    for sentence in sentences:
        subject = next(agent for agent in agents if sentence.startswith(agent.name))
        scene.say(subject, sentence.removeprefix(f"{subject.name} "))
    name, last = known[-1]
    stated = last in _stated(sentences)
    kind = scene.rng.random()
    if stated or (kind < 0.3 and len(known) == 2):
        (name, low), (other, high) = sorted(known[-2:], key=lambda pair: scene.value(pair[1]))
        if scene.value(low) == scene.value(high) or not stated:
            raise ValueError("There is no difference to ask for.")
        difference = scene.world.minus(high, low)
        more = measure.more.format(n="X").replace("X ", "").removesuffix(" than").replace(f"{measure.unit} ", "")
        holds = measure.unit == "liters"
        asked = (
            f"how many {measure.unit} more does {other} hold than {name}"
            if holds
            else f"how many {measure.unit} {more} is {other} than {name}"
        )
        statement = (
            f"how many {measure.unit} more {other} holds than {name}"
            if holds
            else f"how many {measure.unit} {more} {other} is than {name}"
        )
        scene.put(Question(asked, statement), difference)
    elif kind < 0.55 and measure.adds and len(known) == 2:
        verb = "weigh" if "weigh" in measure.states else "hold" if "holds" in measure.states else "measure"
        scene.put(
            Question(f"how many {measure.unit} do they {verb} together", f"how many {measure.unit} they {verb} together"),
            scene.world.plus(first, last),
        )
    else:
        scene.put(Question(measure.asks.format(who=name), measure.statement.format(who=name)), last)


def _stated(sentences: list[str]) -> set[int]:
    return {
        int(sentence.split("#")[1])
        for sentence in sentences
        if "than" not in sentence and "#" in sentence and "times" not in sentence
    }


def _second(scene: Scene, measure: _Measure, name: str, base_name: str, base: int) -> tuple[int, str]:
    """State another measure: by itself, or as more or less than the one before, in one of two directions."""
    kind = scene.rng.random()
    be = "holds" if measure.unit == "liters" else "is"
    if kind < 0.25:
        quantity = scene.number(measure.low, measure.high)
        return quantity, measure.states.format(who=name, n=n(quantity))
    more = scene.chance(0.5)
    turned = scene.chance(0.4)
    by = scene.number(2, max(3, measure.high // 4)) if more else scene.below(base)
    quantity = scene.world.plus(base, by) if more else scene.world.minus(base, by)
    phrase = (measure.more if more != turned else measure.less).format(n=n(by))
    subject, other = (base_name, name) if turned else (name, base_name)
    return quantity, f"{subject} {be} {phrase} {other}"


def _ages(scene: Scene, name: str, age: int) -> None:
    """Ages some years ago or from now."""
    years = scene.number(2, 30)
    if scene.chance(0.5):
        scene.tell(f"{name} is {n(age)} years old [now|today|]")
        scene.put(
            Question(f"how old will {name} be in {n(years)} years", f"how old {name} will be in {n(years)} years"),
            scene.world.plus(age, years),
        )
    else:
        now = scene.world.plus(age, years)
        scene.tell(f"in {n(years)} years {name} will be {n(now)} years old")
        scene.put(Question(f"how old is {name} now", f"how old {name} is now"), age)
