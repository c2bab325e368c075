"""Stories about one running amount, in order of time, and the lines of arithmetic that solve them; see :func:`story`."""

from dataclasses import dataclass

import numpy as np

from epf.problem_sets.synthetic import wordings as w
from epf.problem_sets.synthetic import words
from epf.problem_sets.synthetic.amount import RunningAmount
from epf.problem_sets.synthetic.narrator import Narrator
from epf.problem_sets.synthetic.problem import LARGEST, SyntheticProblem


@dataclass(frozen=True, slots=True)
class _Scene:
    """The sentence forms for stories of one kind."""

    start: tuple[str, ...]
    start_groups: tuple[str, ...]
    gain: tuple[str, ...]
    lose: tuple[str, ...]
    gain_groups: tuple[str, ...]
    lose_groups: tuple[str, ...]
    times: tuple[str, ...]
    halve: tuple[str, ...]
    ask: tuple[str, ...]
    kind: str


_OWN = _Scene(
    w.OWN_START, w.OWN_START_GROUPS, w.OWN_GAIN, w.OWN_LOSE, w.OWN_GAIN_GROUPS, w.OWN_LOSE_GROUPS, w.OWN_TIMES, w.OWN_HALVE, w.OWN_ASK, "own"
)  # fmt: skip
_PLACE = _Scene(
    w.PLACE_START, w.PLACE_START_GROUPS, w.PLACE_GAIN, w.PLACE_LOSE, w.PLACE_GAIN_GROUPS, w.PLACE_LOSE_GROUPS, w.PLACE_TIMES, w.PLACE_HALVE,
    w.PLACE_ASK, "place",
)  # fmt: skip
_MONEY = _Scene(
    w.MONEY_START, w.MONEY_START_GROUPS, w.MONEY_GAIN, w.MONEY_LOSE, w.MONEY_GAIN_GROUPS, w.MONEY_LOSE_GROUPS, w.MONEY_TIMES, w.MONEY_HALVE,
    w.MONEY_ASK, "money",
)  # fmt: skip
_WHERE = {
    "animal": ("on a wire", "in a field", "on a farm", "in the pond", "in the yard", "by the river", "in a cage", "at the zoo", "in a tree", "on the roof"),
    "people": ("on a bus", "at a party", "in a room", "in the park", "in a class", "at the museum", "on a train", "in the library", "at the beach", "in line"),
    "vehicle": ("in a parking lot", "on the street", "in a garage", "at the station", "in front of the school"),
    "plant": ("in the garden", "in the park", "in a field", "behind the house", "in the greenhouse"),
    "thing": ("on the table", "in a box", "in a jar", "on the shelf", "in the basket", "in a bag", "on a plate", "in a drawer"),
}  # fmt: skip
_FLY = ("fly away", "flew away", "swim away", "run away", "ran away", "hop off", "walk away", "leave")


def _nouns(narrator: Narrator) -> tuple[_Scene, str]:
    """Choose the kind of story and the noun that it counts."""
    kind = narrator.rng.choice(
        ["thing", "food", "money", "animal", "people", "vehicle", "plant", "own_other"],
        p=[0.27, 0.2, 0.2, 0.09, 0.08, 0.04, 0.04, 0.08],
    )
    if kind in ("thing", "food", "money"):
        narrator.item, narrator.items = narrator.a_noun(words.FOODS if kind == "food" else words.THINGS)
        if kind == "thing" and narrator.rng.random() < 0.15:
            return _PLACE, "thing"
        return (_MONEY if kind == "money" else _OWN), kind
    if kind == "own_other":
        narrator.item, narrator.items = narrator.a_noun(narrator.pick_list((words.ANIMALS, words.PLANTS, words.VEHICLES)))
        return _OWN, "thing"
    lists = {"animal": words.ANIMALS, "people": words.PEOPLE, "vehicle": words.VEHICLES, "plant": words.PLANTS}
    narrator.item, narrator.items = narrator.a_noun(lists[str(kind)])
    return _PLACE, str(kind)


