"""Finds the tokenizer, chat template and configuration of a model: in a directory, or by name on the Hugging Face hub."""

from pathlib import Path

from epf.core.errors import InvalidRequest

FILES = ("*.json", "*.jinja", "*.model", "*.txt")
"""All files of a model that are read, except its weights."""


def model_directory(name_or_path: str | Path, *, setting: str = "model") -> Path:
    """Return a directory with the files of a model, possibly without its weights.

    A name that is not a directory is looked up on the hub, or only in its cache if the hub is unreachable or
    ``HF_HUB_OFFLINE`` is set. ``setting`` is the option that holds the name, for error messages.

    Raises:
        InvalidRequest: the name is neither, or there is no ``tokenizer.json``.
    """
    directory = Path(name_or_path)
    if not directory.is_dir():
        directory = _snapshot(str(name_or_path), setting)
    if not (directory / "tokenizer.json").exists():
        message = f"{setting}: {str(name_or_path)!r} has no tokenizer.json. Name a model or directory that has one."
        raise InvalidRequest(message, param=setting)
    return directory


def _snapshot(name: str, setting: str) -> Path:
    from huggingface_hub import snapshot_download  # not needed for a directory

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except Exception as error:  # an invalid name, no such model, no connection, a refusing proxy: no common base class
        message = f"{setting}: {name!r} is not a directory, nor a model on the hub or in its cache ({type(error).__name__})."
        raise InvalidRequest(message, param=setting) from error


def model_name(name_or_path: str | Path) -> str:
    """Return the name of a model for callers, without the path to its directory."""
    path = Path(name_or_path)
    return path.resolve().name if path.is_dir() else str(name_or_path)
