"""``benchmarks/results/regimes.md``: every figure of the benchmark, and how near it is to what was expected."""

from collections.abc import Mapping, Sequence

from benchmarks.regimes.cells import EXPERIMENT, MAP, PLACES
from benchmarks.regimes.expected import tolerance
from benchmarks.regimes.summary import Line
from epf.evaluation.report.text import table

COMMAND = "make bench-regimes"
ABOUT = f"""\
`{COMMAND}`. Every filter is the kernel of `search/smc/`, called for each problem at each step; only the language model
and the reward model are numbers. The worlds are described in `benchmarks/regimes/plan.py`, `forks.py` and
`countdown.py`, the methods in `cells.py`. After ± stands the standard error over problems, in points; gains over PF are
paired by problem. Steps are those that were sampled, as a multiple of PF's.

In `plan` the particles vote, in `forks` and `countdown` a right solution can be checked, so that one is enough; there
`best_of_n` means any of N free samples. *Calibrated* readings are multiplied by the slope of their depth, learned from
40,000 free samples of other problems; *guesses x 0.25* multiplies readings before a checkpoint by that number."""


DISTINCT = """\
An experiment. Copies of a particle that write the same step hold the same prefix, and the effective sample size counts
them apart. *Distinct prefixes* anneals by the effective number of distinct prefixes instead, with the published rule:
`benchmarks/regimes/distinct.py`. In the worlds of `plan` no two particles are equal, so that both are the same there."""
OTHERS = """\
The other side of `plan` and `forks` was 2000 and 1500 problems with 2 seeds. Its look-ahead gave all particles the same
weight after the draw: that is the *uncorrected look-ahead* here, while the kernel keeps the second-stage weight. Its
Countdown problems are not known. Ours were chosen among about ten ranges of numbers and eight of targets, by the share
of free samples that succeed. The clip and the late error of the reward model were chosen by the slopes, after some figures of
the methods had been seen."""


SHORT_WORLDS = {
    "plan, noisy early": "the plan decides; early scores are noise",
    "plan, noisy and over-confident": "the same, and early scores are over-confident",
    "forks, 3 stages of 3 ways": "forks that are misread alike by all who take them",
    "plan, calibrated": "the plan decides; scores are sharp",
    "countdown, 5 numbers, exact": "every step decides; scores are sharp",
}
SHORT_METHODS = {
    "best_of_n": "best of N",
    "pf": "`pf`",
    "epf": "`epf`",
    "epf_published": "published ePF",
    "epf_published, look-ahead": "with look-ahead",
    "pf, calibrated": "`pf`, calibrated",
    "pf_once, power 0.25": "`pf_once`, power 0.25",
    "pf_once, calibrated": "`pf_once`, calibrated",
}
SHORT_N = 16


def short_table(lines: Sequence[Line]) -> str:
    """What methods solve in five worlds, in percent; the best ones, up to their error, are in bold."""
    rows = []
    for place, words in SHORT_WORLDS.items():
        here = {line.method: line for line in lines if (line.place, line.n) == (place, SHORT_N)}
        best = max((here[method] for method in SHORT_METHODS), key=lambda line: line.solved)
        shown = [here[method] for method in SHORT_METHODS]
        rows.append(
            (words, *(f"**{s.solved:.0f}**" if s.solved >= best.solved - best.error else f"{s.solved:.0f}" for s in shown))
        )
    return table(("world", *SHORT_METHODS.values()), rows)


def page(lines: Sequence[Line], slopes: Mapping[str, Sequence[float]]) -> str:
    """The page."""
    parts = ["# In which world which filter wins", ABOUT, "## The worlds"]
    for place, where in PLACES.items():
        here = [line for line in lines if line.place == place]
        shown = ", ".join(f"{slope:.2f}" for slope in slopes[place])
        size = f"{where.n_problems} problems, {where.n_seeds} seed{'s' if where.n_seeds > 1 else ''}."
        parts += [f"### {place[0].upper()}{place[1:]}", f"{size} Slopes by depth: {shown}.", _place(here, where.methods)]
    parts += ["## The map between them", _map_size(), *(_map(lines, n) for n in next(iter(MAP.values())).particles)]
    parts += ["## Annealing by distinct prefixes", DISTINCT]
    for place, where in EXPERIMENT.items():
        here = [line for line in lines if line.place == place]
        name, searches = place.removeprefix("distinct: "), where.n_problems * where.n_seeds
        parts += [f"{name[0].upper()}{name[1:]}, {searches} searches:", _place(here, where.methods)]
    parts += ["## Compared with another implementation", *_expected(lines)]
    return "\n\n".join(parts) + "\n"


def _place(lines: Sequence[Line], methods: Sequence[str]) -> str:
    numbers = sorted({line.n for line in lines})
    by_cell = {(line.n, line.method): line for line in lines}
    header = ["method", *(f"N = {n}: solved, %" for n in numbers), *(f"N = {n}: minus PF" for n in numbers), "steps"]
    rows = []
    for method in methods:
        cells = [by_cell[n, method] for n in numbers]
        solved = [f"{cell.solved:.1f} ± {cell.error:.1f}" for cell in cells]
        gains = ["" if method == "pf" else f"{cell.gain:+.1f} ± {cell.gain_error:.1f}" for cell in cells]
        rows.append((method, *solved, *gains, f"{cells[-1].steps:.2f}"))
    return table(header, rows)


def _map_size() -> str:
    where = next(iter(MAP.values()))
    return f"{where.n_problems} problems in each world; the differences from PF are in points."


def _map(lines: Sequence[Line], n: int) -> str:
    by_cell = {(line.place, line.method): line for line in lines if line.n == n}
    methods = [method for method in next(iter(MAP.values())).methods if method != "pf"]
    rows = []
    for place in MAP:
        gains = [f"{by_cell[place, m].gain:+.1f} ± {by_cell[place, m].gain_error:.1f}" for m in methods]
        rows.append((place, f"{by_cell[place, 'pf'].solved:.1f}", *gains))
    return f"N = {n}:\n\n" + table(("world", "PF, %", *methods), rows)


def _expected(lines: Sequence[Line]) -> list[str]:
    known = [line for line in lines if line.expected is not None]
    near = [line for line in known if line.reproduced]
    rows = [
        (
            line.place,
            line.n,
            line.method,
            f"{line.expected:.1f}",
            f"{line.solved:.1f}",
            f"{line.off:+.1f}",
            f"{line.z:+.1f}",
            "yes" if line.reproduced else "no",
        )
        for line in known
    ]
    header = ("world", "N", "method", "expected, %", "found, %", "off", "off in standard errors", "within")
    bars = f"{tolerance('plan'):.0f} points, {tolerance('countdown'):.0f} in Countdown"
    return [
        f"These worlds were first simulated by code that shares nothing with this package. {len(near)} of {len(known)} figures "
        f"are within {bars}. Both sides are samples: a difference of one standard error is as good as none.",
        OTHERS,
        table(header, rows),
    ]