def _begin(narrator: Narrator, amount: RunningAmount, scene: _Scene, where: dict[str, str], steps: int) -> None:
    """Write the start of the story; adds at most one line."""
    rng = narrator.rng
    choice = rng.random()
    if steps >= 2 and choice < 0.16 and (pair := amount.factor_pair(400)):
        k, m = pair
        narrator.say(scene.start_groups, k=k, m=m, **where)
        amount.value = amount.do(max(k, m), "*", min(k, m))
    elif steps >= 2 and choice < 0.26 and scene.kind == "own":
        a, b = amount.small(150), amount.small(150)
        narrator.say(w.OWN_START_TWO, a=a, b=b)
        amount.value = amount.do(a, "+", b)
    elif steps >= 3 and choice < 0.36 and scene.kind == "own":
        other = amount.small(120) + 1
        name, friend = narrator.name, narrator.friend
        narrator.sentences.append(
            f"{friend[0].upper()}{friend[1:]} {'had' if narrator.past else 'has'} {narrator.number(other)} {narrator.items}"
        )
        has = "had" if narrator.past else ("have" if name == "I" or narrator.pronoun == "they" else "has")
        subject = name
        narrator.named = True
        if rng.random() < 0.5:
            k = int(rng.integers(2, 7))
            narrator.sentences.append(f"{subject} {has} {narrator.times(k)} as many {narrator.items} as {friend}")
            amount.value = amount.do(other, "*", k)
        elif rng.random() < 0.5 or other < 4:
            n = amount.small(60)
            narrator.sentences.append(f"{subject} {has} {narrator.number(n)} more {narrator.items} than {friend}")
            amount.value = amount.do(other, "+", n)
        else:
            n = 1 + int(rng.integers(other - 1))
            narrator.sentences.append(f"{subject} {has} {narrator.number(n)} fewer {narrator.items} than {friend}")
            amount.value = amount.do(other, "-", n)
        narrator.friend = narrator.a_name()
    else:
        amount.value = amount.small(200 if rng.random() < 0.9 else LARGEST) + 1
        narrator.say(scene.start, n=amount.value, **where)


def _event(narrator: Narrator, amount: RunningAmount, scene: _Scene, kind: str, where: dict[str, str], steps: int) -> None:
    """Write one change of the amount; adds one or two lines."""
    rng = narrator.rng
    value = amount.value
    choice = rng.random()
    if steps >= 2 and choice < 0.14 and (pair := amount.factor_pair(min(200, LARGEST - value))):
        k, m = pair
        narrator.say(scene.gain_groups, k=k, m=m, **where)
        product = amount.do(max(k, m), "*", min(k, m))
        amount.value = amount.do(value, "+", product)
    elif steps >= 2 and choice < 0.28 and (pair := amount.factor_pair(value - 1)):
        k, m = pair
        narrator.say(scene.lose_groups, k=k, m=m, **where)
        product = amount.do(max(k, m), "*", min(k, m))
        amount.value = amount.do(value, "-", product)
    elif choice < 0.36 and value <= 120:
        form, _, factor = narrator.form(scene.times).rpartition(":")
        k = int(factor) or int(rng.integers(2, 6))
        narrator.sentences.append(narrator.fill(form, times=narrator.times(k), **where))
        amount.value = amount.do(value, "*", k)
    elif choice < 0.44 and value % 2 == 0 and value >= 4:
        narrator.say(scene.halve, **where)
        amount.value = amount.do(value, "/", 2)
    elif choice < 0.47 and scene.kind == "own" and (k2 := amount.divisor()):
        narrator.say(w.OWN_SPLIT, k=k2)
        amount.value = amount.do(value, "/", k2)
    elif steps >= 2 and choice < 0.50 and scene.kind == "own":
        options = [(k3, name) for k3, name in ((3, "third"), (4, "quarter"), (5, "fifth")) if value % k3 == 0 and value > k3]
        if options:
            k3, name = options[rng.integers(len(options))]
            narrator.say(w.OWN_FRACTION, fraction=name)
            part = amount.do(value, "/", k3)
            amount.value = amount.do(value, "-", part)
            return
        _gain_or_lose(narrator, amount, scene, kind, where)
    else:
        _gain_or_lose(narrator, amount, scene, kind, where)


def _gain_or_lose(narrator: Narrator, amount: RunningAmount, scene: _Scene, kind: str, where: dict[str, str]) -> None:
    """Write that some are added or taken away; adds one line."""
    rng, value = narrator.rng, amount.value
    gains = value < 3 or (rng.random() < 0.5 and value < 800)
    if gains:
        n = amount.small(min(200, LARGEST - value))
        narrator.say(scene.gain, n=n, **where)
        amount.value = amount.do(value, "+", n)
        return
    n = amount.small(value - 1)
    forms = scene.lose
    if kind == "food" and rng.random() < 0.5:
        forms = w.EAT
    elif kind == "animal" and rng.random() < 0.4:
        forms = w.FLY_LOSE
    narrator.say(forms, n=n, fly=narrator.pick(_FLY), **where)
    amount.value = amount.do(value, "-", n)


def _distract(narrator: Narrator, where: dict[str, str]) -> None:
    """Write a fact that does not matter."""
    nouns = narrator.pick_list((words.THINGS, words.FOODS, words.ANIMALS))
    _, others = narrator.a_noun(nouns)
    if others.split(" ")[-1] != narrator.items.split(" ")[-1]:
        narrator.say(
            w.DISTRACTORS, n=int(narrator.rng.integers(2, 100 if narrator.rng.random() < 0.3 else 20)), others=others, **where
        )


