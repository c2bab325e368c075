"""``report.md``: the report as a page of text, tables and pictures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from epf.evaluation.plan import EXACT_LABELS
from epf.evaluation.report.figures import Comparison, Report
from epf.evaluation.report.statistics import N_RESAMPLES, Interval

FEW_PROBLEMS = 30
CELL_HEADER = ("method", "budget", "accuracy in %", "tokens", "discarded tokens", "PRM calls", "seconds alone")


def markdown(report: Report, settings: Mapping[str, Any], left_out: Sequence[str], pictures: Mapping[str, str]) -> str:
    """Write the page; ``pictures`` maps titles to file names."""
    parts = [
        f"# {settings['dataset']}: which method, which budget",
        _asked(report, settings),
        _missing(report, left_out),
        _advice(report),
        _cells(report),
        *(_written(section) for section in sections(report)),
        "\n\n".join(f"![{title}]({file})" for title, file in pictures.items()),
        _method(report) if report.cells else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def lead(report: Report, settings: Mapping[str, Any]) -> list[str]:
    """What the page says before its tables, as plain paragraphs: what was asked, what is missing, which method to choose."""
    missing = [line.removeprefix("- ") for line in _missing(report, ()).splitlines()]
    return [plain(part) for part in (_asked(report, settings), *missing, _advice(report))]


class Section(NamedTuple):
    """A table of the report with its title and a note in Markdown, which may be empty."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: list[tuple[object, ...]]


def sections(report: Report) -> list[Section]:
    """The tables of the report after that of its methods and budgets, in their order, without empty ones."""
    found = (
        _ceilings(report),
        _compared("At the same budget", report.same_budget),
        _compared("At the same number of generated tokens", report.same_tokens),
        _warnings(report),
        _confidence(report),
        _calibration(report),
    )
    return [section for section in found if section is not None]


def plain(text: str) -> str:
    """Text without the marks of Markdown for emphasis and code."""
    return re.sub(r"[*`]", "", text)


def percent(interval: Interval) -> str:
    """A share in percent with its interval."""
    return f"{100 * interval.mean:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def signed(interval: Interval) -> str:
    """A difference in percentage points with its interval."""
    return f"{100 * interval.mean:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _asked(report: Report, settings: Mapping[str, Any]) -> str:
    models = f"Generator {_model(settings['generator'])}, reward model {_models(settings['reward_model'])}."
    options = _options(settings["search"])
    learned = _options(settings.get("profile", {}))
    seeds = f"{settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}"
    return (
        f"{report.n_problems} of {len(settings['problems'])} problems, {seeds}; every method and budget got the same "
        f"{report.n_searches} pairs of problem and seed. {models}"
        + (f" Options: {options}." if options else "")
        + (f" Options of epf by its profile: {learned}." if learned else "")
    )


def _options(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in values.items())


def _model(asked: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for value in asked.values() if value is not None)


def _models(asked: Mapping[str, Any]) -> str:
    """A reward model, and those that judge as well."""
    first = {name: value for name, value in asked.items() if name != "also"}
    return " and ".join(map(_model, (first, *asked.get("also", ()))))


def _missing(report: Report, left_out: Sequence[str]) -> str:
    notes = [f"Left out: {reason}" for reason in left_out]
    if report.n_incomplete:
        notes.append(f"{report.n_incomplete} pairs are incomplete and left out. The same command resumes the run.")
    notes += [f"{n} searches failed with `{code}`. The same command retries them." for code, n in report.failures.items()]
    notes += [f"{n} searches ended with `{code}` and count as wrong." for code, n in report.counted_wrong.items()]
    if report.cells and report.n_problems < FEW_PROBLEMS:
        notes.append(f"With {report.n_problems} problems, only large differences can be detected.")
    return "\n".join(f"- {note}" for note in notes)


def _advice(report: Report) -> str:
    """Which cells were right most often, and which cheaper one ties with them; nothing that the run does not show."""
    advice = report.advice
    if advice is None:
        return "Nothing to report yet."
    by_name = {(cell.method, cell.budget): cell for cell in report.cells}
    top, cheap = by_name[advice.best], by_name[advice.cheapest]
    if top.accuracy.mean == 0:
        return "No search was right, so there is no method or budget to prefer."
    share, cost = f"{100 * top.accuracy.mean:.1f} %", f"{top.generated_tokens:.0f} tokens per search"
    names = [_named(cell) for cell in (advice.best, *advice.as_accurate)]
    if len(by_name) == 1:
        return f"{names[0]} is the only method and budget: {share} right, {cost}."
    if len(names) == len(by_name):
        return f"All methods and budgets were right equally often, {share}; the cheapest is {names[0]}, {cost}."
    if len(names) == 1:
        first = f"{names[0]} was right most often: {share}, {cost}."
    else:
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        first = f"{listed} were right most often, {share} each; the cheapest of them is {names[0]}, {cost}."
    if advice.cheapest != advice.best:
        tie = f"{100 * cheap.accuracy.mean:.1f} %, {cheap.generated_tokens:.0f} tokens per search"
        return f"{first} {_named(advice.cheapest)} is the cheapest that ties with {'it' if len(names) == 1 else 'them'}: {tie}."
    has_cheaper = any(cell.generated_tokens < top.generated_tokens for cell in report.cells)
    return f"{first} It is better than everything cheaper." if has_cheaper else f"{first} Nothing is cheaper."


def _named(cell: tuple[str, int]) -> str:
    return f"**{cell[0]} at {cell[1]}**"


def _cells(report: Report) -> str:
    return table(CELL_HEADER, cell_rows(report)) if report.cells else ""


