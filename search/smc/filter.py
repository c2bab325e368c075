r"""The filter's one-step kernel: weigh, look ahead, temper, draw.

This is a Feynman-Kac model. Its mutation p(x_t | x_1:t-1) is the language model. Its potentials G_t come from the reward
model's score r_t of the prefix x_1:t, through the log odds l_t = log(r_t / (1 - r_t)) or a multiple of them, whose factor may
depend on t: then read odds_t^power for odds_t below. A finished particle no longer moves, and its l_t stays.

``weighting="current"``
    log G_t = l_t, resampling at every step, weights equal afterwards. This is particle filtering as Rollout Roulette's code
    (arXiv 2502.01618) runs it. Target after T steps: p(x_1:T) prod_t odds_t, in which the score of every prefix counts,
    the final score of a finished particle once more at every later step. Annealing changes the target: step t counts
    odds_t^(1/temperature).
``weighting="incremental"``
    log G_t = l_t - l_(t-1) with l_0 = 0. Log weights accumulate, resampling happens only while ESS is below ``ess_threshold *
    n``. The product telescopes to the target p(x_1:T) odds_T. Ours: a particle drawn at a temperature keeps the part of its
    weight that the draw did not use, log_weight (1 - 1/temperature), so annealing leaves this target exact.

With look-ahead the guide of :mod:`epf.search.smc.lookahead` takes the place of the log weight in the draw, and survivors keep
the negative of what the guide added, under both weightings: the targets above stay (``redraw``; ``reuse`` is a heuristic, see
there).

``resample_finished=False`` leaves finished particles in their slots and draws ancestors among the others only. Under
``incremental`` the drawn group keeps its total weight, so the target stays; under ``current`` weights are made equal as
published, which forgets how much weight each group had: every particle counts by its newest score, and no target is claimed.

A ``reference`` makes it conditional SMC (Andrieu, Doucet & Holenstein 2010): that particle retraces a given trajectory, always
continues itself, and the others draw their ancestors among all, independently (``multinomial``).

``log_evidence`` estimates the log of the target's normalising constant. Its exponential is unbiased under ``incremental``, and
under ``current`` without annealing, in both cases with every particle taking part and look-ahead ``none`` or ``redraw``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from epf.search.smc.annealing import Schedule, temperature
from epf.search.smc.lookahead import guide
from epf.search.smc.weights import RESAMPLERS, BoolArray, FloatArray, IntArray, Scheme, entropy, ess, log_mean, normalise

Weighting = Literal["current", "incremental"]


@dataclass(frozen=True, slots=True)
class FilterConfig:
    """Options of the kernel, explained above and in ``epf.search.options``.

    ``ess_threshold`` is a fraction of n, ``early_phase`` a fraction of ``horizon``, which counts steps; ``lam`` lies in [0, 1].
    """

    weighting: Weighting = "current"
    annealing: Schedule = "ess"
    ess_threshold: float = 0.5
    early_phase: float = 0.5
    horizon: int = 10
    lam: float = 0.5
    resampling: Scheme = "systematic"
    resample_finished: bool = True


@dataclass(frozen=True, slots=True)
class FilterState:
    """State between two steps.

    Attributes:
        t: number of steps taken.
        log_weights: log weights before the next potential, ``(n,)``; -inf for a dead particle that was not replaced.
        logits: l_t of each particle, ``(n,)``; 0 before the first step.
        log_scale: log of the factor that all weights share.
    """

    t: int
    log_weights: FloatArray
    logits: FloatArray
    log_scale: float

    @property
    def log_evidence(self) -> float:
        """Estimate of the log normalising constant of the target so far."""
        return self.log_scale + log_mean(self.log_weights)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the models returned for one step.

    Attributes:
        logits: l_t, finite, ``(n,)``; for a finished particle its last one, for a dead particle any finite number.
        finished, dead: status of each particle, ``(n,)``; a dead particle gets no weight and is never drawn.
        successor_logits: l_(t+1) of the drawn successors, l_t for a particle without one, ``(n,)``; None without look-ahead.
        last: whether no step follows, so that particles are weighed and not resampled.
    """

    logits: FloatArray
    finished: BoolArray
    dead: BoolArray
    successor_logits: FloatArray | None = None
    last: bool = False

    def __post_init__(self) -> None:
        shape = self.logits.shape
        successors = self.logits if self.successor_logits is None else self.successor_logits
        if len(shape) != 1 or any(a.shape != shape for a in (self.finished, self.dead, successors)):
            raise ValueError("an observation holds arrays of one shape (n,)")
        if not np.isfinite(self.logits).all() or not np.isfinite(successors).all():
            raise ValueError("log odds must be finite")


@dataclass(frozen=True, slots=True)
class FilterInfo:
    """Record of one step.

    Attributes:
        log_weights: untempered log weights after this step's potential and before resampling, ``(n,)``.
        ancestors: particle that each slot continues, ``(n,)``; a particle that is drawn stays in its slot, and its other copies
            take the slots of particles that are not. 0..n-1 in order if nothing was drawn.
        ess, entropy: effective sample size and entropy of the weights that steer the draw, among the particles that take part,
            before annealing; 0 if all are dead.
        temperature: temperature of the draw; 1 without a draw.
        resampled: whether ancestors were drawn.
        weights: normalised weights that steer the draw, before annealing, ``(n,)``; all zero if all particles are dead.
        probabilities: probability of each particle in one draw, after annealing, ``(n,)``; zero for one that takes no part.
            None without a draw.
    """

    log_weights: FloatArray
    ancestors: IntArray
    ess: float
    entropy: float
    temperature: float
    resampled: bool
    weights: FloatArray
    probabilities: FloatArray | None = None


