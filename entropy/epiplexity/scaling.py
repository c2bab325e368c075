"""Epiplexity from a scaling law, in closed form and without training a model.

Finzi et al. (arXiv 2601.03220), Appendix B.3. If a model with N parameters that was trained on D tokens has the loss

    L(N, D) = E + (N0 / N)^alpha + (D0 / D)^beta    per token,

in nats or bits, the prequential length of the model is S = beta / (1 - beta) D0^beta D^(1 - beta). For a data set of D_test
tokens and a compute C = 6 N D + 2 N D_test in FLOPs, the shortest two-part code has the D with

    beta D0^beta (D_test - D) D^(-beta - 1) = 3 alpha D_test N0^alpha 2^alpha C^-alpha (3 D + D_test)^(alpha - 1)

and N = C / (2 (3 D + D_test)). As compute grows, D approaches D_test.
"""

from dataclasses import dataclass
from math import exp, log

from epf.core.extras import import_extra

LARGEST_LOG_ODDS = 700.0
"""Bounds of ln(D / (D_test - D)); no exponent above 0.001 and amounts between 1e-9 and 1e30 lead to an optimum beyond them."""


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    """Loss per token as a function of parameters and training tokens; alpha and beta are in (0, 1)."""

    alpha: float
    beta: float
    n0: float
    d0: float
    e: float

    def loss(self, parameters: float, tokens: float) -> float:
        """L(N, D)."""
        return float(self.e + (self.n0 / parameters) ** self.alpha + (self.d0 / tokens) ** self.beta)

    def structure(self, tokens: float) -> float:
        """Prequential length, in the unit of the loss, of a model that was trained on this number of tokens."""
        return self.beta / (1.0 - self.beta) * float(self.d0**self.beta * tokens ** (1.0 - self.beta))


@dataclass(frozen=True, slots=True)
class Optimum:
    """The shortest two-part code within a compute budget.

    Attributes:
        tokens, parameters: D and N of the model.
        structure, noise: S_T and H_T of the data set, in the unit of the loss.
        structure_limit: S with unbounded compute.
    """

    tokens: float
    parameters: float
    structure: float
    noise: float
    structure_limit: float


def optimum(law: ScalingLaw, compute: float, test_tokens: float) -> Optimum:
    """The shortest two-part code of a data set of ``test_tokens`` within ``compute`` FLOPs."""
    optimize = import_extra("scipy.optimize", "entropy")
    right = log(3.0 * law.alpha * test_tokens) + law.alpha * log(2.0 * law.n0 / compute)

    def imbalance(fraction_log_odds: float) -> float:
        # The unknown is the log odds of D / D_test, so that no digits of D or of D_test - D are lost near either end.
        log_part, log_rest = -_softplus(-fraction_log_odds), -_softplus(fraction_log_odds)
        log_d = log(test_tokens) + log_part
        left = log(law.beta) + law.beta * log(law.d0) + log(test_tokens) + log_rest - (law.beta + 1.0) * log_d
        return left - right - (law.alpha - 1.0) * log(3.0 * exp(log_d) + test_tokens)

    part = exp(-_softplus(-float(optimize.brentq(imbalance, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, xtol=1e-13))))
    tokens = part * test_tokens
    parameters = compute / (2.0 * (3.0 * tokens + test_tokens))
    return Optimum(
        tokens=tokens,
        parameters=parameters,
        structure=law.structure(tokens),
        noise=test_tokens * law.loss(parameters, tokens),
        structure_limit=law.structure(test_tokens),
    )


def _softplus(x: float) -> float:
    """Returns ln(1 + exp x) without overflow."""
    return max(x, 0.0) + log(1.0 + exp(-abs(x)))
