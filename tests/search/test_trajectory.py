from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.core.generator import Finish, Step
from epf.search.engine.trajectory import Trajectory, append_step
from tests.search.scripted import step


def after(*steps: Step) -> Trajectory:
    trajectory = Trajectory()
    for s in steps:
        assert trajectory.status == "running"
        trajectory = append_step(trajectory, s, "\n\n")
    return trajectory


def test_tokens_and_texts() -> None:
    trajectory = after(step("ab", "length"), step("cd"), step("e"), step("", "eos"))
    assert trajectory.texts == ("abcd", "e")
    assert trajectory.solution("\n\n") == "abcd\n\ne"
    assert trajectory.token_ids == (97, 98, 99, 100, 0, 101, 0, 2)
    assert trajectory.status == "finished"


def test_a_cut_step_that_ends_exactly_at_its_separator_is_not_empty() -> None:
    trajectory = after(step("ab", "length"), step(""))
    assert (trajectory.status, trajectory.texts) == ("running", ("ab",))


def test_the_rest_of_a_step_begins_the_next_one() -> None:
    trajectory = after(replace(step("a"), rest="\n"), step("b", "length"), step("c", "eos"))
    assert trajectory.texts == ("a", "\nbc")
    assert trajectory.solution("\n\n") == "a\n\n\nbc"
    assert append_step(after(replace(step("a"), rest="\n")), step("", "eos"), "\n\n").texts == ("a",)


def test_a_stop_can_lie_in_the_rest_of_a_step() -> None:
    trajectory = append_step(after(replace(step("a"), rest="b")), step("c"), "\n\n", ("bc",))
    assert (trajectory.status, trajectory.texts, trajectory.solution("\n\n")) == ("finished", ("a",), "a\n\n")


def test_a_particle_dies_after_three_equal_steps() -> None:
    twice = after(step("a"), step("a"))
    assert append_step(twice, step("a"), "\n\n") == replace(twice, status="dead")
    assert append_step(twice, step("b"), "\n\n").status == "running"
    assert append_step(append_step(twice, step("b"), "\n\n"), step("a"), "\n\n").status == "running"
    assert append_step(twice, step("a", "eos"), "\n\n").status == "finished"


def test_a_particle_that_repeats_cut_steps_dies_too() -> None:
    assert (
        append_step(after(step("ha ha ", "length"), step("ha ha ", "length")), step("ha ha ", "length"), "\n\n").status
        == "dead"
    )


@pytest.mark.parametrize("text", ["so \\boxed{5}.", "so\n#### 5", "<answer>5</answer>"])
def test_a_step_that_settles_the_answer_ends_the_particle(text: str) -> None:
    trajectory = after(step("2 + 3 = 5"), step(text))
    assert (trajectory.status, trajectory.steps[-1].finish) == ("finished", "answer")
    assert append_step(Trajectory(), step(text, "length"), "\n\n").status == "running"


@pytest.mark.parametrize("text", ["The answer is 5.", "**Final answer:** 5", "so \\boxed{5", "#### 5. Add", "A: 5"])
def test_a_particle_goes_on_after_a_step_that_may_be_on_the_way_to_the_answer(text: str) -> None:
    assert after(step(text), step("That is wrong."), step("so \\boxed{6}")).status == "finished"


def test_what_a_model_thinks_ends_no_particle() -> None:
    drafts = (step("<think>maybe \\boxed{3}"), step("\\boxed{4}"), step("or \\boxed{5}</think>"))
    trajectory = after(*drafts, step("So \\boxed{6}."))
    assert [s.finish for s in trajectory.steps] == ["separator", "separator", "separator", "answer"]


@pytest.mark.parametrize("fatal", [step("", "eos"), step("\n", "eos")])
def test_a_particle_that_writes_nothing_dies(fatal: Step) -> None:
    assert after(fatal) == Trajectory(status="dead")


@pytest.mark.parametrize("blank", [step(""), step(" \t")])
def test_a_blank_step_is_no_reason_to_die(blank: Step) -> None:
    """Models begin with a blank line, and write two where one would do."""
    assert after(blank).status == "running"
    longer = after(blank, step("1 + 1 = 2"), blank, blank, step("So 2", "eos"))
    assert (longer.status, longer.texts) == ("finished", ("1 + 1 = 2", "So 2"))
    assert after(step("1 + 1 = 2"), blank, blank, blank).status == "dead"


def test_equal_steps_stay_separate_objects() -> None:
    same = step("a")
    assert append_step(Trajectory(), same, "\n\n").steps[0] is not append_step(Trajectory(), same, "\n\n").steps[0]


@given(st.lists(st.tuples(st.text(max_size=6), st.sampled_from(["separator", "length", "eos"])), max_size=8))
def test_any_text_leaves_a_trajectory_in_a_defined_state(pieces: list[tuple[str, Finish]]) -> None:
    trajectory = Trajectory()
    for text, finish in pieces:
        longer = append_step(trajectory, replace(step("x", finish), text=text), "\n\n")
        assert longer.status in ("running", "finished", "dead")
        if longer.status == "dead":
            assert longer.steps == trajectory.steps
            break
        assert len(longer.steps) == len(trajectory.steps) + 1
        assert (longer.status == "finished") == (longer.steps[-1].finish in ("eos", "answer"))
        trajectory = longer
        if trajectory.status == "finished":
            assert trajectory.texts
            break
