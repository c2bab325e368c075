"""Evidence as numbers on which a confidence is fitted, with the sign that each of them must have."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from epf.search.confidence.evidence import Evidence
from epf.search.confidence.familiarity import Novelty

MAX_LOGIT = 8.0
MAX_SURPRISE = 2.0

SIGNS: Mapping[str, int] = MappingProxyType(
    {
        "score": 1,
        "rival": -1,
        "agreement": 1,
        "answered": 1,
        "supporters": 1,
        "doubt": -1,
        "steps": 0,
        "unused": -1,
        "foreign": -1,
        "false": -1,
        "numberless": -1,
    }
)
"""Features of the evidence."""

NOVELTY_SIGNS: Mapping[str, int] = MappingProxyType({"novel": 0, "n_novel": 0, "length": 0})
"""Features of a problem's wording."""


def features(evidence: Evidence) -> dict[str, float]:
    """Features by name; without scores there is neither ``score`` nor ``rival``.

    Scores are log odds, cut at +-8. ``agreement`` and ``answered`` are fractions of all solutions, ``supporters`` a logarithm;
    ``doubt`` is the root of the mean negative log probability of the tokens, in nats, cut at 2 nats;
    ``false`` and ``numberless`` are 1 for a false equation and for a problem without a number.
    """
    found = {
        "agreement": evidence.n_supporters / evidence.n_solutions,
        "answered": evidence.n_answered / evidence.n_solutions,
        "supporters": math.log(evidence.n_supporters),
        "steps": float(min(evidence.n_steps, 12)),
        "unused": float(min(evidence.n_unused, 3)),
        "foreign": float(min(evidence.n_foreign, 2)),
        "false": float(min(evidence.n_false, 1)),
        "numberless": float(evidence.n_given == 0),
    }
    if evidence.score is not None:
        found["score"] = _logit(evidence.score)
        found["rival"] = -MAX_LOGIT if evidence.rival is None else _logit(evidence.rival)
    if evidence.log_prob is not None:
        found["doubt"] = math.sqrt(min(max(-evidence.log_prob, 0.0), MAX_SURPRISE))
    return found


def novelty_features(novelty: Novelty) -> dict[str, float]:
    """Features by name: the root of the novel fraction, and the logarithms of the number of novel triples and of all."""
    return {
        "novel": math.sqrt(novelty.n_novel / novelty.n_triples),
        "n_novel": math.log1p(novelty.n_novel),
        "length": math.log(novelty.n_triples),
    }


def _logit(p: float) -> float:
    limit = 1 / (1 + math.exp(MAX_LOGIT))
    clipped = min(max(p, limit), 1 - limit)
    return math.log(clipped / (1 - clipped))