def _end(narrator: Narrator, amount: RunningAmount, scene: _Scene, where: dict[str, str], start: int, steps: int) -> str:
    """Choose a question that adds exactly ``steps`` (0 to 2) lines; returns it without its question mark."""
    rng, value = narrator.rng, amount.value
    if steps == 0:
        return narrator.fill(narrator.form(scene.ask), **where)
    if steps == 2:
        extra = value
        roll = rng.random()
        if roll < 0.4 and 2 * value <= LARGEST:
            k = int(rng.integers(2, max(3, min(8, LARGEST // value))))
            narrator.say(w.COMPARE_TIMES, times=narrator.times(k))
            extra = amount.do(value, "*", k)
        elif roll < 0.55 and value % 2 == 0:
            narrator.say(w.COMPARE_HALF)
            extra = amount.do(value, "/", 2)
        else:
            extra = _compare(narrator, amount)
        amount.value = amount.do(value, "+", extra)
        return narrator.fill(narrator.form(w.TOGETHER_ASK))
    options = ["compare", "sell", "goal"] if scene.kind == "own" else (["goal"] if scene.kind == "money" else [])
    divisor = amount.divisor()
    if scene.kind == "own":
        options += ["pack", "fill"] if divisor else []
        options += ["change"] if value != start and amount.lines else []
    option = options[rng.integers(len(options))]
    if option == "compare":
        if rng.random() < 0.35 and value <= 200:
            k = int(rng.integers(2, 6))
            narrator.say(w.COMPARE_TIMES, times=narrator.times(k))
            amount.value = amount.do(value, "*", k)
        elif rng.random() < 0.2 and value % 2 == 0:
            narrator.say(w.COMPARE_HALF)
            amount.value = amount.do(value, "/", 2)
        else:
            amount.value = _compare(narrator, amount)
        return narrator.fill(narrator.form(w.COMPARE_ASK))
    if option in ("pack", "fill"):
        assert divisor is not None
        amount.value = amount.do(value, "/", divisor)
        return narrator.fill(narrator.form(w.PACK_ASK if option == "pack" else w.FILL_ASK), k=divisor)
    if option == "sell":
        k = int(rng.integers(2, max(3, min(12, LARGEST // value) + 1)))
        amount.value = amount.do(value, "*", k)
        return narrator.fill(narrator.form(w.SELL_ASK), k=k)
    if option == "goal":
        goal = value + amount.small(300)
        amount.value = amount.do(goal, "-", value)
        return narrator.fill(narrator.form(w.MONEY_GOAL_ASK if scene.kind == "money" else w.GOAL_ASK), goal=goal)
    up = value > start
    amount.value = amount.do(value, "-", start) if up else amount.do(start, "-", value)
    return narrator.fill(narrator.form(w.CHANGE_UP_ASK if up else w.CHANGE_DOWN_ASK))


def _compare(narrator: Narrator, amount: RunningAmount) -> int:
    """Write how many more or fewer another person has; adds one line."""
    value = amount.value
    if narrator.rng.random() < 0.5 or value < 3:
        n = amount.small(100)
        narrator.say(w.COMPARE_MORE, n=n)
        return amount.do(value, "+", n)
    n = amount.small(value - 1)
    narrator.say(w.COMPARE_FEWER, n=n)
    return amount.do(value, "-", n)


def story(rng: np.random.Generator, n_steps: int, split: str) -> SyntheticProblem | None:
    """Draw a story whose solution has exactly ``n_steps`` lines; None if the numbers do not work out."""
    narrator = Narrator(rng, split)
    amount = RunningAmount(rng)
    scene, kind = _nouns(narrator)
    where_text = narrator.pick(_WHERE.get(kind, _WHERE["thing"]))
    where = {"where": where_text, "W": where_text[0].upper() + where_text[1:]}
    closing = (
        int(rng.choice([0, 1, 2], p=[0.66, 0.22, 0.12]))
        if scene.kind == "own"
        else int(rng.random() < 0.1 and scene.kind == "money")
    )
    closing = min(closing, n_steps)
    _begin(narrator, amount, scene, where, n_steps - closing)
    start = amount.value
    if closing:
        rng.random()  # Unused. The draw stays so that every seed keeps its problems.
    distractors = int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))
    while len(amount.lines) < n_steps - closing:
        if distractors and rng.random() < 0.3:
            _distract(narrator, where)
            distractors -= 1
        _event(narrator, amount, scene, kind, where, n_steps - closing - len(amount.lines))
    if distractors and rng.random() < 0.5:
        _distract(narrator, where)
    if not 1 <= amount.value <= LARGEST:
        return None
    question = _end(narrator, amount, scene, where, start, closing)
    if len(amount.lines) != n_steps or not 0 <= amount.value <= 12 * LARGEST:
        return None
    return SyntheticProblem(narrator.text(question), tuple(amount.lines), amount.value)
