"""Searches while a server of a model hangs: ``python -m benchmarks.hung_servers``.

Writes ``benchmarks/results/hung_servers.json`` and ``.md``. Two servers of the generator and two ``epf serve-prm`` run in
processes of their own, and so does the ``epf serve`` in front of them, with default timeouts. Ten callers at a time ask it for
a search with ``max_seconds`` 10. In the middle of the second round, one server hangs: its process is stopped
(SIGSTOP), or a proxy in front of it keeps its responses back. After two more rounds it is well again. Seconds are reported as
ratios to the round before the fault, since other work shares the machine; what counts is how many searches are answered.

The generator's servers are the tests' server of ``/v1/completions`` over the embedded model, by token ids, or with ``--vllm``
two real ``vllm serve`` of the same model.
"""

import argparse
import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hung_processes import STOPPED, WORDS, Service, served
from benchmarks.output import RESULTS, save
from epf.problem_sets.synthetic.problems import problems

COMMAND = "python -m benchmarks.hung_servers"
N_CALLERS = 10
MAX_SECONDS = 10
ROLES = ("generator", "reward_model")
BACK_S = 120
MAX_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Round:
    """Ten searches at the same time.

    Attributes:
        answered: number of searches with an answer.
        p50_s, p95_s, max_s: seconds of all ten.
        ends: stop reasons, or statuses of errors, with their numbers.
        error: one of the error messages, empty without any.
    """

    answered: int
    p50_s: float
    p95_s: float
    max_s: float
    ends: dict[str, int]
    error: str


_problems = problems(7_000_003, "test", 3, 5)


async def round_of(service: Service, meanwhile: Callable[[], None] | None = None, after_s: float = 0.0) -> Round:
    """Search ten times at the same time; ``meanwhile`` is called after some seconds."""
    if meanwhile is not None:
        asyncio.get_running_loop().call_later(after_s, meanwhile)

    async def one(problem: str) -> tuple[float, str, bool, str]:
        since_s = time.perf_counter()
        body = {"problem": problem, "n_particles": 4, "max_steps": 12, "max_seconds": MAX_SECONDS, "method": "epf"}
        response = await service.client.post("/solve", json=body)
        seconds, answer = time.perf_counter() - since_s, response.json()
        if response.status_code != 200:
            return seconds, str(response.status_code), False, str(answer["error"]["message"])
        return seconds, answer["stop_reason"], answer["answer"] is not None, ""

    ended = await asyncio.gather(*(one(problem.text) for problem in islice(_problems, N_CALLERS)))
    seconds = [end[0] for end in ended]
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    ends = dict(Counter(end[1] for end in ended))
    error = next((end[3] for end in ended if end[3]), "")
    return Round(sum(end[2] for end in ended), float(p50), float(p95), max(seconds), ends, error)


async def one_of_two(service: Service, role: str, fault: str) -> dict[str, Any]:
    """Measure five rounds: before, during and after the fault of one of two servers."""
    victim = service.victims[role][0]
    before = await round_of(service)
    n_ejected, n_back = service.logged("is ejected"), service.logged("is reachable again")
    n_counted = await service.gauge("epf_upstream_ejections_total", role)
    rounds = [await round_of(service, lambda: victim.hang(fault), before.p50_s / 2)]
    rounds += [await round_of(service) for _ in range(2)]
    seen = {
        "up_meanwhile": await service.gauge("epf_upstream_up", role),
        "ejections": await service.gauge("epf_upstream_ejections_total", role) - n_counted,
        "ready_meanwhile": (await service.client.get("/readyz")).status_code,
    }
    victim.recover()
    since_s = time.perf_counter()
    while await service.gauge("epf_upstream_up", role) != 1 and time.perf_counter() < since_s + BACK_S:
        await asyncio.sleep(0.1)
    seen["back_after_s"] = time.perf_counter() - since_s
    seen["up_after"] = await service.gauge("epf_upstream_up", role)
    after = await round_of(service)
    seen["logged_ejections"] = service.logged("is ejected") - n_ejected
    seen["logged_returns"] = service.logged("is reachable again") - n_back
    named = {"before": before, "fault": rounds[0], "second": rounds[1], "third": rounds[2], "after": after}
    return {"role": role, "fault": fault, **seen, "rounds": {name: asdict(each) for name, each in named.items()}}


