"""From the particles at the end of a search to the probability that its answer is right."""

import math
from collections.abc import Sequence

from epf.search.answers.conclusion import NOT_ENOUGH
from epf.search.confidence.evidence import Evidence, Solution, evidence_of
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.confidence.unfitted import unfitted
from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Trajectory
from epf.search.smc.weights import FloatArray


def probability(problem: str, evidence: Evidence | None, confidence: ConfidenceMap | None) -> float:
    """Probability that the answer is right, in [0, 1]: by the map, or unfitted without one. 0 if there is no answer."""
    if evidence is None:
        return 0.0
    return unfitted(evidence) if confidence is None else confidence(problem, evidence)


def evidence_for(
    chosen: int,
    trajectories: Sequence[Trajectory],
    votes: FloatArray,
    answers: Sequence[str | None],
    classes: Sequence[int],
    run: SearchRun,
) -> Evidence:
    """Evidence for the answers of class ``chosen``.

    Args:
        chosen: a class with at least one vote.
        trajectories: the particles, ``(n,)``. Copies share the objects of their steps, so equal objects are one solution.
        votes: log size of each particle's vote, ``(n,)``; -inf is no vote.
        answers: answer of each particle, ``(n,)``; None for a particle that has none or did not finish.
        classes: class of each answer, ``(n,)``; ignored where the answer is None.
        run: the search.
    """
    found: dict[tuple[int, ...], Solution] = {}
    for trajectory, vote, answer, label in zip(trajectories, votes, answers, classes, strict=True):
        log_probs = [log_prob for step in trajectory.steps for log_prob in step.log_probs]
        found[tuple(id(step) for step in trajectory.steps)] = Solution(
            answer=label if answer is not None and vote > -math.inf else None,
            text=trajectory.solution(run.options.separator),
            score=trajectory.scores[-1] if trajectory.scores else None,
            log_prob=math.fsum(log_probs) / len(log_probs) if log_probs else None,
            n_steps=len(trajectory.steps),
            lacks_information=answer == NOT_ENOUGH,
        )
    return evidence_of(run.problem, tuple(found.values()), chosen)
