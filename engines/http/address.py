"""The base address of a server, from what people write: with or without ``/v1`` and slashes at the end."""

import re
from urllib.parse import urlsplit

from epf.core.errors import InvalidRequest

_ROUTE = re.compile(r"/(chat/completions|completions|models|responses|embeddings|score|readyz|health)$")


def base_address(text: str, option: str) -> str:
    """Return the address to which paths such as ``/v1/completions`` are appended.

    Args:
        text: an address as a user writes it.
        option: name of the options of the model behind it, ``generator`` or ``reward_model``, for messages.

    Raises:
        InvalidRequest: the address has parts that would not be used, or is not one. The message shows neither passwords nor
            queries.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise _refused(option, f"its address is not valid ({error})", "check it") from None
    if parts.username is not None or parts.password is not None:
        raise _refused(option, "its address has a user or password", f"put the key in EPF_{option.upper()}__API_KEY")
    if parts.scheme not in ("http", "https"):
        raise _refused(option, f"its address {text!r} does not start with http:// or https://", "correct it")
    if not host or len(text.split()) != 1:
        raise _refused(option, f"its address {text!r} has no valid host", "write it as http://HOST:PORT")
    if port == 0:
        raise _refused(option, f"its address {text!r} has port 0", "name the port on which the server listens")
    if (parts.query or parts.fragment) and not (is_azure(host) and "/deployments/" in parts.path):
        shown = f"{parts.scheme}://{parts.netloc}{parts.path}"  # the query may hold a key
        raise _refused(option, f"its address {shown!r} has a query (?) or fragment (#), which is not sent", "remove it")
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    if is_azure(host):
        if "/deployments/" in path:
            what = f"its address https://{host}{path} is that of a single deployment, which is not supported"
            raise _refused(option, what, f"give https://{host}/openai/v1 and name the deployment as the model")
        if not path and host.lower().endswith(".openai.azure.com"):
            path = "/openai"
    if route := _ROUTE.search(path):
        base = f"{parts.scheme}://{parts.netloc}{path.removesuffix(route.group())}"
        raise _refused(option, f"its address {text!r} is that of one route", f"give the base address, {base}")
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}"


def is_azure(host: str) -> bool:
    """Whether a host is one of Azure's."""
    return host.lower() == "azure.com" or host.lower().endswith((".azure.com", ".azure-api.net"))


def _refused(option: str, what: str, fix: str) -> InvalidRequest:
    model = option.replace("_", " ")
    return InvalidRequest(f"The {model}'s server: {what}: {fix}.", param=option)
