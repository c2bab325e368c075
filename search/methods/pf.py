"""Particle filtering as published in Rollout Roulette (arXiv 2502.01618): no annealing, no look-ahead.

The paper draws ancestors multinomially, which is an option here; systematic resampling, the default, has less variance.
"""

from epf.search.methods.epf import run_epf
from epf.search.methods.method import RESAMPLING, Method

PF = Method(
    "pf",
    "plain particle filtering",
    run_epf,
    own=RESAMPLING | {"ess_threshold"},
    fixed={"annealing": "none", "lookahead": "none", "odds_power": 1.0},
)
