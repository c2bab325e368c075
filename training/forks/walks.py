"""Training rows of the generator of the pair ``forks``: a maze and several walks of a walker who guesses at every fork.

The walks of a row share the prompt, as the solutions of the reward model's rows do (:mod:`epf.training.reward_model.examples`);
the label of a token is the token that follows it. So the generator learns to follow doors, to say where a walk ended, and at a
fork to take each way with the same probability: it is not asked to know the right one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from tokenizers import Tokenizer

from epf.problem_sets.forks.maze import Maze, draw_maze
from epf.problem_sets.forks.problems import LENGTH, SIZES
from epf.training.reward_model.examples import Batch, Row, collate
from epf.training.tokenizer import END, prompt, solution_ids


def random_walk(rng: np.random.Generator, maze: Maze) -> tuple[str, ...]:
    """Return the steps of a walk that takes each way at a fork with the same probability."""
    return maze.walk(tuple(int(rng.integers(len(part.ways))) for part in maze.parts))


def walks_row(tokenizer: Tokenizer, maze: Maze, walks: Sequence[tuple[str, ...]]) -> Row:
    """Return the tokens of a maze and some walks, each labelled with the token after it; -1 in the prompt and after the end."""
    ids = tokenizer.encode(prompt(maze.text)).ids
    n = len(ids)
    row = Row(list(ids), list(range(n)), [0] * n, [-1] * n, [1.0] * n)
    for segment, steps in enumerate(walks, start=1):
        tokens = [token for step in solution_ids(tokenizer, steps, END) for token in step]
        row.labels[n - 1] = tokens[0]  # all walks begin in the same room
        row.ids.extend(tokens)
        row.positions.extend(range(n, n + len(tokens)))
        row.segments.extend([segment] * len(tokens))
        row.labels.extend([*tokens[1:], -1])
        row.weights.extend([1.0] * len(tokens))
    return row


def maze_of_level(rng: np.random.Generator, level: float) -> Maze:
    """Draw a maze with as many parts as one of the set ``forks`` with probability ``level``, else with a single one.

    Half of the mazes have ways as long as those of the set. In the others they are shorter, so that more of the doors are at
    forks, which are harder to learn than corridors.
    """
    n_parts, n_ways = SIZES[int(rng.integers(len(SIZES)))]
    length = LENGTH if rng.random() < 0.5 else int(rng.integers(1, LENGTH))
    return draw_maze(rng, n_parts if rng.random() < level else 1, n_ways, length)


def batches(
    tokenizer: Tokenizer, rng: np.random.Generator, levels: Iterator[float], n_mazes: int, n_walks: int
) -> Iterator[Batch]:
    """Yield batches of ``n_mazes`` mazes with ``n_walks`` walks, of the level that is next."""
    for level in levels:
        mazes = [maze_of_level(rng, level) for _ in range(n_mazes)]
        yield collate(
            tokenizer, [walks_row(tokenizer, maze, [random_walk(rng, maze) for _ in range(n_walks)]) for maze in mazes]
        )
