"""What each client could do, as a table for the terminal and for the documentation."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.clients.cases import NAMES

RECORDED = Path(__file__).parent / "recorded.json"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FAILED = "FAILED"
NOT_APPLICABLE = "n/a: "

Results = dict[str, dict[str, str]]
"""Outcomes by client, then by case: ok, FAILED and why, or n/a and why the client cannot express the case."""


def failures(results: Results) -> list[str]:
    """One line for each case that failed; a client whose cases all failed for one reason has one line."""
    lines = []
    for client, cases in results.items():
        failed = {case: outcome for case, outcome in cases.items() if outcome.startswith(FAILED)}
        if len(failed) == len(NAMES) and len(set(failed.values())) == 1:
            failed = {"everything": next(iter(failed.values()))}
        lines += [f"{client}, {case}: {outcome}" for case, outcome in failed.items()]
    return lines


def plain(results: Results) -> str:
    """Cases by clients, for the terminal. A number stands for the reason why the client cannot express the case."""
    reasons = _reasons(results)
    letters = LETTERS[: len(results)]
    lines = [f"{letter}  {client}" for letter, client in zip(letters, results, strict=True)]
    lines.append(" " * 20 + "".join(letter.ljust(8) for letter in letters))
    for name in NAMES:
        cells = [_cell(cases[name], reasons, "ok") for cases in results.values()]
        lines.append(name.ljust(20) + "".join(cell.ljust(8) for cell in cells))
    return "\n".join([*lines, *(f"({number}) {reason}" for number, reason in enumerate(reasons, 1))])


def markdown(path: Path = RECORDED) -> str:
    """The recorded results as a table of Markdown, with their date, the clients and the reasons."""
    recorded = json.loads(path.read_text(encoding="utf-8"))
    results: Results = recorded["clients"]
    reasons = _reasons(results)
    letters = LETTERS[: len(results)]
    rows = [[name, *(_cell(cases[name], reasons, "✓") for cases in results.values())] for name in NAMES]
    lines = [*_row(["", *letters]), "| --- |" + " :-: |" * len(results), *(line for row in rows for line in _row(row)), ""]
    lines += ["", f"Tried on {recorded['date']}:", ""]
    lines += [f"- **{letter}** {client}" for letter, client in zip(letters, results, strict=True)]
    lines += ["", "Cases that a client cannot express:", ""]
    lines += [f"- ({number}) {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def record(results: Results, date: str, path: Path = RECORDED) -> None:
    """Write the results for the documentation."""
    path.write_text(json.dumps({"date": date, "clients": results}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(cells: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


def _reasons(results: Results) -> list[str]:
    outcomes = (outcome for cases in results.values() for outcome in cases.values())
    return list(dict.fromkeys(text.removeprefix(NOT_APPLICABLE) for text in outcomes if text.startswith(NOT_APPLICABLE)))


def _cell(outcome: str, reasons: Sequence[str], ok: str) -> str:
    if outcome.startswith(NOT_APPLICABLE):
        return f"({reasons.index(outcome.removeprefix(NOT_APPLICABLE)) + 1})"
    return FAILED if outcome.startswith(FAILED) else ok


def everything(outcome: str) -> Mapping[str, str]:
    """The outcomes of a client whose every case has the same one."""
    return dict.fromkeys(NAMES, outcome)
