"""Two sets of traces, separated by a label."""

from collections.abc import Sequence

from epf.entropy.core.checks import number_of, refuse
from epf.entropy.core.schema import Label
from epf.entropy.traces import Trace


def two_sets(traces: Sequence[Trace], split: str, between: Sequence[str]) -> tuple[list[int], list[int]]:
    """Returns the numbers of the traces whose ``split`` has the first and the second value.

    ``split`` is ``correct`` or the name of a label. ``between`` names the two values, written as in JSON without quotes. If it
    is empty, the label must have exactly two values, which are taken in order of first occurrence. Traces with another value,
    or without one, belong to neither set.

    Raises:
        InvalidRequest: There are not two values, or one of ``between`` does not occur.
    """
    sets: dict[str, list[int]] = {}
    for i, trace in enumerate(traces):
        label = trace.correct if split == "correct" else trace.labels.get(split)
        if label is not None:
            sets.setdefault(_written(label), []).append(i)
    if between and len(set(between)) != 2:
        raise refuse("between", f"has {number_of(len(set(between)), 'value')}", "name two")
    if not between and len(sets) != 2:
        raise refuse("split", f"has {number_of(len(sets), 'value')} in these traces", "name two of them with between")
    for i, name in enumerate(between):
        if name not in sets:
            raise refuse(f"between.{i}", f"is not a value of {split}", f"choose one of {', '.join(sets)}")
    first, second = between or sets
    return sets[first], sets[second]


def _written(label: Label) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
