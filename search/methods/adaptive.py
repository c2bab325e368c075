"""Adaptive sampling: weighted best of n that stops when its answer is certain enough, so that easy problems cost less.

Instance-adaptive scaling (arXiv 2506.09338, of which only a summary was available to us) sets N for each problem from the
calibrated chance that a prefix succeeds. Ours decides after each batch from the answers at hand, as adaptive consistency
(Aggarwal et al., arXiv 2305.11860) does by counting them; the votes are ours:

A finished solution is a vote for its answer, of the size of its score: the expected number of right solutions among its votes
is what an answer has. Of the answer that leads by odds and the next one by votes, the share theta of the leading one has the
posterior Beta(1 + its votes, 1 + the next one's votes); sampling stops when P(theta > 1/2) reaches ``certainty``. So agreement
that the reward model doubts is sampled further. Answers are taken as equal if their texts are.

Batches are of independent solutions and not of a filter's particles: those that share prefixes agree for that reason, which is
no evidence. The first batch is the smallest that could stop if all its solutions agree and are sure to be right (4 at 0.95),
each further one doubles the number; a smaller batch would only take more turns. ``n_particles`` is the most there can be.

Target: p(x) odds(x), as of weighted best of n. The number of solutions depends on what they say, so the shares and
``log_evidence``, means over a random number, are consistent at best; sums over solutions keep their expectation per solution
drawn (Wald).
"""

from collections import defaultdict

import numpy as np

from epf.search.answers.extract import boxed_answer
from epf.search.engine.search_run import Outcome, Run
from epf.search.engine.select_answer import best_so_far
from epf.search.engine.trajectory import Chain
from epf.search.events import Resampled
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.sampling import sample_chains
from epf.search.result import StepRecord, StopReason
from epf.search.smc.certainty import fewest_votes, probability_of_lead
from epf.search.smc.weights import entropy, ess, log_mean, logit


async def run_adaptive(run: Run) -> Outcome:
    """Batches until the answer is certain enough, all solutions are drawn, or time or budget is up."""
    options = run.options
    n = options.n_particles
    chains: list[Chain] = []
    records: list[StepRecord] = []
    cut: StopReason | None = None
    log_weights = np.array([])

    async def judged(chain: Chain, slot: int) -> Chain:
        return await run.judge(chain, chain, len(chain.steps), slot)

    size = fewest_votes(options.certainty, n)
    while len(chains) < n and cut not in ("deadline", "budget"):
        drawn, batch_cut = await sample_chains(run, judged, range(len(chains), min(len(chains) + size, n)))
        chains += drawn
        cut = batch_cut or cut
        log_weights = np.array([float(logit(chain.scores[-1])) if chain.scores else -np.inf for chain in chains])
        records.append(StepRecord(len(records) + 1, ess(log_weights), entropy(log_weights), 1.0, False, len(chains)))
        answer = best_so_far(chains, log_weights, options)
        n_finished = sum(chain.status == "finished" for chain in chains)
        run.emit(Resampled(records[-1], tuple(range(n)), n_finished, answer))
        if answer is not None and _lead(run, chains, answer) >= options.certainty:
            break
        size = len(chains)
    return Outcome(tuple(chains), log_weights, log_mean(log_weights), tuple(records), cut)


def _lead(run: Run, chains: list[Chain], leader: str) -> float:
    """Probability that ``leader`` is more frequent than the answer that comes next by votes, which may be one not seen yet."""
    votes: dict[str | None, float] = defaultdict(float)
    for chain in chains:
        if chain.status == "finished" and chain.scores:
            votes[boxed_answer(chain.solution(run.options.separator))] += chain.scores[-1]
    runner_up = max((vote for answer, vote in votes.items() if answer not in (None, leader)), default=0.0)
    return probability_of_lead(votes[leader], runner_up)


ADAPTIVE = Method(
    "adaptive",
    "independent solutions until the answer is certain, answers vote by the reward model's odds",
    run_adaptive,
    own=frozenset({"certainty"}),
    fixed={"answer_selection": "weighted_vote", **UNFILTERED},
    resamples=False,
)
