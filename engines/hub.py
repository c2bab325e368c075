"""Where a model's tokenizer, template and configuration lie: a directory, or a name on the Hugging Face hub."""

from pathlib import Path

from epf.core.errors import InvalidRequest

FILES = ("*.json", "*.jinja", "*.model", "*.txt")
"""All that is read of a model besides its weights."""


def model_directory(name_or_path: str | Path, *, setting: str = "model") -> Path:
    """Directory with the files of a model, its weights perhaps left out.

    A name that is no directory is looked up on the hub, and in its cache alone where the hub cannot be reached or
    ``HF_HUB_OFFLINE`` is set. ``setting`` is what the operator wrote the name into.

    Raises:
        InvalidRequest: it is neither, or has no ``tokenizer.json``.
    """
    directory = Path(name_or_path)
    if not directory.is_dir():
        directory = _snapshot(str(name_or_path), setting)
    if not (directory / "tokenizer.json").exists():
        message = f"{setting}: {str(name_or_path)!r} has no tokenizer.json: name a model or directory that has one"
        raise InvalidRequest(message, param=setting)
    return directory


def _snapshot(name: str, setting: str) -> Path:
    from huggingface_hub import snapshot_download  # here, because a directory needs no hub

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except Exception as error:  # a bad name, no such model, no connection, a proxy's no: they have no class in common
        message = f"{setting}: {name!r} is no directory and no model of the hub or its cache ({type(error).__name__})"
        raise InvalidRequest(message, param=setting) from error


def model_name(name_or_path: str | Path) -> str:
    """A model's name as callers may read it: without the path to its directory."""
    path = Path(name_or_path)
    return path.resolve().name if path.is_dir() else str(name_or_path)
