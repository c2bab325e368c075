"""Groups readings into classes: a class holds only readings of which each equals every other."""

from collections.abc import Sequence

from epf.search.answers.reading import Reading, same


def group(readings: Sequence[Reading | None]) -> tuple[int, ...]:
    """Class of each reading, ``(len(readings),)``: 0, 1, ... in order of first occurrence, -1 for None.

    A reading joins the first class all of whose members it equals. Equality is not transitive where an answer may mean two
    things, so equality with one member is not enough: no class ever holds two answers that differ.
    """
    members: list[list[Reading]] = []
    known: dict[Reading | None, int] = {None: -1}
    for reading in readings:
        if reading is None or reading in known:
            continue
        index = next((i for i, others in enumerate(members) if all(same(reading, other) for other in others)), len(members))
        if index == len(members):
            members.append([])
        members[index].append(reading)
        known[reading] = index
    return tuple(known[reading] for reading in readings)
