"""From the clauses and the question of a scene to a text: sentences, pronouns, connectives, numbers, and the solution."""

import re
from random import Random

from epf.training.plain.kinds.grammar.agents import Agent
from epf.training.plain.kinds.grammar.clauses import Clause, Question
from epf.training.plain.kinds.grammar.scene import Scene
from epf.training.plain.kinds.grammar.world import Step
from epf.training.plain.problem import PlainProblem, operation_lines, show

_NUMBER = re.compile(r"(\$?)#(\d+)(d?)#(%?)")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!one\b|uni|use|Eur)")
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER_OF = re.compile(r"how many (?!more|fewer)([a-zA-Z -]+?) @ (.+)")
_NOT_THEN = re.compile(r"\b(later|next|at first|to begin with|at the start|before)\b")
_NOT_WHEN = re.compile(r"^(?!was\b)\w+s\b|^(will|are|have|own|owned)\b|day\b")
_WHEN = ("yesterday, ", "last week, ", "this morning, ", "one day, ", "last month, ", "on a sunny day, ", "last year, ")
_POINTS_BACK = re.compile(r"\b(they|that|it|them|both|the two|then|after that)\b")
_THEN = (
    "then ",
    "then, ",
    "after that, ",
    "later, ",
    "later on, ",
    "the next day, ",
    "afterwards, ",
    "next, ",
    "a week later, ",
    "soon after, ",
)
_AND_THEN = (" and ", " and ", " and then ", ", then ", " but ", " and later ")
_REQUESTS = (
    "find {q}.", "tell me {q}.", "calculate {q}.", "work out {q}.", "can you tell {q}?", "find out {q}.", "determine {q}.",
    "say {q}.", "do you know {q}?", "I wonder {q}.",
)  # fmt: skip


def worded(scene: Scene) -> PlainProblem:
    """Return the problem that a scene is.

    Raises:
        ValueError: the answer stands in the text, or a number has too many decimals.
    """
    text = re.sub(" +(?=[ ,.?])", "", _text(scene))
    places: dict[int, int] = {}
    for match in _NUMBER.finditer(text):
        places.setdefault(int(match[2]), len(places))
    if scene.hopeless:
        places = {}
    if scene.target in places:
        raise ValueError("The answer stands in the text.")
    values = scene.world.values
    steps = scene.world.solve(places, scene.target)
    if steps and _stands_in_the_text(steps, [values[number] for number in places], values[scene.target]):
        raise ValueError("The answer stands in the text under another name.")
    if (steps is None) != scene.hopeless:
        raise ValueError("It does not follow from the text, or it should not.")
    lines: list[str] = []
    for step in steps or ():
        lines += operation_lines(values[step.left], step.op, values[step.right])
    text = _NUMBER.sub(lambda match: match[1] + _written(scene.rng, values[int(match[2])], match) + match[4], text)
    text = _ARTICLE.sub(r"\1n ", text)
    text = re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), text)
    return PlainProblem(text, tuple(lines), None if steps is None else show(values[scene.target]))


def _stands_in_the_text(steps: list[Step], givens: list[float], answer: float) -> bool:
    """Whether a solution only undoes what it did: a is 5 more than b, so b is a - 5, so a is how much more than b."""
    last = steps[-1]
    operands = {last.left, last.right}
    undone = {"-": "+-", "/": "*/"}.get(last.op, "")
    for step in steps[:-1]:
        if step.op in undone and step.result in operands and operands - {step.result} <= {step.left, step.right}:
            return True
    return len(steps) == 2 and answer in givens


def _written(rng: Random, value: float, match: re.Match[str]) -> str:
    if not value.is_integer():
        return f"{value:.2f}" if match[1] else show(value)
    if 2 <= value <= 12 and not any(match.group(1, 3, 4)) and rng.random() < 0.15:
        return _WORDS[int(value) - 2]
    return f"{int(value):,}" if value >= 1000 and not match[3] and rng.random() < 0.3 else str(int(value))


