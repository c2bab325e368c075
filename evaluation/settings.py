"""What ``run.json`` holds: all that the results of a run depend on."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from epf.evaluation.plan import Plan
from epf.search.options import SearchConfig

DEFAULTS = asdict(SearchConfig())


def settings_of(
    plan: Plan, options: Mapping[str, Any], *, dataset: str, models: Mapping[str, Mapping[str, Any]], version: str
) -> dict[str, Any]:
    """``options`` are those that all methods share; ``models`` says which two models, without their keys."""
    chosen = {name: value for name, value in options.items() if value != DEFAULTS[name]}
    return {
        "version": version,
        "dataset": dataset,
        "methods": list(dict.fromkeys(cell.contender.name for cell in plan.cells)),
        "cells": [[cell.contender.name, cell.budget] for cell in plan.cells],
        "seeds": plan.seeds,
        "timed": plan.timed,
        "search": {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()},
        **models,
        "problems": {problem.id: problem.digest for problem in plan.problems},
    }
