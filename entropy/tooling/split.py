"""Two sets of traces, told apart by what is known of each."""

from collections.abc import Sequence

from epf.entropy.core.checks import refuse
from epf.entropy.core.schema import Label
from epf.entropy.traces import Trace


def two_sets(traces: Sequence[Trace], split: str, between: Sequence[str]) -> tuple[list[int], list[int]]:
    """Numbers of the traces whose ``split``, ``correct`` or a name among labels, has the first and the second value.

    ``between``: the two values, written as in JSON without quotes. Empty: the only two that there are, as they first occur.
    Traces with another value, or without one, are in neither set.

    Raises:
        InvalidRequest: there are not two values, or one of ``between`` does not occur.
    """
    sets: dict[str, list[int]] = {}
    for i, trace in enumerate(traces):
        label = trace.correct if split == "correct" else trace.labels.get(split)
        if label is not None:
            sets.setdefault(_written(label), []).append(i)
    if between and len(set(between)) != 2:
        raise refuse("between", f"has {len(set(between))} values", "name two")
    if not between and len(sets) != 2:
        raise refuse("split", f"has {len(sets)} values in these traces", "name two of them with between")
    for i, name in enumerate(between):
        if name not in sets:
            raise refuse(f"between.{i}", f"is no value of {split}", f"choose of {', '.join(sets)}")
    first, second = between or sets
    return sets[first], sets[second]


def _written(label: Label) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
