"""``epf eval``: methods and budgets on a data set, with a report, or the comparison of two such runs."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from epf.cli.command import Command, escaped, field_options, given_options
from epf.cli.models import ALL, PROFILE, announced_models, model_options, named_models
from epf.core.errors import InvalidRequest
from epf.problem_sets.columns import parse_columns
from epf.search.options import SearchOptions

NOT_SHARED = ("method", "n_particles", "seed", "logprobs", "top_logprobs")
"""Options of a search that the run itself chooses, or that add nothing to its rows."""


def _budgets(text: str) -> tuple[int, ...]:
    """Numbers with commas between them, each once, in rising order."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of whole numbers of at least 1. Write it as 1,4,16.")
    return tuple(sorted({int(part) for part in parts}))


@click.command(
    "eval",
    cls=Command,
    params=field_options(SearchOptions, without=NOT_SHARED, heading="Shared search options", text=escaped),
    examples=(
        "epf eval --dataset synthetic --limit 20 --seeds 1 --methods epf,pf,best_of_n --budgets 1,4 --out runs/first",
        "epf eval --dataset gsm8k --methods pf,epf+lookahead=reuse --temperature 0.6 --out runs/lookahead",
        "epf eval --dataset problems.csv --columns problem=Prompt,answer=Target --out runs/table",
        "epf eval --dataset problems.jsonl --ray local --workers 4 --out runs/mine",
        "epf eval --generator http://localhost:8001 --dataset svamp --limit 50 --budgets 1,8 --out runs/own",
        "epf eval --compare runs/first runs/lookahead",
    ),
)
@click.option(
    "--dataset",
    metavar="SET",
    help="Problems with answers: synthetic, forks, gsm8k, svamp, math500, aime24, hf:NAME[:CONFIG][@SPLIT], or a file "
    ".jsonl, .json, .csv, .tsv or .parquet, also with .gz.",
)
@click.option(
    "--columns",
    type=parse_columns,
    metavar="MAP",
    help="Columns of a file or of a set on the hub, where they have other names: problem=Prompt,answer=Target,id=Key.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory of rows and report. The same command resumes the run there.",
)
@click.option(
    "--methods",
    default="all",
    show_default=True,
    metavar="LIST",
    help="Methods, with commas between them; the others are compared with the first. Options of one method follow it after a "
    "plus, as in pf,epf+lookahead=reuse.",
)
@click.option(
    "--budgets", type=_budgets, default="1,2,4,8,16,32", show_default=True, metavar="LIST", help="Numbers of particles."
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Number of searches per problem, method and budget.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of problems, from the first of the set. Without it, all.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    metavar="N",
    help="Maximum number of searches that run at the same time, on each worker.",
)
@click.option(
    "--timed",
    type=int,
    default=5,
    show_default=True,
    metavar="N",
    help="Number of problems whose first searches run alone, to measure their latency.",
)
@click.option(
    "--exact-labels",
    is_flag=True,
    help="Also search with a reward model that knows which steps are right, as a ceiling; for the sets synthetic and forks.",
)
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="A B",
    help="Compare the runs in two directories instead of running one.",
)
@click.option(
    "--ray", metavar="ADDRESS", help="Spread the searches over the Ray cluster at this address; `local` starts one here."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of Ray workers, each with its own models. Without it, one per node.",
)
@click.option(
    "--worker-gpus", type=float, default=0.0, show_default=True, metavar="X", help="Number of GPUs that each Ray worker holds."
)
@model_options(*ALL, PROFILE)
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    dataset: str | None,
    columns: Mapping[str, str] | None,
    out: Path | None,
    methods: str,
    budgets: tuple[int, ...],
    seeds: int,
    limit: int | None,
    concurrency: int,
    timed: int,
    exact_labels: bool,
    compare: tuple[Path, Path] | None,
    ray: str | None,
    workers: int | None,
    worker_gpus: float,
    generator: str | None,
    reward_model: tuple[str, ...],
    family: str | None,
    tokenizer: str | None,
    examples: str | None,
    profile: str | None,
    **_: Any,
) -> int:
    """Compare methods and budgets on a data set, and write a report.

    The models and the defaults of the search options are those of `epf serve`: set EPF_GENERATOR and so on. Ctrl-C writes the
    report on the searches that have ended; the same command resumes the run.
    """
    if compare is not None:
        from epf.cli.evaluating import show_comparison

        return show_comparison(*compare)
    if dataset is None or out is None:
        raise InvalidRequest("epf eval needs --dataset and --out, or --compare with two runs.", param="dataset")
    from epf.cli.evaluating import Cluster, identities, run
    from epf.cli.settings import read_settings
    from epf.evaluation.run import Evaluation
    from epf.service.searches.models import open_models

    settings = read_settings(**named_models(generator, reward_model, family, tokenizer, examples, profile=profile))
    defaults = {name: value for name, value in settings.search.chosen().items() if name not in NOT_SHARED}
    evaluation = Evaluation(
        dataset,
        out,
        methods=methods,
        budgets=budgets,
        seeds=seeds,
        limit=limit,
        timed=max(0, timed),
        options={**defaults, **given_options(context, SearchOptions)},
        models=identities(settings),
        columns=columns or {},
        has_reward_model=settings.has_reward_model,
        profile=settings.learned,
        exact_labels=exact_labels,
    )
    cluster = None if ray is None else Cluster(ray, workers, worker_gpus)
    load_models = context.obj or partial(announced_models if cluster is None else open_models, settings)
    return run(evaluation, load_models, cluster, concurrency=concurrency)
