"""A reference names a model in one word: an address, a directory, a name on the hub, or a word for what ships with the package.

``http://localhost:8001`` (several with commas between them, each with or without ``/v1``) is a server, ``stories`` the model
of a pair in this package, ``embedded`` that of its default pair, ``none`` no reward model, and anything else a model that runs
in this process: embedded if it is a directory with ``model.onnx``, else by vLLM. ``./stories`` is a directory of that name.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from epf.core.errors import InvalidRequest
from epf.engines.http.address import base_address
from epf.engines.onnx.config import is_embedded
from epf.engines.onnx.pairs import PAIRS

REFERENCE = "reference"
"""The key under which a table of options holds a reference that has not been read yet."""

EMBEDDED, NONE, VLLM = "embedded", "none", "vllm"
"""Kinds of models without an address."""

_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(/.*)?|localhost(/.*)?|\[[0-9a-f:]+\](:\d+)?(/.*)?", re.IGNORECASE)
_HUB_NAME = re.compile(r"\w[\w.-]*(/[\w.-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelKinds:
    """The kinds of one of the two models.

    Attributes:
        option: name of the model's options, ``generator`` or ``reward_model``.
        server: the kind behind an address.
        read: by kind, the options that it reads.
    """

    option: str
    server: str
    read: Mapping[str, Collection[str]]

    @property
    def flag(self) -> str:
        """The flag and the variable that take a reference."""
        return f"--{self.option.replace('_', '-')} or EPF_{self.option.upper()}"

    def infer(self, given: Mapping[str, Any]) -> str | None:
        """The kind of model that a url or a name asks for; None without either.

        Raises:
            InvalidRequest: the name is neither that of a directory nor one that the hub could have.
        """
        if given.get("url"):
            return self.server
        name = given.get("name")
        return self._local(str(name))[0] if name else None

    def expand(self, given: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
        """Options in which a reference, if there is one, is replaced by the options that it stands for.

        These include the defaults of options that its kind does not read, so that they replace what an earlier source sets.

        Raises:
            InvalidRequest: the reference is not valid, or the options next to it name another model.
        """
        options = {name: value for name, value in given.items() if name != REFERENCE}
        if (reference := given.get(REFERENCE)) is None:
            return options
        meant = self._read(str(reference).strip())
        for name in meant.keys() & options.keys():
            if options[name] != meant[name]:
                variables = f"EPF_{self.option.upper()} and EPF_{self.option.upper()}__{name.upper()}"
                message = f"{self.option} is {str(reference)!r}, but {self.option}.{name} is {options[name]!r}"
                raise InvalidRequest(f"{message}: set one of {variables}.", param=self.option)
        unread = fields.keys() - {"kind", *self.read[meant["kind"]]}
        return {name: fields[name].get_default(call_default_factory=True) for name in unread} | meant | options

    def check(self, options: BaseModel) -> None:
        """Raise ``InvalidRequest`` for an option that is set and has no effect; the loader refuses an unknown kind."""
        kind: str | None = getattr(options, "kind", None)
        if kind is not None and kind not in self.read:
            return
        read = {"calibration", "also"} if kind is None else self.read[kind]
        for name, field in type(options).model_fields.items():
            if name in ("kind", *read) or getattr(options, name) == field.get_default(call_default_factory=True):
                continue
            model = self.option.replace("_", " ")
            why = f"no {model} is named" if kind in (None, NONE) else f"the {model} is of kind {kind!r}"
            message = f"{self.option}.{name} (EPF_{self.option.upper()}__{name.upper()}) has no effect, since {why}"
            raise InvalidRequest(f"{message}: name its model with {self.flag}, or leave it out.", param=f"{self.option}.{name}")

    def _read(self, text: str) -> dict[str, Any]:
        """Kind, url and name that a reference stands for; an address leaves the name open."""
        if text == EMBEDDED or (text == NONE and NONE in self.read):
            return {"kind": text, "name": None}
        if "://" in text:
            urls = [base_address(url, self.option) for url in text.split(",") if url.strip()]
            return {"kind": self.server, "url": ",".join(urls)}
        kind, name = self._local(text)
        return {"kind": kind, "name": name}

    def _local(self, text: str) -> tuple[str, str]:
        """Kind and name of a model in this process."""
        if text in ("", NONE, *self.read):
            raise self._refused(f"{text!r} names no model")
        if text in PAIRS:
            return EMBEDDED, text
        if (path := Path(text).expanduser()).is_dir():
            name = str(path)  # without "./", which distinguishes a directory from the pair of that name
            return EMBEDDED if is_embedded(path) else VLLM, f"./{name}" if name in PAIRS else name
        if path.is_file():
            fix = "name the model's directory, or the address of a server that serves the file, such as llama-server"
            raise InvalidRequest(f"{self.option}: {text} is a file: {fix}.", param=self.option)
        if _HOST_AND_PORT.fullmatch(text):
            raise InvalidRequest(f"{self.option}: {text!r} has no scheme: write http://{text}", param=self.option)
        if not _HUB_NAME.fullmatch(text):
            raise self._refused(f"there is no directory {text!r}")
        words = (EMBEDDED, *PAIRS, *({NONE} & self.read.keys()))
        if "/" not in text and (close := get_close_matches(text, words, n=1, cutoff=0.75)):
            raise self._refused(f"{text!r} names no model (did you mean {close[0]!r}?)")
        return VLLM, text

    def _refused(self, what: str) -> InvalidRequest:
        words = [*PAIRS, EMBEDDED, *({NONE} & self.read.keys())]
        names = f"an address (http://HOST:PORT), a directory, a name on the hub, {', '.join(words[:-1])} or {words[-1]}"
        return InvalidRequest(f"{self.option}: {what}: give {self.flag} {names}.", param=self.option)
