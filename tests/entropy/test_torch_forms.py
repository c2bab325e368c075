"""The losses over torch tensors: values of the plain functions, gradients of finite differences."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from epf.entropy.attention import maths as plain_attention
from epf.entropy.attention.maths import Granularity
from epf.entropy.core.information import FloatArray, IntArray, entropy_of_counts
from epf.entropy.coupling.maths import costs, coupling, uniform
from epf.entropy.ranking.maths import ranking
from epf.entropy.rate_distortion.coding import encode, information, table
from epf.entropy.tokens import maths as tokens
from epf.entropy.tokens.maths import Form, WeightMap

torch = pytest.importorskip("torch", reason="torch is not installed; the extra `torch` or `train` has it")

from epf.entropy.attention.loss import attention_penalty, row_entropies  # noqa: E402
from epf.entropy.coupling.loss import flow_matching_loss, gibbs_weights  # noqa: E402
from epf.entropy.ranking.loss import pld_loss  # noqa: E402
from epf.entropy.rate_distortion.loss import FactorisedPrior, StochasticBottleneck  # noqa: E402
from epf.entropy.tokens import loss as steer  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Uses one thread, because more threads only wait for each other with tensors this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problems(n: int = 6, c: int = 5, seed: int = 0) -> tuple[FloatArray, FloatArray, IntArray]:
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, 3, (2, n, c))
    return student, teacher, rng.integers(0, c, n)


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_pld_and_its_gradient_agree_with_the_plain_function(tau: float) -> None:
    student, teacher, right = problems()
    s = torch.tensor(student, requires_grad=True)
    loss = pld_loss(s, torch.tensor(teacher), torch.tensor(right), tau=tau)
    loss.sum().backward()
    plain = ranking(student, teacher, right, tau=tau)
    np.testing.assert_allclose(loss.detach(), plain.loss, rtol=1e-12)
    np.testing.assert_allclose(s.grad, plain.gradient, atol=1e-12)


def test_pld_s_gradient_agrees_with_finite_differences() -> None:
    student, teacher, right = (torch.tensor(part) for part in problems())
    present = torch.rand(student.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    present[torch.arange(len(right)), right] = True
    for there in (None, present):
        assert torch.autograd.gradcheck(
            lambda s, there=there: pld_loss(s, teacher, right, present=there), student.requires_grad_()
        )


def test_absent_candidates_do_not_count() -> None:
    student, teacher, _ = problems()
    right = np.zeros(len(student), dtype=np.intp)
    present = torch.ones(student.shape, dtype=torch.bool)
    present[:, 3:] = False
    s = torch.tensor(student, dtype=torch.float32, requires_grad=True)
    loss = pld_loss(s, torch.tensor(teacher, dtype=torch.float32), torch.tensor(right), present=present)
    loss.sum().backward()
    np.testing.assert_allclose(loss.detach(), ranking(student[:, :3], teacher[:, :3], right).loss, rtol=1e-5)
    assert (s.grad[:, 3:] == 0).all()


def test_the_teacher_is_not_trained() -> None:
    student, teacher, right = (torch.tensor(part) for part in problems())
    pld_loss(student.requires_grad_(), teacher.requires_grad_(), right).sum().backward()
    assert teacher.grad is None


def drawn(n: int = 40, k: int = 6, seed: int = 1) -> tuple[FloatArray, IntArray, FloatArray, FloatArray]:
    """Logits, sampled tokens, their log probabilities under the old policy, and their advantages."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, k))
    chosen = rng.integers(0, k, n)
    log_p = tokens.drawn_from(logits, chosen).log_p
    return logits, chosen, log_p + rng.normal(0, 0.3, n), rng.normal(0, 1, n)


@pytest.mark.parametrize("form", ["theorem", "released", "full"])
@pytest.mark.parametrize("weights", ["linear", "exponential"])
def test_steer_s_weights_agree_with_the_plain_function(form: Form, weights: WeightMap) -> None:
    logits, chosen, old, advantage = drawn()
    plain = tokens.drawn_from(logits, chosen)
    expected = tokens.entropy_change(plain, advantage, plain.log_p - old, form=form, clip=tokens.Clip())
    parts = [torch.tensor(part) for part in (logits, chosen, old, advantage)]
    found = steer.entropy_change(*parts, form=form, clip=tokens.Clip())
    np.testing.assert_allclose(found, expected, atol=1e-12)
    mask = torch.arange(len(chosen)) % 5 > 0
    weight = steer.steer_weights(found, mask, weights, low=0.7, high=1.3)
    some = tokens.steer_weights(expected[mask.numpy()], weights, low=0.7, high=1.3)
    np.testing.assert_allclose(weight[mask], some, atol=1e-12)
    assert (weight[~mask] == 0).all()
    alike = steer.steer_weights(torch.ones(3), torch.ones(3, dtype=torch.bool), weights, low=0.7, high=1.3)
    np.testing.assert_allclose(alike, tokens.steer_weights(np.ones(3), weights, low=0.7, high=1.3), rtol=1e-6)


