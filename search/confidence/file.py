"""The JSON file of a confidence map, in which a person can read every weight."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epf.core.errors import InvalidRequest
from epf.search.confidence.familiarity import Wordings
from epf.search.confidence.fitted import ConfidenceMap, Fit, Outside
from epf.search.confidence.logistic import Logistic

DIGITS = 6
"""Significant digits of a weight in the file."""


def save_map(found: ConfidenceMap, path: Path) -> None:
    """Write a file for :func:`load_map`.

    Raises:
        InvalidRequest: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(value_of(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {path}: {error.strerror}.", param="out") from error


def value_of(found: ConfidenceMap) -> dict[str, Any]:
    """A map as a JSON value, for :func:`map_of`."""
    value: dict[str, Any] = {
        "generator": found.generator,
        "reward_model": found.reward_model,
        "n_searches": found.n_searches,
        "recipe": found.recipe,
        **_fit_out(found.fit),
    }
    if (elsewhere := found.elsewhere) is not None:
        value["elsewhere"] = {
            "outside": _logistic_out(elsewhere.outside),
            "limit": _rounded(elsewhere.limit),
            **_fit_out(elsewhere.fit),
            "words": " ".join(elsewhere.wordings.words),
            "triples": sorted(elsewhere.wordings.triples),
        }
    return value


def load_map(path: Path) -> ConfidenceMap:
    """Read a file that :func:`save_map` wrote.

    Raises:
        InvalidRequest: the file cannot be read, or is not a confidence map.
    """
    try:
        return map_of(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="confidence") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"{path} is not a confidence map ({type(error).__name__}: {error}): write one with epf calibrate"
        raise InvalidRequest(message, param="confidence") from error


def map_of(value: Mapping[str, Any]) -> ConfidenceMap:
    """The map that a JSON value stands for.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it does not stand for one.
    """
    elsewhere = value.get("elsewhere")
    return ConfidenceMap(
        generator=_text(value["generator"]),
        reward_model=None if value["reward_model"] is None else _text(value["reward_model"]),
        n_searches=int(value["n_searches"]),
        recipe=_text(value["recipe"]),
        fit=_fit_in(value),
        elsewhere=None if elsewhere is None else _elsewhere_in(elsewhere),
    )


def _elsewhere_in(value: Mapping[str, Any]) -> Outside:
    wordings = Wordings(tuple(value["words"].split(" ")), frozenset(map(_text, value["triples"])))
    limit = float(value["limit"])
    if not 0 < limit < 1:
        raise ValueError("the limit is no probability between 0 and 1")
    return Outside(wordings, _logistic_in(value["outside"]), limit, _fit_in(value))


def _fit_out(fit: Fit) -> dict[str, Any]:
    return {
        name: None if one is None else _logistic_out(one) for name, one in (("scored", fit.scored), ("unscored", fit.unscored))
    }


def _fit_in(value: Mapping[str, Any]) -> Fit:
    return Fit(*(None if value[name] is None else _logistic_in(value[name]) for name in ("scored", "unscored")))


def _logistic_out(logistic: Logistic) -> dict[str, Any]:
    return {
        "bias": _rounded(logistic.bias),
        "weights": {name: _rounded(weight) for name, weight in logistic.weights.items()},
        "means": {name: _rounded(mean) for name, mean in logistic.means.items()},
    }


def _logistic_in(value: Mapping[str, Any]) -> Logistic:
    weights, means = ({str(name): float(x) for name, x in value[key].items()} for key in ("weights", "means"))
    if weights.keys() != means.keys():
        raise ValueError("weights and means have different names")
    bias = float(value["bias"])
    if not all(map(math.isfinite, (bias, *weights.values(), *means.values()))):
        raise ValueError("a number is not finite")
    return Logistic(bias, weights, means)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value
