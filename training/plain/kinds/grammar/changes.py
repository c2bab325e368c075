"""Events that change how much somebody has: gains, losses, transfers, parts that go, groups that come or go."""

from dataclasses import dataclass

from epf.training.plain.kinds.grammar import vocabulary as v
from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Question, ask, finite, has
from epf.training.plain.kinds.grammar.scene import Scene, n
from epf.training.plain.kinds.grammar.things import Thing
from epf.training.plain.kinds.grammar.vocabulary import Verb


@dataclass(frozen=True, slots=True)
class Event:
    """Something that an agent does to a quantity of a thing."""

    agent: Agent
    verb: Verb
    tail: str
    thing: Thing
    tense: str

    def clause(self, amount: str) -> str:
        """Return the predicate: gave 5 pears to Ann."""
        return f"{finite(self.agent, self.verb, self.tense)} {amount} {self.tail}".strip()

    def after(self, amount: str) -> str:
        """Return the event as a lead: after giving 5 pears to Ann."""
        return f"after {self.verb.gerund} {amount} {self.tail}".strip() + ", "

    def question(self) -> Question:
        """Ask for the amount."""
        return ask(self.thing.how, self.agent, self.verb, self.tail, self.tense)


def event(scene: Scene, agent: Agent, thing: Thing, effect: str, tense: str = "") -> Event:
    """Draw a verb that fits, with what follows its object."""
    verb = scene.rng.choice(v.VERBS[effect, agent.verbs, thing.kind])
    return Event(agent, verb, scene.fill(scene.rng.choice(verb.tails), his=agent.his), thing, tense or scene.tense)


def amount_of(scene: Scene, thing: Thing, quantity: int, effect: str, *, alone: bool) -> str:
    """Write the amount of an event; ``alone``: if the story has no other kind of thing."""
    short = alone and not thing.is_money and thing.kind != "measure"
    if effect == "gain":
        return scene.rng.choice((
            thing.amount(n(quantity), "more"),
            thing.amount(n(quantity), "more"),
            thing.amount(n(quantity)),
            f"another {n(quantity)} {thing.many}" if not thing.is_money else f"another ${n(quantity)}",
            f"{n(quantity)} more" if short else thing.amount(n(quantity), "more"),
        ))  # fmt: skip
    return f"{n(quantity)} of them" if short and scene.chance(0.35) else thing.amount(n(quantity))


def change(scene: Scene, agent: Agent, thing: Thing, before: int, *, alone: bool, tense: str = "", parts: bool = True) -> int:
    """Tell a gain or a loss of a stated amount, or of a half or a third (``parts``); return what the agent has afterwards.

    Raises:
        ValueError: the numbers do not allow it.
    """
    kind = scene.rng.random()
    if thing.kind not in ("money", "measure") and tense != "future":
        if kind < 0.08 and "animal" not in thing.kind and thing.kind != "pet":
            return _gain_of_groups(scene, agent, thing, before)
        if kind < 0.16:
            return _to_each(scene, agent, thing, before)
        if kind < 0.22 and parts:
            return _part(scene, agent, thing, before)
    effect = "gain" if kind < 0.6 else "loss"
    stated = event(scene, agent, thing, effect, tense)
    quantity = scene.number() if effect == "gain" else scene.below(before)
    amount = amount_of(scene, thing, quantity, effect, alone=alone)
    passive = effect == "loss" and tense != "future" and not stated.verb.base.startswith(("be ", "part"))
    if passive and thing.kind not in ("money", "measure") and agent.his not in stated.tail.split() and scene.chance(0.12):
        were = "were" if scene.tense == "past" else "are"
        scene.say(None, f"{n(quantity)} of the {thing.many} {were} {stated.verb.participle} {stated.tail}".strip(), event=True)
    else:
        scene.say(agent, stated.clause(amount), event=True)
    return scene.world.plus(before, quantity) if effect == "gain" else scene.minus(before, quantity)


def _gain_of_groups(scene: Scene, agent: Agent, thing: Thing, before: int) -> int:
    groups, size = scene.number(2, 9), scene.number(2, 24 if scene.chance(0.3) else 12)
    box = scene.container(thing.kind)
    verb = scene.rng.choice(("buy", "get", "receive"))
    stated = event(scene, agent, thing, "gain")
    form = scene.fill(
        "{k} {boxes} [of {m} {many} [each|]|with {m} {many} [each|in each]]",
        k=n(groups),
        m=n(size),
        boxes=box.many,
        many=thing.many,
    )
    past = {"buy": "bought", "get": "got", "receive": "received"}[verb]
    present = verb if agent.is_many else verb + "s"
    scene.say(agent, f"{past if stated.tense == 'past' else present} {form}", event=True)
    return scene.world.plus(before, scene.world.times(groups, size))


