"""What was found out about a model when it was loaded, in words for people."""


def description_of(model: object) -> str:
    """The ``description`` of a generator or a reward model, such as its server and its tokenizer; empty without one."""
    description = getattr(model, "description", "")
    return description if isinstance(description, str) else ""
