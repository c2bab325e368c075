"""One plain sample, as the generator writes it: no steps, no reward model, no vote; what a search is compared with."""

from epf.search.methods.method import Method, only_own
from epf.search.methods.sampling import NO_SEARCH
from epf.search.methods.self_consistency import run_self_consistency

SAMPLE = Method(
    "sample",
    "one plain sample of the generator, no search and no reward model",
    run_self_consistency,
    fixed={"n_particles": 1, "separator": "", "answer_selection": "majority", **NO_SEARCH, **only_own()},
    needs_reward_model=False,
    resamples=False,
)
