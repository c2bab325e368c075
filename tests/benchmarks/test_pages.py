"""The pages in benchmarks/results are the ones that the code writes from the recorded figures."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import answers, calibration, confidence, methods, overconfidence, real_model, search_overhead, service_overhead
from benchmarks.loop_hold import page as loop_hold
from benchmarks.output import RESULTS
from benchmarks.regimes import page as regimes
from benchmarks.regimes.summary import Line
from epf.evaluation.report.statistics import Interval


def recorded(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def page_on_overconfidence() -> str:
    result = recorded("overconfidence")
    depths = [
        overconfidence.Depth(**{**row, "overconfidence": Interval(**row["overconfidence"])}) for row in result["by_depth"]
    ]
    lines = []
    for row in result["filters"]:
        gaps = {name: row[name] and Interval(**row[name]) for name in ("accuracy", "at_same_n", "at_same_tokens")}
        lines.append(overconfidence.Line(**{**row, **gaps}))
    return overconfidence.page(depths, lines)


def page_on_regimes() -> str:
    result = recorded("regimes")
    return regimes.page([Line(**line) for line in result["lines"]], result["slopes"])


PAGES: dict[str, Callable[[], str]] = {
    "answers": lambda: answers.page(recorded("answers")),
    "calibration": lambda: calibration.page(recorded("calibration")),
    "confidence_plain": lambda: confidence.page(recorded("confidence_plain")),
    "confidence_stories": lambda: confidence.page(recorded("confidence_stories")),
    "loop_hold": lambda: loop_hold.page(recorded("loop_hold")),
    "methods/table": lambda: methods.short_table(recorded("methods/report")) + "\n",
    "overconfidence": page_on_overconfidence,
    "real_model": lambda: real_model.page([real_model.Line(**line) for line in recorded("real_model")["lines"]]),
    "regimes": page_on_regimes,
    "search_overhead": lambda: search_overhead.page(recorded("search_overhead")["lines"]),
    "service_overhead": lambda: service_overhead.page(recorded("service_overhead")["lines"]),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_follows_from_its_figures(name: str) -> None:
    assert (RESULTS / f"{name}.md").read_text(encoding="utf-8") == PAGES[name]()


def test_the_page_on_its_hub_follows_from_its_figures() -> None:
    its_hub = pytest.importorskip("benchmarks.its_hub_accuracy", exc_type=ImportError)
    result = recorded("its_hub")
    page = its_hub.page(result["arms"], result["problems"], result["seeds"], result["n"])
    assert (RESULTS / "its_hub.md").read_text(encoding="utf-8") == page
