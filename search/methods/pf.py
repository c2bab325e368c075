"""Particle filtering as published in Rollout Roulette (arXiv 2502.01618): no annealing, no look-ahead.

The paper draws ancestors multinomially, an option here; systematic resampling, the default, has less variance.
"""

from epf.search.methods.epf import run_filter
from epf.search.methods.method import Method

PF = Method(
    "pf",
    "plain particle filtering",
    run_filter,
    own=frozenset({"ess_threshold", "resampling", "weighting", "resample_finished", "straggler_quantile"}),
    fixed={"annealing": "none", "lookahead": "none", "odds_power": 1.0},
)