def start(n: int) -> FilterState:
    """``n`` equally weighted particles before the first step."""
    return FilterState(0, np.zeros(n), np.zeros(n), 0.0)


def step(
    state: FilterState,
    observation: Observation,
    rng: np.random.Generator,
    config: FilterConfig,
    reference: int | None = None,
) -> tuple[FilterState, FilterInfo]:
    """Weigh the particles of step ``state.t + 1`` and draw those that continue; ``reference`` is a particle that always does.

    If every participating particle is dead, nothing is drawn: the state holds the weights as they are (-inf if all are dead).
    Raises ``ValueError`` for an observation of another n, and for a reference with a scheme whose draws depend on each other.
    """
    n = state.log_weights.size
    if reference is not None and config.resampling != "multinomial":
        raise ValueError(f"with a reference, resampling must draw independently: multinomial, not {config.resampling}")
    if observation.logits.size != n:
        raise ValueError(f"{n} particles but an observation of {observation.logits.size}")
    t = state.t + 1
    log_weights = weigh(state, observation, config)
    steer = look_ahead(log_weights, observation, config)
    group = np.flatnonzero(config.resample_finished | ~observation.finished)
    shown = steer[group] if group.size else steer
    weights = normalise(steer)
    if observation.last or not _draws(log_weights[group], steer[group], config):
        info = FilterInfo(log_weights, np.arange(n), ess(shown), entropy(shown), 1.0, False, weights)
        return FilterState(t, log_weights, observation.logits, state.log_scale), info
    heat = temper(shown, t, config)
    ancestors = in_place(draw(steer / heat, group, rng, config, reference))
    left, log_factor = left_over_weights(log_weights, steer, heat, group, ancestors, config)
    probabilities = np.zeros(n)
    probabilities[group] = normalise(steer[group] / heat)
    info = FilterInfo(log_weights, ancestors, ess(shown), entropy(shown), heat, True, weights, probabilities)
    return FilterState(t, left, observation.logits[ancestors], state.log_scale + log_factor), info


def weigh(state: FilterState, observation: Observation, config: FilterConfig) -> FloatArray:
    """Log w_t = log w_(t-1) + log G_t, ``(n,)``; -inf for a dead particle."""
    previous = state.logits if config.weighting == "incremental" else 0.0
    return np.where(observation.dead, -np.inf, state.log_weights + observation.logits - previous)


def look_ahead(log_weights: FloatArray, observation: Observation, config: FilterConfig) -> FloatArray:
    """Log v = log w + lam (l_successor - l), the weights that steer the draw, ``(n,)``; without look-ahead v = w."""
    if observation.successor_logits is None:
        return log_weights
    unguided = observation.finished | observation.dead
    return guide(log_weights, observation.logits, observation.successor_logits, config.lam, unguided)


def temper(log_weights: FloatArray, t: int, config: FilterConfig) -> float:
    """Temperature >= 1 of the draw at step ``t``, from the weights of the particles that take part."""
    return temperature(
        config.annealing, log_weights, t / config.horizon, threshold=config.ess_threshold, early_phase=config.early_phase
    )


def draw(
    tempered: FloatArray, group: IntArray, rng: np.random.Generator, config: FilterConfig, reference: int | None
) -> IntArray:
    """Ancestors a_i ~ softmax(log v / temperature), ``(n,)``; particles outside ``group`` and ``reference`` stay in place."""
    ancestors = np.arange(tempered.size)
    free = group if reference is None else group[group != reference]
    if free.size:
        ancestors[free] = group[RESAMPLERS[config.resampling](normalise(tempered[group]), free.size, rng)]
    return ancestors


def left_over_weights(
    log_weights: FloatArray, steer: FloatArray, heat: float, group: IntArray, ancestors: IntArray, config: FilterConfig
) -> tuple[FloatArray, float]:
    """Log weights after the draw, ``(n,)``, over the factor exp(c) = mean of v^(1 / temperature), and c.

    A drawn particle keeps what its draw did not use: w / v^(1 / temperature) under ``incremental`` weighting, which leaves the
    target exact, and (w / v)^(1 / temperature) under ``current``, which is 1 without look-ahead.
    """
    tempered = steer / heat
    log_factor = log_mean(tempered[group])
    a = ancestors[group]
    if config.weighting == "incremental":
        left = log_weights - log_factor
        left[group] = log_weights[a] - tempered[a]
    else:
        left = np.zeros(log_weights.size)
        left[group] = (log_weights[a] - steer[a]) / heat
    return left, log_factor


def _draws(log_weights: FloatArray, steer: FloatArray, config: FilterConfig) -> bool:
    """Whether to draw ancestors among particles ``(m,)``: if any lives, and under ``incremental`` weighting if ESS is low."""
    if not steer.size or np.isneginf(steer).all():
        return False
    return config.weighting == "current" or ess(log_weights) < config.ess_threshold * log_weights.size


def in_place(ancestors: IntArray) -> IntArray:
    """The same offspring ``(n,)`` with every surviving particle in its own slot; other copies fill the slots of the dead.

    Slots are exchangeable, so this changes no law. It lets the first copy of a particle go on without waiting for the draw.
    """
    n_copies = np.bincount(ancestors, minlength=ancestors.size)
    placed = np.arange(ancestors.size)
    placed[n_copies == 0] = np.repeat(placed, np.maximum(n_copies - 1, 0))
    return placed
