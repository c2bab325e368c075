"""Classes of readings: no class holds two that differ, and nothing that could be joined at once is left apart."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from epf.search.answers.classes import group
from epf.search.answers.reading import Reading, same

keys = st.sampled_from("abc")
readings = st.builds(
    Reading,
    key=keys,
    also=st.lists(keys, max_size=2).map(tuple),
    units=st.frozensets(st.sampled_from(["cm", "m"])),
)
lists = st.lists(st.none() | readings, max_size=12)


@given(lists)
def test_no_class_holds_two_readings_that_differ(some: list[Reading | None]) -> None:
    classes = group(some)
    for i, j in combinations(range(len(some)), 2):
        a, b = some[i], some[j]
        if classes[i] == classes[j] and a is not None and b is not None:
            assert same(a, b), (a, b)


@given(lists)
def test_a_reading_that_equals_no_earlier_one_opens_a_class(some: list[Reading | None]) -> None:
    for i, (reading, index) in enumerate(zip(some, group(some), strict=True)):
        if reading is None:
            assert index == -1
        elif not any(same(reading, other) for other in some[:i] if other is not None):
            assert index == max(group(some[:i]), default=-1) + 1


@given(lists)
def test_classes_are_numbered_in_order_and_equal_readings_share_one(some: list[Reading | None]) -> None:
    classes = group(some)
    order = list(dict.fromkeys(index for index in classes if index >= 0))
    assert order == list(range(len(order)))
    assert len(set(zip(some, classes, strict=True))) == len(set(some))


def test_an_answer_between_two_that_differ_joins_only_one() -> None:
    """``y = 2x`` is the expression ``2x`` and an equation; ``12`` is ``12 cm`` and ``12 m``."""
    assert group([Reading("12", units=frozenset({"cm"})), Reading("12"), Reading("12", units=frozenset({"m"}))]) == (0, 0, 1)
    assert group([Reading("12"), Reading("12", units=frozenset({"cm"})), Reading("12", units=frozenset({"m"}))]) == (0, 0, 1)
