"""``epiplexity`` for HTTP and command line."""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.checks import at_most, refuse
from epf.entropy.core.information import in_unit
from epf.entropy.epiplexity.maths import TwoPart, frontier
from epf.entropy.epiplexity.ngram import Ngram, ngrams
from epf.entropy.epiplexity.runs import of_runs
from epf.entropy.epiplexity.scaling import ScalingLaw, optimum
from epf.entropy.epiplexity.schema import CurvePoint, EpiplexityInput, EpiplexityOutput, FrontierOut, ModelOut, needed, told
from epf.entropy.tooling.tool import Table, Tool
from epf.entropy.traces import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SYMBOLS = 2_000_000
CURVE_POINTS = 48


def run(given: EpiplexityInput) -> EpiplexityOutput:
    """Dispatch to :mod:`epf.entropy.epiplexity.maths`, ``ngram`` or ``scaling``."""
    forms = {"runs": of_runs, "sequences": _of_sequences, "law": _of_law}
    chosen = [name for name in forms if getattr(given, name)]
    if not chosen:
        raise refuse("runs", "is empty", f"give {TOOL.needs}")
    if len(chosen) > 1:
        raise refuse(chosen[1], f"is given beside {chosen[0]}", "give one or the other")
    return forms[chosen[0]](given)


def _of_sequences(given: EpiplexityInput) -> EpiplexityOutput:
    for i, sequence in enumerate(given.sequences):
        if not sequence:
            raise refuse(f"sequences.{i}", "is empty", "leave it out")
    ends = np.cumsum([len(sequence) for sequence in given.sequences])
    n = int(ends[-1])
    at_most("sequences", n, MAX_SYMBOLS, "symbols")
    flat = np.fromiter(chain.from_iterable(given.sequences), dtype=np.int64, count=n)
    alphabet, codes = np.unique(flat, return_inverse=True)
    found = list(ngrams(np.split(codes, ends[:-1]), alphabet.size, prior=given.prior))
    # An order looks at order + 1 symbols for each one, to learn it and to code it.
    parts = [
        TwoPart(np.array([2.0 * n * (order.order + 1)]), np.array([order.structure]), np.array([order.noise]))
        for order in found
    ]
    models = [_order(order, part, n, given) for order, part in zip(found, parts, strict=True)]
    points = [_point(at.model, models[at.model]) for at in frontier(parts)]
    best = points[-1]
    return EpiplexityOutput(
        estimator="n-gram",
        unit=given.unit,
        test_tokens=n,
        symbols=alphabet.size,
        structure=best.structure,
        noise=best.noise,
        best=models[best.model].name,
        models=models,
        frontier=points,
        curve=_curve(found[best.model], given),
        warnings=_repeats(given.sequences),
    )


def _order(order: Ngram, part: TwoPart, n: int, given: EpiplexityInput) -> ModelOut:
    return ModelOut(
        name=f"order {order.order}",
        parameters=order.n_counts,
        tokens=n,
        compute=float(part.compute[0]),
        structure=told(order.structure, given),
        noise=told(order.noise, given),
        total=told(order.total, given),
    )


def _point(i: int, model: ModelOut) -> FrontierOut:
    assert model.compute is not None
    assert model.noise is not None
    assert model.total is not None
    return FrontierOut(
        model=i, tokens=model.tokens, compute=model.compute, structure=model.structure, noise=model.noise, total=model.total
    )


def _curve(order: Ngram, given: EpiplexityInput) -> list[CurvePoint]:
    """The learning curve at points of equal ratio."""
    n = order.online.size
    ends = np.unique(np.geomspace(1, n, CURVE_POINTS).round().astype(int))
    sums = np.diff(np.cumsum(order.online)[ends - 1], prepend=0.0)
    losses = in_unit(sums / np.diff(ends, prepend=0), given.unit)
    return [CurvePoint(tokens=int(end), loss=float(loss)) for end, loss in zip(ends, losses, strict=True)]


def _repeats(sequences: Sequence[Sequence[int]]) -> list[str]:
    copies = len(sequences) - len({tuple(sequence) for sequence in sequences})
    if not copies:
        return []
    return [
        f"{copies} of {len(sequences)} sequences repeat an earlier one: what comes again costs little to code, as if the data "
        "had more structure and less noise."
    ]