async def both(service: Service, role: str, fault: str) -> dict[str, Any]:
    """Measure two rounds while both servers of a model hang, the first from its middle on."""
    before = await round_of(service)

    def hang() -> None:
        for victim in service.victims[role]:
            victim.hang(fault)

    rounds = [await round_of(service, hang, before.p50_s / 2), await round_of(service)]
    ready = await service.client.get("/readyz")
    for victim in service.victims[role]:
        victim.recover()
    since_s = time.perf_counter()
    while (await service.client.get("/readyz")).status_code != 200 and time.perf_counter() < since_s + BACK_S:
        await asyncio.sleep(0.1)
    back_s = time.perf_counter() - since_s
    return {
        "role": role,
        "fault": fault,
        "ready": ready.status_code,
        "unready": ready.json().get("error", {}).get("message", ""),
        "ready_again_after_s": back_s,
        "rounds": {"fault": asdict(rounds[0]), "second": asdict(rounds[1]), "after": asdict(await round_of(service))},
    }


async def measure(faults: Sequence[str], roles: Sequence[str], *, with_vllm: bool) -> dict[str, Any]:
    """Return all figures."""
    async with served(with_vllm=with_vllm) as service:
        for _ in range(MAX_WARM_UP):  # the first searches find out what the servers support, and vLLM compiles
            if (await round_of(service)).answered == N_CALLERS:
                break
        ones = [await one_of_two(service, role, fault) for role in roles for fault in faults]
        pairs = [await both(service, role, fault) for role in roles for fault in faults if fault in (STOPPED, "health only")]
    return {
        "command": COMMAND + " --vllm" * with_vllm,
        "generators": "vLLM" if with_vllm else "the tests' server of /v1/completions",
        "cpus": os.cpu_count(),
        "load_at_end": os.getloadavg()[0],
        "max_seconds": MAX_SECONDS,
        "callers": N_CALLERS,
        "one_of_two": ones,
        "both": pairs,
    }


def page(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    n = result["callers"]
    lines = [
        "# Servers that hang",
        "",
        f"`{result['command']}` on {result['cpus']} CPUs with a load of {result['load_at_end']:.1f}",
        "",
        f"Rounds of {n} concurrent searches with `max_seconds` {result['max_seconds']}, default timeouts, two "
        f"generators ({result['generators']})",
        "and two `epf serve-prm`, each a process of its own. One of two servers hangs in the middle of the first round.",
        "Seconds are p50 / p95 as ratios to the round before the fault.",
        "",
        "| server | what it does | answered: first round | second and third | after | longest, s | p50 / p95, first | second "
        "| ejections: metric / log | returns in the log | well again, seen after, s | /readyz meanwhile |",
        "|---" * 12 + "|",
    ]
    for one in result["one_of_two"]:
        rounds = one["rounds"]
        fault, second, third, after, before = (rounds[name] for name in ("fault", "second", "third", "after", "before"))
        lines.append(
            f"| {_role(one)} | {WORDS[one['fault']]} | {fault['answered']}/{n} "
            f"| **{second['answered'] + third['answered']}/{2 * n}** | {after['answered']}/{n} | {fault['max_s']:.1f} "
            f"| {fault['p50_s'] / before['p50_s']:.1f} / {fault['p95_s'] / before['p95_s']:.1f} "
            f"| {second['p50_s'] / before['p50_s']:.1f} / {second['p95_s'] / before['p95_s']:.1f} "
            f"| {one['ejections']:.0f} / {one['logged_ejections']} | {one['logged_returns']} | {one['back_after_s']:.1f} "
            f"| {one['ready_meanwhile']} |"
        )
    if result["both"]:
        lines += ["", "Both servers of a model hang:", ""]
    for each in result["both"]:
        fault, second, after = (each["rounds"][name] for name in ("fault", "second", "after"))
        lines += [
            f"- {_role(each)}s, {WORDS[each['fault']]}: the first round ends with {_ends(fault)}, the second with "
            f"{_ends(second)}, after at most {second['max_s']:.1f} s. `/readyz` returns {each['ready']}, and 200 again when "
            f"they have been well for {each['ready_again_after_s']:.1f} s; then {after['answered']} of {n} are answered.",
            f"    - `{_anonymous(second['error'])}`",
            f"    - `{each['unready']}`",
        ]
    return "\n".join([*lines, ""])


def _role(each: dict[str, Any]) -> str:
    return str(each["role"]).replace("_", " ")


def _ends(each: dict[str, Any]) -> str:
    return ", ".join(f"{n} x {end}" for end, n in sorted(each["ends"].items()))


def _anonymous(message: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", message) or "no error"


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vllm", action="store_true", help="two real vLLM as generators")
    parser.add_argument("--faults", default=",".join(WORDS), help="comma-separated")
    parser.add_argument("--roles", default=",".join(ROLES), help="comma-separated")
    parser.add_argument("--out", type=Path, default=RESULTS / "hung_servers")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.faults.split(","), arguments.roles.split(","), with_vllm=arguments.vllm))
    save(arguments.out, result, page(result))


if __name__ == "__main__":
    main()
