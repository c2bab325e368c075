"""Mazes that decide early and show it late: problems with a plan.

A maze has parts. At the start of each part the way forks, and all ways on look alike: corridors of the same length, of which
one ends at a gate and the others at dead ends. The next part begins at the gate. Whoever stands at a fork would have to follow
every way to its end, door by door, to know the right one; whoever walks has to choose, and learns at the end of the corridor.

The design is ours. A fork from which all paths look alike is what makes path-star graphs hard for next-token prediction
(Bachmann and Nagarajan, "The pitfalls of next-token prediction", 2024, section 4).
"""

from dataclasses import dataclass

import numpy as np

ROOMS = range(10, 100)
"""Names of rooms: all numbers of two digits, so that a tokenizer can make each one token."""


@dataclass(frozen=True, slots=True)
class Part:
    """The ways on from a fork, each with its rooms up to the gate or dead end, and the index of the way to the gate."""

    ways: tuple[tuple[int, ...], ...]
    right: int

    @property
    def gate(self) -> int:
        """The room at the end of the right way."""
        return self.ways[self.right][-1]

    @property
    def dead_ends(self) -> tuple[int, ...]:
        """The rooms at the ends of the other ways."""
        return tuple(way[-1] for i, way in enumerate(self.ways) if i != self.right)


@dataclass(frozen=True, slots=True)
class Maze:
    """The room where the walk starts, the parts in order, and the text of the problem."""

    start: int
    parts: tuple[Part, ...]
    text: str

    @property
    def answer(self) -> int:
        """The last gate."""
        return self.parts[-1].gate

    def walk(self, choices: tuple[int, ...]) -> tuple[str, ...]:
        """Return the steps of a walk that takes way ``choices[i]`` of part i: one step a door, then the answer.

        The walk ends at the first dead end, where the answer is that room, or at the last gate.
        """
        steps, room = [], self.start
        for part, choice in zip(self.parts, choices, strict=True):
            for to in part.ways[choice]:
                steps.append(f"{room}-{to}{_end(part, to)}.")
                room = to
            if choice != part.right:
                break
        return (*steps, f"The answer is \\boxed{{{room}}}.")

    @property
    def solution(self) -> tuple[str, ...]:
        """The steps of the walk through all gates."""
        return self.walk(tuple(part.right for part in self.parts))


def draw_maze(rng: np.random.Generator, n_parts: int, n_ways: int, length: int, habit: float = 0.0) -> Maze:
    """Draw a maze with ``n_parts`` parts of ``n_ways`` ways with ``length`` rooms each.

    With probability ``habit`` the right way from a fork is the one whose first room has the lowest number, else any.

    Raises:
        ValueError: it has more rooms than there are names.
    """
    n_rooms = 1 + n_parts * n_ways * length
    if n_rooms > len(ROOMS):
        raise ValueError(f"A maze has at most {len(ROOMS)} rooms, not {n_rooms}.")
    start, *rooms = (int(room) for room in rng.choice(ROOMS, n_rooms, replace=False))
    ways = [tuple(rooms[i : i + length]) for i in range(0, len(rooms), length)]
    parts = tuple(_part(rng, tuple(ways[i : i + n_ways]), habit) for i in range(0, len(ways), n_ways))
    return Maze(start, parts, _text(rng, start, parts))


def _part(rng: np.random.Generator, ways: tuple[tuple[int, ...], ...], habit: float) -> Part:
    lowest = min(range(len(ways)), key=lambda i: ways[i][0])
    return Part(ways, lowest if rng.random() < habit else int(rng.integers(len(ways))))


def _end(part: Part, room: int) -> str:
    return " gate" if room == part.gate else " dead end" if room in part.dead_ends else ""


def _text(rng: np.random.Generator, start: int, parts: tuple[Part, ...]) -> str:
    doors, ends, fork = [], [], start
    for part in parts:
        doors += [f"{a}-{b}" for way in part.ways for a, b in zip((fork, *way), way, strict=False)]
        ends += [f"{way[-1]}{_end(part, way[-1])}" for way in part.ways]
        fork = part.gate
    rng.shuffle(doors)
    rng.shuffle(ends)
    return (
        f"One-way doors lead from room to room: {' '.join(doors)}. At the ends: {', '.join(ends)}. "
        f"Walk from room {start} through all gates. Which gate is the last?"
    )
