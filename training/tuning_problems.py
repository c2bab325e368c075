"""Write the problems from which the profile of an embedded pair is learned: ``python -m epf.training.tuning_problems PAIR``.

They are no problems that a benchmark measures, so that what is learned from them can be measured.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from epf.engines.onnx.pairs import FORKS, FORKS_OVERCONFIDENT, STORIES
from epf.problem_sets.forks.problems import mazes
from epf.problem_sets.synthetic.problems import problems

N_PROBLEMS = 600


def _stories() -> Iterator[tuple[str, int]]:
    return ((problem.text, problem.answer) for problem in problems(555_001, "test", 4, 8))


def _forks() -> Iterator[tuple[str, int]]:
    return ((maze.text, maze.answer) for maze in mazes(555_002))


SOURCES: Mapping[str, Callable[[], Iterator[tuple[str, int]]]] = {
    STORIES.name: _stories,
    FORKS.name: _forks,
    FORKS_OVERCONFIDENT.name: _forks,
}


def main() -> None:
    """Print the problems as JSON Lines."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pair", choices=SOURCES)
    for text, answer in islice(SOURCES[parser.parse_args().pair](), N_PROBLEMS):
        print(json.dumps({"problem": text, "answer": answer}))


if __name__ == "__main__":
    main()