def test_steer_s_gradient_agrees_with_finite_differences_of_the_weighted_loss() -> None:
    logits, chosen, old, advantage = (torch.tensor(part) for part in drawn())
    mask = torch.arange(len(chosen)) % 5 > 0
    logits.requires_grad_()
    steer.steer_loss(logits, chosen, old, advantage, mask).backward()
    change = steer.entropy_change(logits, chosen, old, advantage, form="theorem", clip=tokens.Clip())
    weight = steer.steer_weights(change, mask, "linear", low=0.8, high=1.2).numpy()

    def loss(x: FloatArray) -> float:  # the weights are constants
        ratio = np.exp(tokens.drawn_from(x.reshape(logits.shape), chosen.numpy()).log_p - old.numpy())
        gain = np.minimum(ratio * advantage.numpy(), np.clip(ratio, 0.8, 1.28) * advantage.numpy())
        return float(-(weight * gain).sum() / mask.sum().item())

    numeric = optimize.approx_fprime(logits.detach().numpy().ravel(), loss, 1e-7)
    np.testing.assert_allclose(logits.grad.ravel(), numeric, atol=1e-7)
    assert (logits.grad[~mask] == 0).all()


def test_a_step_on_steer_s_loss_changes_entropy_as_the_full_form_predicts() -> None:
    logits, chosen, old, advantage = (torch.tensor(part) for part in drawn())
    everything, rate = torch.ones_like(chosen, dtype=torch.bool), 1e-4
    change = steer.entropy_change(logits, chosen, old, advantage, form="full", clip=tokens.Clip())
    weight = steer.steer_weights(change, everything, "linear", low=0.8, high=1.2)
    before = torch.distributions.Categorical(logits=logits).entropy()
    logits.requires_grad_()
    (len(chosen) * steer.steer_loss(logits, chosen, old, advantage, everything, form="full")).backward()
    after = torch.distributions.Categorical(logits=logits - rate * logits.grad).entropy()
    np.testing.assert_allclose((after - before).detach() / rate, weight * change, atol=1e-3)


def causal_maps(logits: Any) -> Any:
    """Attention of logits ``(..., t, t)`` under a causal mask."""
    masked = torch.ones(logits.shape[-2:], dtype=torch.bool).triu(1)
    return torch.softmax(logits.masked_fill(masked, -torch.inf), dim=-1)


@pytest.mark.parametrize("granularity", ["head", "query"])
def test_the_attention_penalty_and_its_gradient(granularity: Granularity) -> None:
    logits = torch.tensor(np.random.default_rng(3).normal(0, 3, (2, 3, 5, 5)), requires_grad=True)
    theta = torch.tensor(np.random.default_rng(4).uniform(0.2, 0.8, (2, 3)), requires_grad=True)
    maps = causal_maps(logits).detach().numpy()
    rows = plain_attention.row_entropies(maps)
    charged = rows.mean(axis=-1, keepdims=True) if granularity == "head" else rows
    expected = plain_attention.penalties(charged, 5, theta=theta.detach().numpy()[..., None], gamma=0.15)
    assert 0 < (expected == 0).sum() < expected.size
    np.testing.assert_allclose(row_entropies(torch.tensor(maps)), rows, atol=1e-12)

    def penalty(logits: Any, theta: Any) -> Any:
        return attention_penalty(causal_maps(logits), theta, gamma=0.15, granularity=granularity)

    assert penalty(logits, theta).item() == pytest.approx(expected.mean())
    assert torch.autograd.gradcheck(penalty, (logits, theta))


def test_attention_to_one_token_has_a_finite_gradient() -> None:
    maps = torch.eye(4, dtype=torch.float64).expand(1, 1, 4, 4).clone().requires_grad_()
    attention_penalty(maps, torch.tensor(0.5, dtype=torch.float64)).backward()
    assert torch.isfinite(maps.grad).all()


def pairs(n: int = 8, d: int = 3, seed: int = 1) -> tuple[Any, Any, Any]:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(n, d, dtype=torch.float64, generator=generator) for _ in range(2))
    return x, y, torch.rand(n, 1, dtype=torch.float64, generator=generator)


def test_weighted_flow_matching_uses_the_weights_of_the_coupling() -> None:
    x, y, t = pairs()
    weights = gibbs_weights(x, y, 0.7)
    q = coupling(costs(x.numpy(), y.numpy(), "euclidean"), 0.7, uniform(8), uniform(8)).q.diagonal()
    np.testing.assert_allclose(weights / weights.sum(), q / q.sum(), rtol=1e-12)
    still = flow_matching_loss(lambda t, position: 0 * position, x, y, t, eps=0.7)
    assert float(still) == pytest.approx(float((weights * (y - x).square().sum(1)).mean()))
    right = flow_matching_loss(lambda t, position: (y - position) / (1 - t), x, y, t, eps=0.7)
    assert float(right) == pytest.approx(0, abs=1e-20)
    matrix = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    plain, wide = (flow_matching_loss(lambda t, position: t * position @ matrix, x, y, t, eps=eps) for eps in (None, 1e12))
    assert float(plain) == pytest.approx(float(wide))