def _to_each(scene: Scene, agent: Agent, thing: Thing, before: int) -> int:
    most = int(scene.value(before)) - 2
    if most < 4:
        raise ValueError("Too few are there to give some to each.")
    size = scene.world.quantity(scene.rng.randint(2, min(12, most // 2)))
    friends = scene.world.quantity(scene.rng.randint(2, min(12, most // int(scene.value(size)))))
    who = scene.fill("[friends|cousins|children|neighbors]" if agent.verbs == "p" else "[customers|schools|families|clubs]")
    whose = f"{agent.his} " if who in ("friends", "cousins") else ""
    form = scene.rng.choice(
        (
            "{give} {m} {many} to each of {whose}{k} {who}",
            "{give} {k} {who} {m} {many} each",
            "{give} {m} {many} each to {k} {who}",
        )
    )
    give = finite(agent, v.GIVE, scene.tense)
    scene.say(agent, scene.fill(form, give=give, m=n(size), k=n(friends), many=thing.many, who=who, whose=whose), event=True)
    return scene.minus(before, scene.world.times(friends, size))


def _part(scene: Scene, agent: Agent, thing: Thing, before: int) -> int:
    """Tell that a half, a third or a quarter goes."""
    value = int(scene.value(before))
    fitting = [
        (word, k)
        for word, k in (("half", 2), ("half", 2), ("[a|one] third", 3), ("[a|one] quarter", 4))
        if value % k == 0 and value > 3
    ]
    if not fitting:
        raise ValueError("The amount has no such part.")
    word, k = scene.rng.choice(fitting)
    stated = event(scene, agent, thing, "loss")
    scene.say(agent, stated.clause(scene.fill(f"{word} of [the|{agent.his}] {thing.many}")), event=True)
    return scene.minus(before, scene.world.over(before, scene.world.constant(k)))


def hand_over(scene: Scene, giver: Agent, taker: Agent, thing: Thing, before: tuple[int, int]) -> tuple[int, int]:
    """Tell that one gives another something; return what both have afterwards."""
    quantity = scene.below(before[0])
    verb = scene.rng.choice(("give", "give", "lend", "sell", "send"))
    stated = finite(
        giver, Verb(verb, {"give": "gave", "lend": "lent", "sell": "sold", "send": "sent"}[verb], "", ()), scene.tense
    )
    amount = thing.amount(n(quantity))
    scene.say(
        giver,
        f"{stated} {amount} to {taker.name}" if scene.chance(0.6) or thing.is_money else f"{stated} {taker.name} {amount}",
        event=True,
    )
    return scene.minus(before[0], quantity), scene.world.plus(before[1], quantity)


def unknown_change(scene: Scene, agent: Agent, thing: Thing, before: int) -> tuple[int, int, Question]:
    """Tell a change without its amount, and what is there afterwards; return the change, what is there, and its question.

    Raises:
        ValueError: the numbers do not allow it.
    """
    effect = scene.rng.choice(("gain", "loss"))
    stated = event(scene, agent, thing, effect)
    quantity = scene.number() if effect == "gain" else scene.below(before)
    after = scene.world.plus(before, quantity) if effect == "gain" else scene.minus(before, quantity)
    some = thing.some if effect == "loss" else ("some more money" if thing.is_money else f"some more {thing.many}")
    left = scene.fill("[left|left|now]" if effect == "loss" else "[now|in all|altogether]")
    if scene.chance(0.4):
        tense = "present" if left == "now" else scene.tense
        scene.say(agent, f"{has(agent, tense)} {thing.amount(n(after))} {left}".strip(), lead=stated.after(some))
    else:
        scene.say(agent, stated.clause(some), event=True)
        now = scene.rng.choice(("now ", "in the end, ")) if scene.chance(0.5) else ""
        tense = "present" if now == "now " or (left == "now" and not now) else scene.tense
        scene.say(agent, f"{has(agent, tense)} {thing.amount(n(after))} {'' if now else left}".strip(), lead=now, alone=True)
    return quantity, after, stated.question()
