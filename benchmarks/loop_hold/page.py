"""The page with the figures."""

from collections.abc import Mapping
from typing import Any

from benchmarks.output import measured_by


def page(result: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    lines = [
        "# How long requests hold the event loop",
        "",
        measured_by(result),
    ]
    for server in result["servers"]:
        lines += _server(server, result["at_once"])
    return "\n".join([*lines, ""])


def _server(server: Mapping[str, Any], at_once: int) -> list[str]:
    idle, attacked = server["idle"], server["attacked"]
    rows = server["rows"]
    worst: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        key = row["route"]
        if key not in worst or _badness(row) > _badness(worst[key]):
            worst[key] = row
    table = [
        f"| `{route}` | {sum(row['route'] == route for row in rows)} | {row['body']} | {row['bytes']:,} "
        f"| {', '.join(map(str, row['statuses']))} | {1e3 * row['hold_at_most_s']:g} | {1e3 * row['cpu_at_most_s']:g} |"
        for route, row in worst.items()
    ]
    p50, p99, longest = (attacked[name] / idle[name] for name in ("p50_ms", "p99_ms", "max_ms"))
    return [
        "",
        f"## `{server['command']}`",
        "",
        f"{len(rows)} bodies, each {at_once} times at once, in up to two rounds as long as the loop is held for more than 50 "
        "ms. A stranger asks for `/healthz` meanwhile, every 5 ms:",
        "",
        "| | requests | p50, ms | p99, ms | max, ms |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {times['asked']} | {times['p50_ms']:.1f} | {times['p99_ms']:.1f} | {times['max_ms']:.0f} |"
            for name, times in (("idle", idle), ("attacked", attacked))
        ),
        f"| ratio | | {p50:.1f} | **{p99:.1f}** | {longest:.1f} |",
        "",
        "The worst body of each route. The longest hold in the best round is at most the bound of its bucket in "
        f"`epf_event_loop_hold_seconds`; on the idle server it is at most {1e3 * idle['hold_at_most_s']:g} ms. Holds are "
        "wall-clock time, in which the machine may do other work; the processor time is the most of one turn, in any round.",
        "",
        "| route | bodies | worst body | bytes | status | longest hold at most, ms | its processor time at most, ms |",
        "|---|---|---|---|---|---|---|",
        *table,
    ]


def _badness(row: Mapping[str, Any]) -> tuple[float, float]:
    return row["cpu_at_most_s"], row["hold_at_most_s"]