def test_the_gradient_of_weighted_flow_matching_agrees_with_finite_differences() -> None:
    x, y, t = pairs()
    matrix = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda matrix: flow_matching_loss(lambda t, position: torch.tanh(t * position @ matrix), x, y, t, eps=0.7), matrix
    )


def test_the_velocity_of_the_coupling_minimises_the_weighted_loss() -> None:
    """With all starts and ends at t = 0, the best constant field is the mean step under the Gibbs coupling."""
    x, y = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([[0.5], [4.0]], dtype=torch.float64)
    starts, ends = x.repeat_interleave(2, 0), y.repeat(2, 1)
    q = coupling(costs(x.numpy(), y.numpy(), "euclidean"), 0.9, uniform(2), uniform(2)).q
    best = float((torch.tensor(q) * (y.T - x)).sum())
    step = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([step])

    def closure() -> Any:
        optimiser.zero_grad()
        loss = flow_matching_loss(lambda t, position: step.expand_as(position), starts, ends, torch.zeros(4, 1), eps=0.9)
        loss.backward()
        return loss

    optimiser.step(closure)
    assert step.item() == pytest.approx(best, rel=1e-6)


def test_a_learned_prior_is_a_density_with_the_gradient_of_finite_differences() -> None:
    torch.manual_seed(0)
    prior = FactorisedPrior(2).double()
    whole = torch.arange(-300.0, 301.0, dtype=torch.float64)[:, None].expand(-1, 2)
    np.testing.assert_allclose(prior.likelihood(whole + 0.3).sum(0).detach(), 1, atol=1e-5)
    np.testing.assert_allclose(prior.logits(prior.medians()[None]).detach(), 0, atol=1e-9)
    z = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(prior.likelihood, z)
    (-torch.log2(prior.likelihood(z)).sum()).backward()
    for parameter in prior.parameters():
        assert torch.isfinite(parameter.grad).all()


def test_a_learned_prior_approaches_the_entropy_and_the_coder_its_length() -> None:
    """One channel has two peaks, which neither a logistic nor a Gaussian prior fits; the other has one wide peak."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    data = np.stack([np.where(rng.random(4000) < 0.5, -6.0, 6.0) + rng.normal(size=4000), rng.normal(2, 3, 4000)], axis=1)
    z = torch.tensor(data, dtype=torch.float32)
    bottleneck = StochasticBottleneck(2)
    optimiser = torch.optim.Adam(bottleneck.parameters(), 2e-2)
    for _ in range(1500):
        optimiser.zero_grad()
        bottleneck(z[torch.randint(4000, (256,))])[1].mean().backward()
        optimiser.step()
    bottleneck.eval()
    with torch.no_grad():
        coarse, bits = bottleneck(z)
        np.testing.assert_array_less((coarse - z).abs(), 0.5 + 1e-4)
        medians = bottleneck.prior.medians()
        steps = torch.round(coarse - medians).to(torch.int64).numpy()
        least = sum(entropy_of_counts(np.unique(column, return_counts=True)[1]) / np.log(2) for column in steps.T)
        assert least <= float(bits.mean()) < least + 0.15
        low, high = steps.min(), steps.max()
        p = bottleneck.prior.likelihood(torch.arange(low, high + 1)[:, None] + medians).double().numpy()
    parts = [(steps[:, j] - low, table(p[:, j])) for j in range(2)]
    information_bits = sum(float(information(symbols, frequencies).sum()) for symbols, frequencies in parts)
    assert information_bits == pytest.approx(float(bits.sum()), rel=1e-2)  # the table includes the tails
    assert information_bits <= 32 * encode(parts).size <= 1.001 * information_bits + 64


def test_expensive_bits_are_spent_on_the_task_only() -> None:
    """Only one of two inputs decides; the other is no longer sent if bits have a price."""
    rng = np.random.default_rng(1)
    x = torch.tensor(rng.normal(size=(2000, 2)), dtype=torch.float32)

    def trained(beta: float) -> tuple[float, float]:
        torch.manual_seed(0)
        encoder, bottleneck, reader = torch.nn.Linear(2, 2), StochasticBottleneck(2), torch.nn.Linear(2, 1)
        parameters = [*encoder.parameters(), *bottleneck.parameters(), *reader.parameters()]
        optimiser = torch.optim.Adam(parameters, 1e-2)
        for _ in range(600):
            rows = x[torch.randint(2000, (128,))]
            optimiser.zero_grad()
            coarse, bits = bottleneck(encoder(rows))
            ((reader(coarse)[:, 0] - rows[:, 0]).square() + beta * bits).mean().backward()
            optimiser.step()
        bottleneck.eval()
        with torch.no_grad():
            coarse, bits = bottleneck(encoder(x))
            return float(bits.mean()), float((reader(coarse)[:, 0] - x[:, 0]).square().mean())

    (rich_bits, rich_error), (poor_bits, poor_error) = trained(0.001), trained(0.1)
    assert poor_bits < 0.6 * rich_bits
    assert rich_error < 0.05 < poor_error < 0.5
    assert poor_error >= 2.0 ** (-2 * poor_bits)  # minimum from R(D) of a Gaussian
