"""How well the confidence of a pair predicts whether its answers are right: ``python -m benchmarks.confidence --pair NAME``.

Searches with ``epf`` and eight particles on the first problems of four sets on which the map was not fitted: problems of kinds
that the pair knows (``synthetic`` for ``stories``, the battery for ``plain``); SVAMP and GSM8K's test problems of at most 160
characters; and 60 plain questions (arithmetic, algebra, other languages, no mathematics). The rows are kept in
``runs/confidence/measured``; their confidence is computed with the map that ships now. Writes ``confidence_NAME.json``,
``.md`` and ``.png`` into ``benchmarks/results``.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.engines.onnx.pairs import DEFAULT_PAIR, PAIRS, STORIES, ShippedPair
from epf.evaluation.report.confidence import SURE
from epf.evaluation.report.text import table
from epf.evaluation.rows import Row
from epf.evaluation.run import Evaluation, evaluate
from epf.evaluation.store import read_run
from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import DATA, load_problems
from epf.reward_models.calibration import expected_calibration_error, reliability
from epf.search.answers.conclusion import NOT_ENOUGH
from epf.search.confidence.file import load_map
from epf.service.searches.models import open_models
from epf.service.settings import Settings
from epf.training.confidence.problems import MAX_GSM8K_CHARS, write
from epf.training.plain.json_lines import read_rows

COMMAND = "python -m benchmarks.confidence"
PLAIN = Path(__file__).parent / "data" / "confidence_questions.jsonl"
N_PARTICLES = 8
SEED = 5
N_DRAWS = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One set, or several: figures of their searches, in percent where they are fractions.

    ``ece_by_chance`` is the median ECE of as many searches if their confidence were exactly the probability to be right.
    """

    name: str
    n: int
    right: float
    mean_confidence: float
    ece: float
    ece_by_chance: float
    mean_share: float
    ece_of_share: float
    n_sure: int
    sure_right: int


Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Confidence, share of the vote, and whether the answer is right, each ``(n,)``."""


def own(pair: ShippedPair, limit: int) -> dict[str, list[Problem]]:
    """Return problems of kinds that the pair knows, by the name of their set."""
    if pair == STORIES:
        return {"synthetic": load_problems("synthetic", limit)}
    rows = read_rows(DATA / "plain_questions.jsonl")
    return {"battery": [Problem(row["id"], row["problem"], row["answer"] or NOT_ENOUGH) for row in rows]}


def sets(pair: ShippedPair, limit: int) -> Mapping[str, list[Problem]]:
    """Return the first ``limit`` problems of each set, and all plain questions; those that the pair knows come first."""
    short = [problem for problem in load_problems("gsm8k") if len(problem.text) <= MAX_GSM8K_CHARS]
    return {
        **own(pair, limit),
        "SVAMP": load_problems("svamp", limit),
        "GSM8K, short": short[:limit],
        "plain questions": load_problems(str(PLAIN)),
    }


async def search(pair: ShippedPair, problems: Sequence[Problem], directory: Path) -> list[Row]:
    """Search on every problem, or go on where an earlier call stopped, and return the rows."""
    directory.mkdir(parents=True, exist_ok=True)
    write(list(problems), directory / "problems.jsonl")
    evaluation = Evaluation(str(directory / "problems.jsonl"), directory / "run", "epf", (N_PARTICLES,), seeds=1, timed=0)
    await evaluate(evaluation, lambda: open_models(Settings(generator=pair.name)))
    return read_run(directory / "run")[1]


def found(pair: ShippedPair, rows: Sequence[Row], problems: Sequence[Problem]) -> Found:
    """Return the confidences by the map that ships; a search that concludes nothing has confidence 0."""
    shipped, texts = load_map(pair.confidence), {problem.id: problem.text for problem in problems}
    confidence = [0.0 if row.evidence is None else shipped(texts[row.problem], row.evidence) for row in rows]
    return np.array(confidence), np.array([row.share for row in rows]), np.array([row.correct for row in rows], np.float64)


def line(name: str, values: Found) -> Line:
    """Return the figures of a set."""
    confidence, share, right = values
    sure = confidence > SURE
    return Line(
        name=name,
        n=len(right),
        right=100 * float(right.mean()),
        mean_confidence=100 * float(confidence.mean()),
        ece=100 * expected_calibration_error(confidence, right),
        ece_by_chance=100 * chance(confidence),
        mean_share=100 * float(share.mean()),
        ece_of_share=100 * expected_calibration_error(share, right),
        n_sure=int(sure.sum()),
        sure_right=int(right[sure].sum()),
    )


def chance(confidence: np.ndarray) -> float:
    """Return the median ECE over outcomes that are drawn with the confidences as their probabilities."""
    drawn = np.random.default_rng(SEED).random((N_DRAWS, len(confidence))) < confidence
    return float(np.median([expected_calibration_error(confidence, right) for right in drawn]))


def joined(values: Sequence[Found]) -> Found:
    """Return several sets as one."""
    confidence, share, right = (np.concatenate(arrays) for arrays in zip(*values, strict=True))
    return confidence, share, right


def page(result: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    header = (
        "problems",
        "n",
        "right",
        "mean confidence",
        "ECE",
        "by chance",
        "mean share",
        "ECE of the share",
        "above 0.9",
        "of them right",
    )
    rows = [
        (
            one["name"],
            one["n"],
            *(
                f"{one[name]:.1f}"
                for name in ("right", "mean_confidence", "ece", "ece_by_chance", "mean_share", "ece_of_share")
            ),
            one["n_sure"],
            one["sure_right"],
        )
        for one in result["lines"]
    ]
    return "\n".join(
        [
            f"# Confidence of the pair `{result['pair']}`",
            "",
            f"`{result['command']}`: one search with `epf` and {N_PARTICLES} particles per problem, on problems that the map",
            "was not fitted on. In percent but for the numbers of searches. The expected calibration error (ECE) is over ten",
            "bins of equal width; *by chance* is the median ECE that as many searches would have if their confidence were",
            "exactly the probability to be right.",
            "",
            table(header, rows),
            "",
            f"![Reliability diagram](confidence_{result['pair']}.png)",
            "",
        ]
    )


def draw(values: Mapping[str, Found], path: Path) -> None:
    """Draw the reliability diagrams of the pair's own problems and of all others, and the histograms of their confidences."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    own, *others = values
    parts = {own: values[own], "all others": joined([values[name] for name in others])}
    figure, panels = pyplot.subplots(2, 2, figsize=(9, 5.5), height_ratios=(4, 1), sharex=True, layout="constrained")
    for column, (name, (confidence, share, right)) in enumerate(parts.items()):
        upper, lower = panels[0, column], panels[1, column]
        upper.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="calibrated")
        for i, (label, value) in enumerate((("confidence", confidence), ("share of the vote", share))):
            score, is_right, fraction = reliability(value, right).T
            ece = 100 * expected_calibration_error(value, right)
            upper.plot(score, is_right, marker="o", markersize=4, color=f"C{i}", label=f"{label}: ECE {ece:.1f} %")
            lower.plot(score, fraction, marker="o", markersize=4, color=f"C{i}")
        upper.set(title=f"{name}, {len(right)} searches", xlim=(0, 1), ylim=(0, 1))
        upper.legend(loc="upper left", frameon=False, fontsize=9)
        lower.set(ylim=(0, 1))
    panels[0, 0].set_ylabel("share of answers that are right")
    panels[1, 0].set_ylabel("share of searches")
    figure.supxlabel("confidence, or share of the vote")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> None:
    """Search, compute the figures, write them and draw the diagram."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", choices=PAIRS, default=DEFAULT_PAIR.name, help="name of the pair (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=500, help="number of problems of each set, from the first")
    parser.add_argument("--runs", type=Path, default=Path("runs/confidence/measured"), help="directory of the searches")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    pair, values = PAIRS[arguments.pair], dict[str, Found]()
    for name, problems in sets(pair, arguments.limit).items():
        directory = arguments.runs / pair.name / name.lower().replace(", ", "-").replace(" ", "-")
        values[name] = found(pair, asyncio.run(search(pair, problems, directory)), problems)
    first, *others = values
    lines = [line(name, one) for name, one in values.items()]
    lines.append(line(f"all but {first}", joined([values[name] for name in others])))
    lines.append(line("all", joined(list(values.values()))))
    command = f"{COMMAND} --pair {pair.name} --limit {arguments.limit}"
    result = {"command": command, "pair": pair.name, "lines": [asdict(one) for one in lines]}
    draw(values, arguments.out / f"confidence_{pair.name}.png")
    save(arguments.out / f"confidence_{pair.name}.json", result, page(result))


if __name__ == "__main__":
    main()
