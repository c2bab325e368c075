"""``epf calibrate``: a confidence map for the models of an evaluation."""

from pathlib import Path

import click

from epf.cli.command import Command


@click.command(
    "calibrate",
    cls=Command,
    examples=(
        "epf eval --dataset problems.jsonl --methods epf --budgets 1,8 --out runs/mine",
        "epf calibrate runs/mine --out confidence.json",
        "EPF_CONFIDENCE=confidence.json epf serve",
    ),
)
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of the map. Without it, confidence.json in RUN.",
)
def calibrate(run: Path, out: Path | None) -> int:
    """Fit the confidence to your models on RUN, a directory of epf eval.

    RUN needs answers to at least 50 problems like those that you will ask, some right and some wrong. Evaluate the methods and
    budgets that you will use. EPF_CONFIDENCE names the map for the other commands. If RUN has independent solutions that were
    scored after every step (`best_of_n+aggregation=mean`), it also shows how much the score is worth at each depth.
    """
    from epf.evaluation.calibrate import calibrate as fit_map
    from epf.evaluation.slope_by_depth import slope_by_depth
    from epf.evaluation.store import read_run
    from epf.evaluation.unselected import independent_solutions
    from epf.search.confidence.file import save_map

    file = run / "confidence.json" if out is None else out
    _, rows = read_run(run)
    fitted = fit_map(rows, f"epf calibrate {run.name}")
    save_map(fitted.map, file)
    models = " with ".join(filter(None, (fitted.map.generator, fitted.map.reward_model)))
    print(
        f"{file}: the confidence of {models}, fitted on {fitted.n_searches} "
        f"searches on {fitted.n_problems} problems.\nExpected calibration error, unfitted: {100 * fitted.ece_unfitted:.1f} %; "
        f"fitted, on problems that were held out: {100 * fitted.ece_held_out:.1f} %.\nTo use it: EPF_CONFIDENCE={file}"
    )
    if (slopes := slope_by_depth(independent_solutions(rows))) is not None:
        print(f"{slopes} epf tune finds out what that means for the search.")
    return 0
