"""The narrator of one problem: who, what, where and in which tense, and how a sentence form becomes a sentence."""

import re
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from epf.problem_sets.synthetic import words
from epf.problem_sets.synthetic.wordings import held_out

_VERB = re.compile(r"\[([^|\]]*)\|([^|\]]*)\|([^\]]*)\]")
_PRONOUNS = {
    "he": ("he", "his", "him"),
    "she": ("she", "her", "her"),
    "they": ("they", "their", "them"),
    "I": ("I", "my", "me"),
}
TIMES_WORDS = {
    2: ("twice", "double", "two times", "2 times"),
    3: ("three times", "3 times", "triple"),
    4: ("four times", "4 times"),
}


@dataclass
class Narrator:
    """The fixed choices of one problem and the sentences written so far.

    ``split`` selects the wordings: "wordings" prefers those that are held out from training, any other split avoids them.
    """

    rng: np.random.Generator
    split: str
    items: str = ""
    item: str = ""
    sentences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Choose the people, the places and the tense."""
        self.past = bool(self.rng.random() < 0.6)
        kind = self.rng.choice(["he", "she", "they", "I"], p=[0.42, 0.42, 0.08, 0.08])
        self.pronoun, self.poss, self.obj = _PRONOUNS[str(kind)]
        if kind == "I":
            self.name = "I"
        elif kind == "they":
            self.name = (
                f"{self.a_name()} and {self.a_name()}"
                if self.rng.random() < 0.6
                else self.pick(("The children", "The kids", "The girls"))
            )
        else:
            self.name = self.a_name()
        self.friend = self.a_name() if self.rng.random() < 0.7 else f"{self.poss} {self.pick(words.RELATIVES)}"
        self.container = self.pick(words.CONTAINERS)
        self.place = self.pick(words.PLACES)
        self.shop = words.singular(self.pick(words.SHOPS))
        self.named = False

    def pick(self, options: tuple[str, ...]) -> str:
        """Draw one of the options, evenly."""
        return options[self.rng.integers(len(options))]

    def pick_list(self, lists: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
        """Draw one of several word lists, evenly."""
        return lists[self.rng.integers(len(lists))]

    def a_name(self) -> str:
        """Draw a first name, sometimes an invented one."""
        return words.invented_word(self.rng).capitalize() if self.rng.random() < 0.08 else self.pick(words.NAMES)

    def a_noun(self, nouns: tuple[str, ...]) -> tuple[str, str]:
        """Draw a noun, sometimes invented, sometimes with an adjective; returns its singular and its plural."""
        noun = words.invented_word(self.rng) if self.rng.random() < 0.08 else self.pick(nouns)
        adjective = f"{self.pick(words.ADJECTIVES)} " if self.rng.random() < 0.12 else ""
        return adjective + words.singular(noun), adjective + words.plural(noun)

    def form(self, forms: tuple[str, ...]) -> str:
        """Draw a sentence form that this split may use."""
        trained, held = _by_use(forms)
        return self.pick(held if self.split == "wordings" and held and self.rng.random() < 0.8 else trained)

    def number(self, n: int) -> str:
        """Return a number as a text writes it: mostly in digits, small ones now and then in words."""
        return words.NUMBER_WORDS[n] if n <= 20 and self.rng.random() < 0.12 else str(n)

    def times(self, k: int) -> str:
        """Draw the words for "k times"."""
        return self.pick(TIMES_WORDS.get(k, (f"{k} times", f"{self.number(k)} times")))

    def fill(self, form: str, **slots: object) -> str:
        """Turn a form into a sentence, without its full stop."""
        plural_subject = self.name == "I" or self.pronoun == "they"
        verb = 1 if self.past else (3 if plural_subject else 2)
        text = _VERB.sub(lambda match: match.group(verb), form)
        if self.name == "I":
            text = text.replace("I is", "I am").replace("I are", "I am")
        elif self.pronoun == "they":
            text = text.replace("{S} was", "{S} were").replace("{s} was", "{s} were")
        named = not self.named or self.rng.random() < 0.25
        self.named = True
        subject = self.name if named else self.pronoun
        inner = subject if subject == "I" or named else subject.lower()
        if named and self.name.startswith("The "):
            inner = self.name[0].lower() + self.name[1:]
        if self.name != "I" and not plural_subject:
            do = "did" if self.past and self.rng.random() < 0.4 else "does"
        else:
            do = "did" if self.past and self.rng.random() < 0.4 else "do"
        if self.rng.random() < 0.03:
            do = "will"
        values = {
            "S": subject[0].upper() + subject[1:],
            "s": inner,
            "poss": self.poss,
            "poss2": self.poss if not named or self.name == "I" else f"{inner}'s",
            "P": self.poss.capitalize(),
            "obj": self.obj,
            "do": do,
            "items": self.items,
            "item": self.item,
            "friend": self.friend,
            "container": self.container,
            "containers": words.plural(self.container),
            "place": self.place,
            "shop": self.shop,
            "relative": self.pick(words.RELATIVES),
            "relative2": self.pick(words.RELATIVES),
            "adj": self.pick(words.ADJECTIVES),
            "adj2": self.pick(words.ADJECTIVES),
            "time": self.pick(words.TIMES),
            "time2": self.pick(words.TIMES),
            "time3": self.pick(words.TIMES),
        }
        values.update({key: self.number(v) if isinstance(v, int) else str(v) for key, v in slots.items()})
        if "${" in text:  # money amounts are always written in digits
            values.update({key: str(v) for key, v in slots.items() if isinstance(v, int)})
        sentence = text.format_map(values)
        return sentence[0].upper() + sentence[1:]

    def say(self, forms: tuple[str, ...], **slots: object) -> None:
        """Write one sentence."""
        self.sentences.append(self.fill(self.form(forms), **slots))

    def text(self, question: str) -> str:
        """Return the whole problem: its sentences, joined in one of several ways, and the question."""
        out = ""
        for i, sentence in enumerate(self.sentences):
            if i and out and out[-1] == "." and self.rng.random() < 0.08 and "." not in sentence:
                opening = sentence.split(" ", 1)[0]
                lowered = sentence if opening in self._proper() else sentence[0].lower() + sentence[1:]
                out = f"{out[:-1]}{self.pick((' and ', ', and ', ', then ', ' and then '))}{lowered}."
            else:
                out += (" " if out else "") + sentence + "."
        if question.startswith(("If ", "Find ")) and self.rng.random() < 0.3:
            return f"{out} {question}{'?' if question.startswith('If') else '.'}"
        if (
            self.rng.random() < 0.06
            and "." not in self.sentences[-1]
            and not question.startswith(("If ", "Find ", "Each "))
            and ". " not in question
        ):
            last = self.sentences[-1]
            opening = last.split(" ", 1)[0]
            lowered = last if opening in self._proper() else last[0].lower() + last[1:]
            head = out[: len(out) - len(last) - 1]
            if head.endswith(" ") or not head:
                return f"{head}If {lowered}, {question[0].lower()}{question[1:]}?"
        return f"{out} {question}{'.' if question.startswith('Find ') else '?'}"

    def _proper(self) -> set[str]:
        return {"I", self.friend.split(" ")[0], *self.name.split(" ")} - {"The", "his", "her", "my", "their"}


@cache
def _by_use(forms: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split sentence forms into those that training uses and those that are held out."""
    return tuple(form for form in forms if not held_out(form)), tuple(form for form in forms if held_out(form))