def _text(scene: Scene) -> str:
    rng, clauses, question = scene.rng, scene.clauses, scene.question
    if question is None:
        raise ValueError("Nothing is asked.")
    teller = _Teller(rng, scene.shared_pronouns, scene.appositions, past=scene.tense == "past")
    style = rng.random()
    if style < 0.12 and clauses and clauses[-1].event:
        # The last clause becomes a condition: if she sells 5, how many are left?
        before, last = teller.sentences(clauses[:-1]), teller.clause(clauses[-1])
        return f"{before} if {last}, {teller.asked(question, question.direct)}?".strip()
    if style < 0.2 and not _POINTS_BACK.search(question.direct) and (question.agent is None or question.agent.name != "they"):
        return f"{teller.asked(question, question.direct)}? {teller.sentences(clauses)}"
    body = teller.sentences(clauses)
    if style < 0.28:
        return f"{body} {rng.choice(_REQUESTS).replace('{q}', teller.asked(question, question.indirect))}"
    number = _NUMBER_OF.fullmatch(question.indirect)
    if style < 0.32 and number:
        noun = f"the number of {number[1]} that {teller.asked(question, '@')} {number[2]}"
        return f"{body} {rng.choice(('what is {q}?', 'find {q}.', 'calculate {q}.')).replace('{q}', noun)}"
    direct = teller.asked(question, question.direct)
    if style < 0.36:
        return f"{body[:-1]}, so {direct}?" if body.count(".") == 1 else f"{body} so {direct}?"
    return f"{body} {direct}?"


class _Teller:
    """Puts clauses together; knows who has been introduced and who the last sentence was about; ``like``: pronouns that may mean several people."""

    def __init__(self, rng: Random, like: set[str], appositions: dict[str, str], *, past: bool) -> None:
        self._rng, self._appositions = rng, appositions
        self._known: set[str] = set()
        self._last: Agent | None = None
        self._long = rng.random() < 0.15
        self._when = rng.choice(_WHEN) if past and rng.random() < 0.08 else ""
        self._like = like

    def sentences(self, clauses: list[Clause]) -> str:
        """Return the clauses as sentences, each with its full stop."""
        text, joined = "", 3
        for i, clause in enumerate(clauses):
            join = self._join(clause) if text and not clauses[i - 1].alone and joined < (4 if self._long else 2) else ""
            if join:
                text, joined = text[:-1] + join + ".", joined + 1
                continue
            then = ""
            follows = clause.agent is None or (i and clauses[i - 1].agent is not None)
            if (
                text
                and clause.event
                and follows
                and not clause.lead
                and not _NOT_THEN.search(clause.predicate)
                and self._rng.random() < 0.3
            ):
                # Another time is not added to one that the clause names.
                then = self._rng.choice(_THEN[:5] if clause.agent is None or "day" in clause.predicate else _THEN)
            if not text and clause.agent is not None and not clause.lead and not _NOT_WHEN.search(clause.predicate):
                then = self._when
            text += f"{' ' if text else ''}{then}{self.clause(clause)}."
            joined = 1
        return text

    def clause(self, clause: Clause) -> str:
        """Return a clause with its subject, which is a pronoun at times."""
        agent = clause.agent
        if agent is None:
            self._last = None
            return clause.predicate
        return f"{clause.lead}{self._subject(agent)} {clause.predicate}"

    def asked(self, question: Question, form: str) -> str:
        """Return a question in one of its forms with the name of its agent."""
        return form if question.agent is None else form.replace("@", self._subject(question.agent, tells=False))

    def _join(self, clause: Clause) -> str:
        """Return how a clause is attached to the sentence before it; nothing if it is a sentence of its own."""
        if clause.lead or clause.alone or self._rng.random() > (0.7 if self._long else 0.25):
            return ""
        if clause.agent is None or clause.agent != self._last:
            contrast = clause.agent and self._last and not clause.event and self._rng.random() < 0.2
            return f"{', while ' if contrast else ', and '}{self.clause(clause)}"
        return (self._rng.choice(_AND_THEN) if clause.event else " and ") + clause.predicate

    def _subject(self, agent: Agent, *, tells: bool = True) -> str:
        likely = 0.7 if agent.pronoun not in self._like else 0.15 if tells else 0.0
        pronoun = agent == self._last and self._rng.random() < likely
        self._last = agent
        if agent.name not in self._known:
            self._known.add(agent.name)
            return agent.first + (self._appositions.get(agent.name, "") if tells else "")
        return agent.pronoun if pronoun else agent.name
