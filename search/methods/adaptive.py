"""Adaptive sampling: weighted best of n that stops when its answer is certain enough, so that easy problems cost less.

Instance-adaptive scaling (arXiv 2506.09338, of which only a summary was available to us) sets N for each problem from the
calibrated chance that a prefix succeeds. Ours decides after each batch from the answers so far, as adaptive consistency
(Aggarwal et al., arXiv 2305.11860) does by counting them; the votes are ours:

A finished solution is a vote for its answer, of the size of its score, so that the votes of an answer add up to its expected
number of right solutions. Take the answer that leads by odds and the next answer by votes. The share theta of the leading one
has the posterior Beta(1 + its votes, 1 + the next one's votes), and sampling stops when P(theta > 1/2) reaches ``certainty``.
So agreement that the reward model doubts is sampled further. Answers are equal if their texts are.

Batches are independent solutions and not particles of a filter: particles that share prefixes agree for that reason, which is
no evidence. The first batch is the smallest that could stop if all its solutions agree and are sure to be right (4 at 0.95),
and each further batch doubles the number; smaller batches would only take more rounds. ``n_particles`` is the maximum.

Target: p(x) odds(x), that of weighted best of n. The number of solutions depends on their answers, so the shares and
``log_evidence``, means over a random number, are consistent at best; sums over solutions keep their expectation per solution
drawn (Wald).
"""

from collections import defaultdict

import numpy as np

from epf.search.answers.conclusion import conclusion
from epf.search.engine.rounds import is_finished
from epf.search.engine.search_run import SearchRun
from epf.search.engine.select_answer import answers_so_far
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.events import Resampled
from epf.search.methods.method import UNFILTERED, Method
from epf.search.methods.sampling import sample_solutions
from epf.search.result import StepRecord, StopReason
from epf.search.smc.certainty import fewest_votes, probability_of_lead
from epf.search.smc.weights import entropy, ess, log_mean, logit, normalise


async def run_adaptive(run: SearchRun) -> Outcome:
    """Batches until the answer is certain enough, all solutions are drawn, or time or budget is spent."""
    options = run.options
    n = options.n_particles
    trajectories: list[Trajectory] = []
    records: list[StepRecord] = []
    cut: StopReason | None = None
    log_weights = np.array([])

    async def score(trajectory: Trajectory, slot: int) -> Trajectory:
        return await run.score(trajectory, trajectory, len(trajectory.steps), slot)

    size = fewest_votes(options.certainty, n)
    while len(trajectories) < n and cut not in ("deadline", "budget", "model_failed"):
        slots = range(len(trajectories), min(len(trajectories) + size, n))
        batch, batch_cut = await sample_solutions(run, score, slots)
        trajectories += batch
        cut = batch_cut or cut
        log_weights = np.array([float(logit(t.scores[-1])) if t.scores else -np.inf for t in trajectories])
        records.append(StepRecord(len(records) + 1, ess(log_weights), entropy(log_weights), 1.0, False, len(trajectories)))
        answer, shares, confidence = answers_so_far(trajectories, log_weights, run)
        weights = (*normalise(log_weights).tolist(), *[0.0] * (n - len(trajectories)))
        n_finished = int(is_finished(trajectories).sum())
        run.emit(Resampled(records[-1], tuple(range(n)), n_finished, answer, shares, confidence, weights))
        if answer is not None and _lead(run, trajectories, answer) >= options.certainty:
            break
        size = len(trajectories)
    return Outcome(tuple(trajectories), log_weights, log_mean(log_weights), tuple(records), cut)


def _lead(run: SearchRun, trajectories: list[Trajectory], leader: str) -> float:
    """Probability that ``leader`` is more frequent than the next answer by votes, which may be one that has not appeared."""
    votes: dict[str | None, float] = defaultdict(float)
    for trajectory in trajectories:
        if trajectory.status == "finished" and trajectory.scores:
            votes[conclusion(trajectory.solution(run.options.separator))] += trajectory.scores[-1]
    runner_up = max((vote for answer, vote in votes.items() if answer not in (None, leader)), default=0.0)
    return probability_of_lead(votes[leader], runner_up)


ADAPTIVE = Method(
    "adaptive",
    "independent solutions until the answer is certain, answers vote by the reward model's odds",
    run_adaptive,
    own=frozenset({"certainty"}),
    fixed={"answer_selection": "weighted_vote", **UNFILTERED},
    resamples=False,
    by_steps=False,
)