def cell_rows(report: Report) -> list[tuple[object, ...]]:
    """A row under :data:`CELL_HEADER` for each method and budget."""
    return [
        (
            cell.method,
            cell.budget,
            percent(cell.accuracy),
            f"{cell.generated_tokens:.0f}",
            f"{cell.discarded_tokens:.0f}",
            f"{cell.prm_calls:.1f}",
            "" if cell.seconds is None else f"{cell.seconds:.2f}",
        )
        for cell in report.cells
    ]


def _ceilings(report: Report) -> Section | None:
    found = report.ceilings
    if found is None:
        return None
    rows: list[tuple[object, ...]] = [
        (
            cell.method,
            cell.budget,
            f"{100 * cell.right:.1f}",
            percent(cell.any_right),
            f"{100 * cell.missed:.1f}",
            "" if cell.efficiency is None else f"{100 * cell.efficiency:.0f}",
        )
        for cell in found.cells
    ]
    note = (
        "*Any right* is the share of searches in which at least one of the final particles has the right answer: no way to "
        "select an answer from them can exceed it. *Missed* is what the selected answer is below that, in points."
    )
    if found.one_sample is not None:
        note += (
            f" One sample is right in {percent(found.one_sample)} % of cases ({found.sampled_by}). *Selection efficiency* is "
            "the gain of the answer over one sample, as a share of the gain of any right over one sample. A filter also raises "
            "any right above that of independent samples."
        )
    if any(cell.method == EXACT_LABELS for cell in found.cells):
        note += f" *{EXACT_LABELS}* is particle filtering whose reward model knows which steps are right."
    header = ("method", "budget", "right in %", "any right in %", "missed", "selection efficiency in %")
    return Section("Ceilings", note, header, rows)


def _compared(title: str, found: Sequence[Comparison]) -> Section | None:
    if not found:
        return None
    rows: list[tuple[object, ...]] = [
        (
            one.method,
            one.budget if one.budget is not None else f"{one.tokens:.0f} tokens",
            signed(one.difference),
            one.verdict,
        )
        for one in found
    ]
    return Section(title, "", ("method", "at", f"minus {found[0].reference}, in points", "verdict"), rows)


def _warnings(report: Report) -> Section | None:
    if not report.warnings:
        return None
    rows: list[tuple[object, ...]] = [
        (f"`{w.code}`" if w.code else "none", w.n_searches, f"{100 * w.right:.1f}") for w in report.warnings
    ]
    note = "A search can have several warnings."
    return Section("Warnings", note, ("warning", "searches", "right in %"), rows)


def _confidence(report: Report) -> Section | None:
    if report.confidence is None:
        return None
    rows: list[tuple[object, ...]] = [
        (
            cell.method,
            cell.budget,
            f"{100 * cell.mean:.1f}",
            f"{100 * cell.right:.1f}",
            f"{100 * cell.ece:.1f}",
            cell.n_sure,
            "" if cell.sure_right is None else f"{100 * cell.sure_right:.1f}",
        )
        for cell in report.confidence.cells
    ]
    header = ("method", "budget", "mean confidence in %", "right in %", "ECE in %", "searches above 0.9", "of them right in %")
    note = (
        "The expected calibration error (ECE) is the mean gap between the confidence of the searches and the share of them "
        f"that is right, over ten bins of equal width; over all searches together it is {100 * report.confidence.ece:.1f} %. "
        "A search that concludes nothing has confidence 0. `epf calibrate` fits the confidence to these models."
    )
    return Section("Confidence", note, header, rows)


def _calibration(report: Report) -> Section | None:
    if report.calibration is None:
        return None
    rows: list[tuple[object, ...]] = [
        (
            d.depth,
            d.n_problems,
            d.n_solutions,
            f"{100 * d.mean_score:.1f}",
            f"{100 * d.ended_right:.1f}",
            signed(d.overconfidence),
            "" if d.slope is None else f"{d.slope:.2f}",
        )
        for d in report.calibration.depths
    ]
    note = "Solutions of searches with one particle, which select nothing."
    if report.calibration.selected:
        note = "Resampling by these scores selected the solutions, so more of them are right. Budget 1 has no such bias."
    if any(d.slope is not None for d in report.calibration.depths):
        note += (
            " The *slope* is what the score is worth to a filter: how much a higher log odds raises those to end right, among "
            "independent solutions of one problem. 1 is calibrated, 0 is noise."
        )
    shares = ("mean score in %", "ended right in %", "score minus right, in points")
    header = ("after step", "problems", "solutions", *shares, "slope within a problem")
    return Section("The reward model by depth", note, header, rows)


def _written(section: Section) -> str:
    parts = (f"## {section.title}", section.note, table(section.header, section.rows))
    return "\n\n".join(part for part in parts if part)


def _method(report: Report) -> str:
    n = len(report.same_budget) + len(report.same_tokens)
    return f"""\
## How these figures are made

Intervals are 95 % bootstrap intervals. The bootstrap resamples problems ({N_RESAMPLES} times), each with its mean over seeds,
and adds one artificial problem at each end of the scale, which keeps the intervals honest where nearly all answers are right or
few problems separate two methods. Methods are compared on the same problems and seeds; a difference whose interval contains
zero is a tie. There are {n} comparisons, and where there is no true difference, about one in twenty still shows one. The most
accurate method is chosen after the fact, so its accuracy is biased upwards.

Tokens are all tokens that a search sampled, including discarded ones and those of draws that it shared with other searches of
this run. For the comparison at the same tokens, a method's accuracy is interpolated linearly in the logarithm of tokens between
its budgets, whose mean tokens are taken as exact. *Seconds alone* is the median of {max(cell.n_timed for cell in report.cells)}
searches with nothing else running. They find prompts and common first steps in the engines' caches; their order rotates, so
that this favours no method."""
