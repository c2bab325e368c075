"""The JSON file of a profile, in which a person can read every option and why it is there."""

import json
from pathlib import Path
from typing import Any

from epf.core.errors import InvalidRequest
from epf.search.confidence.file import map_of, value_of
from epf.search.profile.profile import Profile

FIELDS = frozenset({"generator", "reward_model", "recipe", "findings", "options", "confidence"})


def save_profile(profile: Profile, path: Path) -> None:
    """Write a file for :func:`load_profile`.

    Raises:
        InvalidRequest: the file cannot be written.
    """
    value: dict[str, Any] = {
        "generator": profile.generator,
        "reward_model": profile.reward_model,
        "recipe": profile.recipe,
        "findings": list(profile.findings),
        "options": dict(profile.options),
        "confidence": None if profile.confidence is None else value_of(profile.confidence),
    }
    try:
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {path}: {error.strerror}.", param="out") from error


def check_place(path: Path) -> None:
    """Raise ``InvalidRequest`` if :func:`save_profile` could not write this file now. What is in it stays."""
    try:
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise InvalidRequest(f"Cannot write {path}: {error.strerror}.", param="out") from error


def load_profile(path: Path) -> Profile:
    """Read a file that :func:`save_profile` wrote.

    Raises:
        InvalidRequest: the file cannot be read, or is not a profile.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        generator, reward_model, recipe = (value[name] for name in ("generator", "reward_model", "recipe"))
        if unknown := value.keys() - FIELDS:
            raise ValueError(f"{', '.join(sorted(unknown))} is not a field of it")
        if not isinstance(value["findings"], list) or not isinstance(value["options"], dict):
            raise TypeError("findings must be an array, and options an object")
        if not all(isinstance(text, str) for text in (generator, reward_model, recipe, *value["findings"])):
            raise TypeError("a name or a finding is not a text")
        confidence = value["confidence"]
        found = None if confidence is None else map_of(confidence)
        return Profile(generator, reward_model, recipe, value["options"], tuple(value["findings"]), found)
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="profile") from error
    except InvalidRequest as error:
        raise InvalidRequest(f"{path} is not a profile: {error.message}.", param="profile") from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        message = f"{path} is not a profile ({type(error).__name__}: {error}): write one with epf tune"
        raise InvalidRequest(message, param="profile") from error
