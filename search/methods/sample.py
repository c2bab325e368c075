"""One plain sample, as the generator writes it, without steps, reward model or vote: the baseline of every search."""

from functools import partial

from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.self_consistency import run_self_consistency

SAMPLE = Method(
    "sample",
    "one plain sample of the generator, no search and no reward model",
    partial(run_self_consistency, shown=True),
    fixed={"n_particles": 1, "separator": "", "answer_selection": "majority", **UNFILTERED},
    needs_reward_model=False,
    resamples=False,
    by_steps=False,
)
