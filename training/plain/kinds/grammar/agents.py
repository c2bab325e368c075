"""Who owns or does something: people by name, people by role, groups and businesses, with their pronouns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody, or a business; ``first`` is how a text introduces them: a baker, who later is the baker.

    Attributes:
        verbs: the key of the verbs for them, p for people and b for businesses.
    """

    name: str
    pronoun: str
    first: str
    verbs: str = "p"

    @property
    def his(self) -> str:
        """The possessive: his, her, its, their."""
        return {"he": "his", "she": "her", "it": "its", "they": "their"}[self.pronoun]

    @property
    def him(self) -> str:
        """The object form: him, her, it, them."""
        return {"he": "him", "she": "her", "it": "it", "they": "them"}[self.pronoun]

    @property
    def is_many(self) -> bool:
        """Whether the verb is in the plural."""
        return self.pronoun == "they"

    @property
    def whose(self) -> str:
        """The genitive: Ann's, the pupils'."""
        return self.name + ("'" if self.name.endswith("s") and self.is_many else "'s")
