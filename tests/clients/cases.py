"""The cases that every client runs. Uses only the standard library, since it runs in the clients' own environments."""

import json
import os
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

KEY = "key-of-the-client-tests"
RETRY_AFTER_S = 1
MODEL = "epf-4"
PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
TOO_LONG = "birds " * 600
GUARD_S = 60

NAMES = (
    "models",
    "basic",
    "stream",
    "usage",
    "n=3",
    "stop",
    "seed twice",
    "one token",
    "logprobs",
    "bad model",
    "bad key",
    "bad JSON",
    "too long",
    "overload",
    "mid-stream fault",
    "disconnect",
    "tools",
    "JSON format",
    "responses",
    "responses stream",
    "background",
    "resume",
    "cancel",
    "completions",
)

Case = Callable[[], object] | str
"""A case to run, or the reason why the client cannot express it."""


def url(server: str) -> str:
    """Return the base address of one of the servers."""
    return f"{json.loads(os.environ['EPF_CLIENT_SERVERS'])[server]}/v1"


def messages(content: str = PROBLEM) -> list[dict[str, str]]:
    """Return a conversation of one message."""
    return [{"role": "user", "content": content}]


def determined(usage: Any) -> tuple[int, int]:
    """Return the counts of an object of the OpenAI API that a seed determines: tokens of the prompt and of the answer.

    Steps that ran ahead in vain are counted too, and their number depends on timing.
    """
    return usage.prompt_tokens, usage.completion_tokens - usage.completion_tokens_details.reasoning_tokens


def raised(kind: type[Exception] | tuple[type[Exception], ...], action: Callable[[], object]) -> Exception:
    """Return the exception of this kind that ``action`` must raise."""
    try:
        action()
    except kind as error:
        return error
    raise AssertionError(f"no {kind} was raised")


def after_retry(action: Callable[[], object]) -> None:
    """Check that ``action`` succeeds, but only after the server's Retry-After: a client's own pause would be shorter."""
    start = time.monotonic()
    action()
    waited = time.monotonic() - start
    assert waited >= RETRY_AFTER_S, f"retried after {waited:.2f} s"


def until_something_runs() -> None:
    """Wait until the endless server has a step in progress."""
    _until(lambda n_running: n_running > 0)


def until_nothing_runs() -> None:
    """Wait until the endless server has no step in progress."""
    _until(lambda n_running: n_running == 0)


def _until(reached: Callable[[int], bool]) -> None:
    request = urllib.request.Request(f"{url('endless').removesuffix('/v1')}/running")
    request.add_header("authorization", f"Bearer {KEY}")
    deadline = time.monotonic() + GUARD_S
    while True:
        with urllib.request.urlopen(request, timeout=GUARD_S) as response:
            n_running = json.load(response)
        if reached(n_running):
            return
        assert time.monotonic() < deadline, f"{n_running} steps are in progress"
        time.sleep(0.01)


def report(client: str, cases: Mapping[str, Case], *, otherwise: str | None = None) -> None:
    """Run all cases and print one line of JSON with their outcomes. ``otherwise`` is the reason why others are missing."""
    assert set(cases) <= set(NAMES), set(cases) - set(NAMES)
    assert otherwise is not None or set(cases) == set(NAMES), set(NAMES) - set(cases)
    results = {}
    for name in NAMES:
        case = cases.get(name, otherwise or "")
        if isinstance(case, str):
            results[name] = f"n/a: {case}"
            continue
        try:
            case()
            results[name] = "ok"
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            results[name] = f"FAILED: {type(error).__name__}: {error}"
    print(json.dumps({"client": client, "results": results}), flush=True)
