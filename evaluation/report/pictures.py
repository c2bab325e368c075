"""Pictures of a report, drawn from its figures. They need the extra ``plots``."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epf.core.extras import import_extra
from epf.evaluation.report.figures import CellSummary, Report
from epf.evaluation.report.statistics import Interval

LEGEND_CHARACTERS, LINE_CHARACTERS, LEGEND_ROW_INCHES = 150, 10, 0.18
"""Width of the legend in characters, the part of it that each line takes, and the height of a row."""

MARKERS = "osD^vPX*<>ph"
"""Markers and colours follow the order of the methods; methods that share a colour differ in their marker."""


def draw(report: Report, directory: Path) -> dict[str, str]:
    """Write the pictures for which the report has figures, and return their file names by title.

    Raises:
        NotInstalled: matplotlib is missing.
    """
    figures = import_extra("matplotlib.figure", "plots")
    drawn = {}
    for title, (name, picture) in PICTURES.items():
        figure = figures.Figure(figsize=(10, 5), layout="constrained")
        if picture(report, figure):
            figure.savefig(directory / name, dpi=130)
            drawn[title] = name
    return drawn


def _accuracy_by_budget(report: Report, figure: Any) -> bool:
    if not report.cells:
        return False
    axes = figure.subplots()
    # Shifted a little, so that the intervals at one budget do not cover each other.
    _accuracies(report, axes, lambda cell, i: cell.budget * 1.015 ** (i - len(_methods(report)) / 2))
    _scale(axes, sorted({cell.budget for cell in report.cells}), "budget: particles")
    axes.set_ylabel("accuracy in %, 95 % interval")
    _legend(figure, axes)
    return True


def _accuracy_by_tokens(report: Report, figure: Any) -> bool:
    """Draw the accuracies on the left and the paired differences at the same tokens on the right."""
    if not any(cell.generated_tokens for cell in report.cells):  # every search failed before its first token
        return False
    left, right = figure.subplots(1, 2)
    _accuracies(report, left, lambda cell, i: cell.generated_tokens)
    left.set_ylabel("accuracy in %, 95 % interval")
    for i, method in enumerate(_methods(report)):
        found = [(one.tokens * 1.02**i, one.difference) for one in report.same_tokens if one.method == method and one.tokens]
        if found:
            at, gaps = zip(*found, strict=True)
            right.errorbar(at, [100 * gap.mean for gap in gaps], _bars(gaps), **_style(i), capsize=2, elinewidth=0.8)
    right.axhline(0, color="0.4", linewidth=0.8)
    right.set_ylabel(f"minus {_methods(report)[0]} at the same tokens, in points")
    tokens = [cell.generated_tokens for cell in report.cells]
    powers = [2**k for k in range(32) if min(tokens) / 1.5 <= 2**k <= max(tokens) * 1.5]
    for axes in (left, right):
        _scale(axes, powers, "generated tokens per search")
    _legend(figure, left)
    return True


def _accuracies(report: Report, axes: Any, at: Callable[[CellSummary, int], float]) -> None:
    for i, method in enumerate(_methods(report)):
        cells = [cell for cell in report.cells if cell.method == method]
        shares = [cell.accuracy for cell in cells]
        axes.plot([at(cell, i) for cell in cells], [100 * share.mean for share in shares], label=method, **_style(i))
        faint = {"fmt": "none", "ecolor": f"C{i % 10}", "alpha": 0.45, "elinewidth": 0.8, "capsize": 2}
        axes.errorbar([at(cell, i) for cell in cells], [100 * share.mean for share in shares], _bars(shares), **faint)


def _diversity(report: Report, figure: Any) -> bool:
    if not report.rounds:
        return False
    panels = figure.subplots(1, 3)
    shown = (
        ("ess", "effective sample size / n"),
        ("temperature", "resampling temperature"),
        ("distinct_ancestors", "distinct ancestors / n"),
    )
    for axes, (name, label) in zip(panels, shown, strict=True):
        for i, method in enumerate(_methods(report)):
            rounds = [r for r in report.rounds if r.method == method]
            if rounds:
                named = f"{method}, n = {rounds[0].budget}"
                axes.plot([r.t for r in rounds], [getattr(r, name) for r in rounds], label=named, **_style(i))
        axes.set_xlabel("step")
        axes.set_title(label, fontsize=10)
        axes.grid(alpha=0.3)
        axes.set_ylim(*((0.95, max(1.5, axes.get_ylim()[1])) if name == "temperature" else (0, 1.05)))
    _legend(figure, panels[0])
    return True


def _calibration(report: Report, figure: Any) -> bool:
    if report.calibration is None:
        return False
    axes = figure.subplots()
    depths = report.calibration.depths
    at = [depth.depth for depth in depths]
    axes.plot(at, [100 * d.mean_score for d in depths], label="mean score", **_style(0))
    axes.plot(at, [100 * d.ended_right for d in depths], label="ended with the right answer", **_style(1))
    gaps = [d.overconfidence for d in depths]
    axes.errorbar(at, [100 * g.mean for g in gaps], _bars(gaps), label="the first minus the second", **_style(2), capsize=2)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.grid(alpha=0.3)
    axes.set_xticks(at)
    axes.set_xlabel("after step")
    axes.set_ylabel("%")
    axes.set_title(
        "final solutions of resampling searches" if report.calibration.selected else "solutions of one particle each",
        fontsize=10,
    )
    _legend(figure, axes)
    return True


def _confidence(report: Report, figure: Any) -> bool:
    """Draw the reliability diagram above the histogram of the confidences."""
    if report.confidence is None:
        return False
    figure.set_size_inches(5, 6)
    upper, lower = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    bins = report.confidence.bins
    upper.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="calibrated")
    label = f"all searches, ECE {100 * report.confidence.ece:.1f} %"
    upper.plot([b.mean for b in bins], [b.right for b in bins], label=label, **_style(0))
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of answers that are right")
    upper.legend(loc="upper left", frameon=False, fontsize=9)
    lower.bar([b.mean for b in bins], [b.share for b in bins], width=0.05, color="C0")
    lower.set(xlabel="confidence", ylabel="share of searches")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return True


def _latency(report: Report, figure: Any) -> bool:
    timed = [cell for cell in report.cells if cell.seconds is not None and cell.slowest_seconds is not None]
    if not timed:
        return False
    axes = figure.subplots()
    for i, method in enumerate(_methods(report)):
        cells = [cell for cell in timed if cell.method == method]
        axes.plot([c.budget for c in cells], [c.seconds for c in cells], label=method, **_style(i))
        axes.plot([c.budget for c in cells], [c.slowest_seconds for c in cells], **_style(i) | {"linestyle": ":", "marker": ""})
    _scale(axes, sorted({cell.budget for cell in timed}), "budget: particles")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"seconds alone: median of {timed[0].n_timed}, dotted the slowest")
    _legend(figure, axes)
    return True


def _methods(report: Report) -> list[str]:
    return list(dict.fromkeys(cell.method for cell in report.cells))


def _style(i: int) -> dict[str, Any]:
    return {"color": f"C{i % 10}", "marker": MARKERS[i % len(MARKERS)], "markersize": 5, "linewidth": 1.4}


def _bars(intervals: Sequence[Interval]) -> list[list[float]]:
    return [[100 * (s.mean - s.low) for s in intervals], [100 * (s.high - s.mean) for s in intervals]]


def _scale(axes: Any, ticks: Sequence[int], label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)


def _legend(figure: Any, axes: Any) -> None:
    """Put the legend below the picture, in as many columns as the longest name allows; the picture grows with the rows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, min(4, LEGEND_CHARACTERS // (max(map(len, labels)) + LINE_CHARACTERS)))
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW_INCHES * max(0, math.ceil(len(labels) / columns) - 3))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


PICTURES: Mapping[str, tuple[str, Callable[[Report, Any], bool]]] = MappingProxyType(
    {
        "Accuracy against budget": ("accuracy_by_budget.png", _accuracy_by_budget),
        "Accuracy against generated tokens": ("accuracy_by_tokens.png", _accuracy_by_tokens),
        "Diversity over steps": ("diversity.png", _diversity),
        "Confidence": ("confidence.png", _confidence),
        "The reward model by depth": ("calibration.png", _calibration),
        "Latency": ("latency.png", _latency),
    }
)
