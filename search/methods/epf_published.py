"""Entropic particle filtering with the settings that are known of the paper (arXiv 2510.05825) and of its_hub 1.2.0.

Theirs: the temperature max(1, (N / ESS)(1 - t / T)) while ESS < N/2 and t < T/2, systematic resampling at every step by the
odds of the newest score, and the answer of the particle with the highest score. T is the cap on steps, which is 300 according
to a summary of the paper. So few solutions come near it that annealing never ends, and the temperature is N / ESS. Only the
abstract of the paper was available to us, so what its code does stands for what the paper says.

``epf`` differs in T, the expected length of a solution, in the power of the odds, and in the answer, for which all particles
vote.
"""

from epf.search.methods.epf import run_epf
from epf.search.methods.method import Method

PUBLISHED_HORIZON = 300

EPF_PUBLISHED = Method(
    "epf_published",
    "entropic particle filtering with the published settings",
    run_epf,
    own=frozenset({"straggler_quantile"}),
    fixed={
        "annealing": "ess",
        "ess_threshold": 0.5,
        "early_phase": 0.5,
        "horizon": PUBLISHED_HORIZON,
        "resampling": "systematic",
        "weighting": "current",
        "resample_finished": True,
        "lookahead": "none",
        "odds_power": 1.0,
        "answer_selection": "argmax",
    },
)
