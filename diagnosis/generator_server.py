"""Checks of a generator's server: its models, what kind of server it is, and the routes of completions and chats."""

from collections.abc import Iterator, Mapping
from contextlib import aclosing

from epf.diagnosis.check import Check
from epf.diagnosis.endpoint import Endpoint
from epf.diagnosis.finding import Outcome, failed, ok, warning
from epf.diagnosis.server_checks import MODEL, Routes, ServerChecks
from epf.engines.http.kinds import NAMES, ServerKind, ask
from epf.generators.openai.discovery import ServedModel, find_model

MAX_LISTED = 5
"""Maximum number of models in a message."""

VERSIONS: Mapping[ServerKind, tuple[str, str]] = {
    "vllm": ("/version", "version"),
    "sglang": ("/get_server_info", "version"),
    "llama.cpp": ("/props", "build_info"),
    "ollama": ("/api/version", "version"),
    "tgi": ("/info", "version"),
}
"""Where a server reports its version: route and field."""


class GeneratorServer(ServerChecks):
    """Checks of one server of a generator.

    Attributes:
        served: what the server says of the model; None until it was asked.
    """

    def __init__(self, endpoint: Endpoint, name: str | None) -> None:
        super().__init__(endpoint, name)
        self.served: ServedModel | None = None

    def own_checks(self) -> Iterator[Check]:
        """The models that it lists, and what kind of server it is."""
        yield Check("models", self._models, ("response", "key"))
        yield Check("server", self._server, ("models",))

    def routes(self) -> Routes:
        """Completions, or else chats."""
        return {"/v1/completions": {**MODEL, "prompt": {}}, "/v1/chat/completions": {**MODEL, "messages": {}}}

    async def _models(self) -> Outcome:
        """The server lists the model that is asked for."""
        listed = self.listed_names()
        shown = ", ".join(listed[:MAX_LISTED]) + (f" and {len(listed) - MAX_LISTED} more" * (len(listed) > MAX_LISTED))
        setting = self.endpoint.wording.setting("name")
        if not listed:
            why = "none listed" if self.refusal is None else f"not listed ({self.endpoint.said(self.refusal)})"
            if self.name is None:
                return failed(why, f"Check the address, or name the model in {setting}.")
            return warning(f"{why}; {self.name} is asked for", "Nothing, if the checks below pass.")
        if self.name is None:
            return ok(shown) if len(listed) == 1 else failed(shown, f"Name one of them in {setting}.")
        if self.name not in listed:
            return warning(f"{self.name} is not listed: {shown}", f"Check {setting}, unless the checks below pass.")
        return ok(self.name)

    async def _server(self) -> Outcome:
        """It is a known kind of server, whose version and length of context are shown."""
        async with aclosing(self.endpoint.upstream()) as upstream:
            self.served = served = await find_model(upstream, self.name)
            path, name = VERSIONS.get(served.server, ("", ""))
            version = (await ask(upstream, path) or {}).get(name) if path else None
        kind = NAMES[served.server] + (f" {version}" if isinstance(version, str) and version.isprintable() else "")
        context = "of unknown length" if served.context_length is None else f"of {served.context_length} tokens"
        return ok(f"{kind}, with a context {context}")
