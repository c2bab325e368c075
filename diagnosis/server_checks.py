"""Checks of a model's server that cost no tokens: address, certificate, response, key, route."""

import ipaddress
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from epf.core.errors import SearchServiceError
from epf.diagnosis.check import Check
from epf.diagnosis.endpoint import CONNECT_S, Endpoint, connection_failure, trusted
from epf.diagnosis.finding import Outcome, failed, ok, skipped, warning
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.refusal import Refusal

EXPIRES_SOON_DAYS = 14
KEY_REFUSED = frozenset({401, 403})
NO_ROUTE = frozenset({404, 405, 501})

Routes = Mapping[str, Mapping[str, Any]]
"""Where a model is served, each route with a body that has no prompt, so that it is refused and costs nothing."""

MODEL: Mapping[str, Any] = {"model": "", "max_tokens": 1}
"""Fields of every such body; the name of the model is filled in."""


class ServerChecks(ABC):
    """Checks of one server; later checks read what earlier ones found.

    Args:
        endpoint: the server.
        name: name of the model that is asked for; None for the server's only model.

    Attributes:
        endpoint: the server.
        name: name of the model.
        listing: how the server lists its models; empty if it does not.
        refusal: why it does not list them; None if it does.
    """

    def __init__(self, endpoint: Endpoint, name: str | None) -> None:
        self.endpoint = endpoint
        self.name = name
        self.listing: dict[str, Any] = {}
        self.refusal: Refusal | None = None

    def checks(self) -> Iterator[Check]:
        """All checks, in order."""
        yield Check("address", self._address)
        yield Check("certificate", self._certificate, ("address",))
        yield Check("response", self._response, ("address", "certificate"))
        yield Check("key", self._key, ("response",))
        yield from self.own_checks()
        yield Check("route", self._route, ("response", "key", "server"))

    @abstractmethod
    def own_checks(self) -> Iterator[Check]:
        """Checks of the model on this server, of which the last one is called ``server``."""

    @abstractmethod
    def routes(self) -> Routes:
        """Where the model may be served; the first one that the server has is used."""

    async def _address(self) -> Outcome:
        """The host has an address, and something accepts connections at the port."""
        endpoint = self.endpoint
        since_s = time.monotonic()
        try:
            writer = await endpoint.connect()
        except OSError as error:  # TimeoutError, too
            return connection_failure(error)
        taken_ms = 1000 * (time.monotonic() - since_s)
        peer = writer.get_extra_info("peername")[0]
        writer.close()
        return ok(f"{peer}, port {endpoint.port}, connected in {taken_ms:.0f} ms")

    async def _certificate(self) -> Outcome:
        """The certificate is trusted, belongs to the host, and stays valid."""
        endpoint = self.endpoint
        if not endpoint.is_encrypted:
            if endpoint.has_key and not _is_local(endpoint.host):
                return warning("none: http:// sends the key and all prompts unencrypted", "Use https:// if the server has it.")
            return skipped("none: the address begins with http://")
        try:
            writer = await endpoint.connect(trusted())
        except TimeoutError:
            return failed(f"no TLS handshake within {CONNECT_S:g} seconds", "Does the address begin with http://?")
        except OSError as error:
            return connection_failure(error)
        certificate = writer.get_extra_info("peercert")
        writer.close()
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        days = (ends - datetime.now(UTC)).days
        if days < EXPIRES_SOON_DAYS:
            return warning(f"trusted, but it expires in {days} days", "Renew it on the server.")
        return ok(f"trusted, valid until {ends:%Y-%m-%d}")

    async def _response(self) -> Outcome:
        """The server speaks HTTP, and JSON where models are listed."""
        since_s = time.monotonic()
        try:
            self.listing = await self.endpoint.get("/v1/models")
        except UpstreamRejected as rejected:
            self.refusal = rejected.refusal
            if "HTTPS port" in rejected.refusal.words:
                return failed(self.endpoint.said(rejected.refusal), "Write https:// in the address.")
        except SearchServiceError as error:
            if error.message.startswith("status "):
                return failed(
                    error.message, "Try again in a moment: it, or a server behind it, may still be loading its model."
                )
            return failed(error.message, "Check the port and the path of the address: is another service there?")
        status = 200 if self.refusal is None else self.refusal.status
        return ok(f"status {status} in {1000 * (time.monotonic() - since_s):.0f} ms")

    async def _key(self) -> Outcome:
        """The server accepts the key, or needs none."""
        endpoint = self.endpoint
        refusal = self.refusal
        if refusal is None or refusal.status not in KEY_REFUSED:
            refusal = await self._refusal_of_key()
        if refusal is not None:
            setting = endpoint.wording.setting("api_key")
            return failed(endpoint.said(refusal), f"{'Check the key' if endpoint.has_key else 'Set a key'} in {setting}.")
        if not endpoint.has_key:
            return ok("none needed")
        if await endpoint.accepts_no_key("/v1/models"):
            return ok("accepted, but not needed to list the models")
        return ok("accepted")

    async def _refusal_of_key(self) -> Refusal | None:
        """The refusal of the key by a route: many servers list their models without one."""
        for path, body in self.routes().items():
            refusal = await self._refusal_at(path, body)
            if refusal is not None and refusal.status in KEY_REFUSED:
                return refusal
            if refusal is None or refusal.status not in NO_ROUTE:
                return None
        return None

    async def _route(self) -> Outcome:
        """The server has a route for the model: it refuses a request without a prompt for its prompt, and not as unknown."""
        refusal = None
        for path, body in self.routes().items():
            refusal = await self._refusal_at(path, body)
            if refusal is None or refusal.status not in NO_ROUTE:
                return ok(path)
            if refusal.named({"model"}) or not (refusal.code or "0").isdecimal():
                setting = self.endpoint.wording.setting("name")
                return failed(f"{path}: {self.endpoint.said(refusal)}", f"Check {setting}.")
        missing = " and ".join(self.routes())
        return failed(f"the server has no {missing}", "Check the path of the address, and that the server has OpenAI's API.")

    def listed_names(self) -> list[str]:
        """Names of the models that the server lists."""
        models = self.listing.get("data")
        return [
            model["id"]
            for model in (models if isinstance(models, list) else [])
            if isinstance(model, dict) and isinstance(model.get("id"), str)
        ]

    def _model_name(self) -> str:
        """Name of the model for requests: the one that is asked for, or the first one listed."""
        return self.name or next(iter(self.listed_names()), "")

    async def _refusal_at(self, path: str, body: Mapping[str, Any]) -> Refusal | None:
        """The refusal of a request; None if it is not refused."""
        try:
            await self.endpoint.post(path, {**body, "model": self._model_name()} if "model" in body else dict(body))
        except UpstreamRejected as rejected:
            return rejected.refusal
        except SearchServiceError:  # such as status 500 for a request without a prompt
            return None
        return None


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
