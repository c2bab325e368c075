"""``epiplexity`` as a tool."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from epf.entropy.core.checks import at_most, exclusive, refuse
from epf.entropy.core.information import in_unit
from epf.entropy.epiplexity.display import conclusion, plot, tables
from epf.entropy.epiplexity.maths import TwoPart, frontier
from epf.entropy.epiplexity.ngram import Ngram, ngrams
from epf.entropy.epiplexity.runs import of_runs
from epf.entropy.epiplexity.scaling import ScalingLaw, optimum
from epf.entropy.epiplexity.schema import (
    CurvePoint,
    EpiplexityInput,
    EpiplexityOutput,
    FrontierOut,
    ModelOut,
    in_answer_unit,
    required,
)
from epf.entropy.tooling.tool import Tool
from epf.entropy.traces import Trace

MAX_SYMBOLS = 2_000_000
CURVE_POINTS = 48


def run(given: EpiplexityInput) -> EpiplexityOutput:
    """Computes :mod:`epf.entropy.epiplexity.runs`, ``ngram`` or ``scaling``, depending on the input."""
    forms = {"runs": of_runs, "sequences": _of_sequences, "law": _of_law}
    chosen = [name for name in forms if getattr(given, name)]
    if not chosen:
        raise refuse("runs", "is empty", f"give {TOOL.needs}")
    if len(chosen) > 1:
        raise exclusive(chosen[1], chosen[0])
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
    # An order reads order + 1 symbols for each one, once to learn it and once to encode it.
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
        structure=in_answer_unit(order.structure, given),
        noise=in_answer_unit(order.noise, given),
        total=in_answer_unit(order.total, given),
    )


def _point(i: int, model: ModelOut) -> FrontierOut:
    assert model.compute is not None
    assert model.noise is not None
    assert model.total is not None
    return FrontierOut(
        model=i, tokens=model.tokens, compute=model.compute, structure=model.structure, noise=model.noise, total=model.total
    )


def _curve(order: Ngram, given: EpiplexityInput) -> list[CurvePoint]:
    """The learning curve at points with a constant ratio."""
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
        f"{copies} of {len(sequences)} sequences repeat an earlier one. A repetition costs little to encode, so the data "
        "seem to have more structure and less noise."
    ]


def _of_law(given: EpiplexityInput) -> EpiplexityOutput:
    assert given.law is not None
    test_tokens = required("test_tokens", given.test_tokens, "give the number of tokens in the measured data set")
    compute = required("compute", given.compute, "give the FLOPs to train a model and to evaluate the data set")
    found = optimum(ScalingLaw(**given.law.model_dump()), compute, test_tokens)
    to_nats = float(in_unit(1.0, given.loss_unit))
    structure, noise = in_answer_unit(found.structure / to_nats, given), in_answer_unit(found.noise / to_nats, given)
    model = ModelOut(
        name="optimum",
        parameters=found.parameters,
        tokens=found.tokens,
        compute=compute,
        structure=structure,
        noise=noise,
        total=structure + noise,
        structure_limit=in_answer_unit(found.structure_limit / to_nats, given),
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
    """Makes one sequence per trace: its token ids if all traces have them, otherwise the characters of its steps."""
    if all(trace.token_ids is not None for trace in traces):
        sequences = [list(chain.from_iterable(trace.token_ids or [])) for trace in traces]
    else:
        sequences = [[ord(character) for character in "\n".join(trace.steps)] for trace in traces]
    filled = [sequence for sequence in sequences if sequence]
    if not filled:
        raise refuse("traces", "have no steps", "give at least one trace with token ids or text")
    return given.model_copy(update={"sequences": filled})


TOOL = Tool(
    name="epiplexity",
    question="How much learnable structure and how much noise does this pool of traces have for a bounded learner?",
    paper="From Entropy to Epiplexity (arXiv 2601.03220)",
    input=EpiplexityInput,
    arrays=("runs", "sequences", "law"),
    output=EpiplexityOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
    one_of=True,
)