def _of_law(given: EpiplexityInput) -> EpiplexityOutput:
    assert given.law is not None
    test_tokens = needed("test_tokens", given.test_tokens, "tell how many tokens the measured data set has")
    compute = needed("compute", given.compute, "tell the FLOPs of training a model and evaluating the data set")
    found = optimum(ScalingLaw(**given.law.model_dump()), compute, test_tokens)
    to_nats = float(in_unit(1.0, given.loss_unit))
    structure, noise = told(found.structure / to_nats, given), told(found.noise / to_nats, given)
    model = ModelOut(
        name="optimum",
        parameters=found.parameters,
        tokens=found.tokens,
        compute=compute,
        structure=structure,
        noise=noise,
        total=structure + noise,
        structure_limit=told(found.structure_limit / to_nats, given),
    )
    return EpiplexityOutput(
        estimator="scaling law",
        unit=given.unit,
        test_tokens=test_tokens,
        structure=structure,
        noise=noise,
        best=model.name,
        models=[model],
        frontier=[_point(0, model)],
        warnings=[],
    )


def from_traces(traces: Sequence[Trace], given: EpiplexityInput) -> EpiplexityInput:
    """A sequence for each trace: its token ids where all traces have them, else the characters of its steps."""
    if all(trace.token_ids is not None for trace in traces):
        sequences = [list(chain.from_iterable(trace.token_ids or [])) for trace in traces]
    else:
        sequences = [[ord(character) for character in "\n".join(trace.steps)] for trace in traces]
    told_something = [sequence for sequence in sequences if sequence]
    if not told_something:
        raise refuse("traces", "have no steps", "give at least one with token ids or text")
    return given.model_copy(update={"sequences": told_something})


def tables(found: EpiplexityOutput) -> list[Table]:
    """The shortest code, all models, and what a choice between several runs or their messages adds."""
    whole = None if found.noise is None else found.structure + found.noise
    per_token = None if found.noise is None else found.noise / found.test_tokens
    shortest = Table(
        f"Shortest two-part code ({found.estimator}), in {found.unit}: {found.best}",
        ("tokens", "structure", "noise", "noise a token", "structure's share"),
        ((_whole(found.test_tokens), found.structure, found.noise, per_token, found.structure / whole if whole else None),),
    )
    models = Table(
        f"Models, in {found.unit}",
        ("model", "parameters", "trained on", "structure", "noise", "total"),
        tuple((m.name, _whole(m.parameters), _whole(m.tokens), m.structure, m.noise, m.total) for m in found.models),
    )
    if found.estimator not in ("prequential", "requential"):
        return [shortest, models]
    by_compute = Table(
        f"Shortest code by compute, in {found.unit}",
        ("FLOPs", "model", "trained on", "structure", "noise", "total"),
        tuple((p.compute, found.models[p.model].name, _whole(p.tokens), p.structure, p.noise, p.total) for p in found.frontier),
    )
    coded = Table(
        f"Length of the model with the overhead of each step's message, in {found.unit}",
        ("model", "KL alone", "KL + log2(1 + KL) + 4", "KL + 2 log2(1 + KL) + 5.21"),
        tuple((m.name, m.structure, m.structure_coded, m.structure_coded_universal) for m in found.models),
    )
    return [shortest, models, *([by_compute] if found.frontier else []), *([coded] if found.estimator == "requential" else [])]


def _whole(value: float | None) -> float | int | None:
    """A count as a whole number, where it can be told apart from its neighbours."""
    return int(value) if value is not None and value < 1e9 and value == int(value) else value


def plot(found: EpiplexityOutput, figure: "Figure") -> None:
    """Structure and noise of every model, and what the frontier or the learning curve looks like."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    places = range(len(found.models))
    left.bar(places, [model.noise or 0.0 for model in found.models], label="noise", color="0.75")
    left.bar(
        places,
        [model.structure for model in found.models],
        bottom=[model.noise or 0.0 for model in found.models],
        label="structure",
    )
    left.set_xticks(places, [model.name for model in found.models], rotation=30, ha="right")
    left.set_ylabel(found.unit)
    left.set_title(f"shortest: {found.best}")
    left.legend(frameon=False)
    if found.curve:
        right.step([point.tokens for point in found.curve], [point.loss for point in found.curve], label="while it learns")
        if found.noise is not None:
            right.axhline(found.noise / found.test_tokens, color="0.5", ls="--", label="when it has learned all")
        right.set_xlabel("tokens")
        right.set_ylabel(f"{found.unit} a token")
        right.legend(frameon=False)
    else:
        compute = [point.compute for point in found.frontier]
        right.plot(compute, [point.structure for point in found.frontier], "o-", label="structure")
        right.set_xlabel("compute, FLOPs")
        right.set_ylabel(f"structure, {found.unit}")
    if found.curve or found.frontier:
        right.set_xscale("log")


TOOL = Tool(
    name="epiplexity",
    question="How much learnable structure and how much noise is in this pool of traces, for a learner of bounded means?",
    paper="From Entropy to Epiplexity (arXiv 2601.03220)",
    input=EpiplexityInput,
    arrays=("runs", "sequences", "law"),
    output=EpiplexityOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
    one_of=True,
)
