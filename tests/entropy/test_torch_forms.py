"""Training forms of the tools: their values are those of the plain functions, their gradients those of finite differences."""

import numpy as np
import pytest

from entropy.ranking import ranking

torch = pytest.importorskip("torch", reason="torch is not installed; the extra `torch` or `train` has it")

from entropy.training.pld import pld_loss  # noqa: E402


def problems(n=6, c=5, seed=0):
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, 3, (2, n, c))
    return student, teacher, rng.integers(0, c, n)


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_pld_and_its_gradient_are_those_of_the_plain_function(tau):
    student, teacher, right = problems()
    s = torch.tensor(student, requires_grad=True)
    loss = pld_loss(s, torch.tensor(teacher), torch.tensor(right), tau=tau)
    loss.sum().backward()
    plain = ranking(student, teacher, right, tau=tau)
    np.testing.assert_allclose(loss.detach(), plain.loss, rtol=1e-12)
    np.testing.assert_allclose(s.grad, plain.gradient, atol=1e-12)


def test_pld_s_gradient_is_that_of_finite_differences():
    student, teacher, right = (torch.tensor(part) for part in problems())
    present = torch.rand(student.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    present[torch.arange(len(right)), right] = True
    for there in (None, present):
        assert torch.autograd.gradcheck(
            lambda s, there=there: pld_loss(s, teacher, right, present=there), student.requires_grad_()
        )


def test_candidates_that_are_not_there_do_not_count():
    student, teacher, _ = problems()
    right = np.zeros(len(student), dtype=np.intp)
    present = torch.ones(student.shape, dtype=torch.bool)
    present[:, 3:] = False
    s = torch.tensor(student, dtype=torch.float32, requires_grad=True)
    loss = pld_loss(s, torch.tensor(teacher, dtype=torch.float32), torch.tensor(right), present=present)
    loss.sum().backward()
    np.testing.assert_allclose(loss.detach(), ranking(student[:, :3], teacher[:, :3], right).loss, rtol=1e-5)
    assert (s.grad[:, 3:] == 0).all()


def test_the_teacher_is_not_trained():
    student, teacher, right = (torch.tensor(part) for part in problems())
    pld_loss(student.requires_grad_(), teacher.requires_grad_(), right).sum().backward()
    assert teacher.grad is None
