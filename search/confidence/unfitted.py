"""A confidence without a fitted map: what the reward model claims and how many agree, taken at face value.

It is an ordering with sane ends rather than a measured probability: low where every score is low, where few solutions have an
answer, or where solutions disagree; high only where solutions with high scores agree. ``epf calibrate`` fits a map that makes
it a probability.
"""

from epf.search.confidence.evidence import Evidence


def unfitted(evidence: Evidence) -> float:
    """Confidence in [0, 1].

    With scores it is the highest score of a supporter times the supporters' share of all scores, where a solution without an
    answer counts in full against it. Without scores it is the supporters' share of all solutions and one more that disagrees,
    so that one solution alone has 0.5 and eight that agree have 0.89.
    """
    if evidence.score is None:
        return evidence.n_supporters / (evidence.n_solutions + 1)
    total = evidence.answered + evidence.n_solutions - evidence.n_answered
    return evidence.score * (evidence.support / total) if total > 0 else 0.0
