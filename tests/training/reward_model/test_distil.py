"""The batch that a teacher ranks: positions of solution ends, the right solution first, padding not a candidate."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from epf.engines.onnx.pairs import STORIES
from epf.entropy.ranking.maths import ranking
from epf.problem_sets.synthetic.problem import SEPARATOR, SyntheticProblem
from epf.training.tokenizer import token_id

torch = pytest.importorskip("torch", reason="torch is not installed; the extra `train` has it")
pytest.importorskip("transformers", reason="transformers is not installed; the extra `train` has it")

from epf.training.reward_model.distil import Teacher, at_ends, ranking_loss  # noqa: E402
from epf.training.reward_model.examples import Batch, collate, row  # noqa: E402

TOKENIZER = Tokenizer.from_file(str(STORIES.generator / "tokenizer.json"))
PROBLEM = SyntheticProblem("There are 45 birds. 17 fly away. How many are left?", ("45 - 17 = 28.",), 28)
WRONG, SLIP = ("45 - 17 = 38.", "The answer is \\boxed{38}."), ("45 - 17 = 28.", "The answer is \\boxed{27}.")


def batch() -> Batch:
    rows = [row(TOKENIZER, PROBLEM, [WRONG, PROBLEM.solution, SLIP]), row(TOKENIZER, PROBLEM, [PROBLEM.solution])]
    return collate(TOKENIZER, rows)


def test_solutions_end_at_their_last_separator() -> None:
    made = batch()
    assert (made.ends >= 0).tolist() == [[True, True, True], [True, False, False]]
    assert at_ends(made.ids, made)[made.ends >= 0].tolist() == [token_id(TOKENIZER, SEPARATOR)] * 4
    assert at_ends(made.labels, made)[made.ends >= 0].tolist() == [0, 1, 0, 1]


def test_the_right_solution_is_ranked_first_and_padding_is_ignored() -> None:
    student = torch.tensor([[0.3, -0.2, 0.9], [2.0, 5.0, 5.0]])
    teacher = torch.tensor([[2.0, 1.0, -1.0], [0.0, 9.0, 9.0]])
    expected = ranking(np.array([[0.3, -0.2, 0.9]]), np.array([[2.0, 1.0, -1.0]]), np.array([1])).loss
    loss = ranking_loss(student, teacher, batch())
    assert loss.item() == pytest.approx(expected[0] / 2, rel=1e-5)  # a single candidate has no loss


def test_the_shipped_model_as_teacher_ranks_the_right_solution_first() -> None:
    made = batch()
    logits = Teacher(STORIES.reward_model, "cpu").logits(made)
    assert logits[0].argmax() == 1
    alone = Teacher(STORIES.reward_model, "cpu").logits(collate(TOKENIZER, [row(TOKENIZER, PROBLEM, [PROBLEM.solution])]))
    torch.testing.assert_close(logits[0, 1], alone[0, 0], atol=1e-3, rtol=0)  # candidates of a row do not see each other
