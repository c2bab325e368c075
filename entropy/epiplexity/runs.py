"""``epiplexity`` of training runs: what of them is refused or doubted, and their two-part codes."""

from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, refuse, same_length
from epf.entropy.core.information import FloatArray, in_unit
from epf.entropy.epiplexity.maths import Requential, TwoPart, flops, frontier, prequential, prequential_above, requential
from epf.entropy.epiplexity.schema import EpiplexityInput, EpiplexityOutput, FrontierOut, ModelOut, Run, needed, told

MAX_POINTS = 1_000_000
OVERFITTED = 0.1
"""A loss on unseen data that is higher than the last one in training by more than this part is warned of."""


def of_runs(given: EpiplexityInput) -> EpiplexityOutput:
    """The shortest two-part code over all checkpoints of all runs; of a single run of unknown size, the code by its end."""
    at_most("runs", sum(len(one.tokens) for one in given.runs), MAX_POINTS, "points")
    for i, one in enumerate(given.runs):
        _check(f"runs.{i}", one, several=len(given.runs) > 1)
        if bool(one.kl) != bool(given.runs[0].kl):
            raise refuse(f"runs.{i}.kl", "is there in some runs only", "compare runs of one kind")
    test_tokens = needed("test_tokens", given.test_tokens, "tell how many tokens the measured data set has")
    codes = [_two_part(one, test_tokens, given) for one in given.runs]
    models = [_model(one, i, code, given) for i, (one, code) in enumerate(zip(given.runs, codes, strict=True))]
    points = [
        FrontierOut(
            model=at.model,
            tokens=given.runs[at.model].tokens[at.index],
            compute=float(codes[at.model].compute[at.index]),
            structure=told(codes[at.model].structure[at.index], given),
            noise=told(codes[at.model].noise[at.index], given),
            total=told(codes[at.model].total[at.index], given),
        )
        for at in frontier(codes)
    ]
    best = points[-1] if points else models[0]
    return EpiplexityOutput(
        estimator="requential" if given.runs[0].kl else "prequential",
        unit=given.unit,
        test_tokens=test_tokens,
        structure=best.structure,
        noise=best.noise,
        best=models[points[-1].model if points else 0].name,
        models=models,
        frontier=points,
        warnings=[doubt for i, one in enumerate(given.runs) for doubt in _doubts(f"runs.{i}", one)],
    )


def _check(field: str, one: Run, *, several: bool) -> None:
    """Refuse what does not fit together, and training that saw its data twice."""
    for name in ("loss", "kl"):
        if getattr(one, name):
            same_length(f"{field}.{name}", getattr(one, name), f"{field}.tokens", one.tokens)
    if not one.kl and len(one.loss) < 2:
        raise refuse(f"{field}.loss", f"has {len(one.loss)} points", "give at least two, or kl")
    for (i,) in np.argwhere(np.diff(one.tokens) <= 0)[:1]:
        raise refuse(f"{field}.tokens.{i + 1}", "is not more than the one before", "count from the start of training")
    if one.epoch_tokens is not None and one.tokens[-1] > one.epoch_tokens:
        i = int(np.searchsorted(one.tokens, one.epoch_tokens, side="right"))
        raise refuse(f"{field}.tokens.{i}", "lies beyond the first epoch, where a loss tells of memory", "end the run before")
    if several and one.parameters is None:
        raise refuse(f"{field}.parameters", "is missing", "give it for each of several runs")
    if several and not one.loss and one.final_loss is None:
        raise refuse(f"{field}.loss", "is missing", "give it, or final_loss, for each of several runs")


def _doubts(field: str, one: Run) -> list[str]:
    """What speaks against independent samples and a single epoch."""
    if one.kl:
        return []
    loss, found = np.array(one.loss), []
    last = one.final_loss if one.final_loss is not None else one.loss[-1]
    if rises := int((np.diff(loss) > 0).sum()):
        found.append(
            f"`{field}.loss` rises at {rises} of {loss.size - 1} points: noise cancels out in the area, but data that shift, "
            "or training that is unstable, make it meaningless."
        )
    if last > loss[-1] * (1.0 + OVERFITTED):
        found.append(
            f"`{field}.final_loss` is {last:.4g}, more than the last loss in training, {loss[-1]:.4g}: as if training had seen "
            "its data more than once. The estimate holds for one epoch only."
        )
    if last > loss.mean():
        found.append(f"`{field}` ends above the mean of its curve: nothing was learned, or its structure is no length.")
    return found


def _two_part(one: Run, test_tokens: float, given: EpiplexityInput) -> TwoPart:
    tokens, loss = np.array(one.tokens), _nats(one.loss, given)
    noise = loss * test_tokens if loss.size else np.full(tokens.size, np.nan)
    structure = _requential(one, given).kl if one.kl else prequential(tokens, loss, rule=given.rule)
    if one.final_loss is not None:
        final_loss = float(_nats(one.final_loss, given))
        noise[-1] = final_loss * test_tokens
        if not one.kl:
            structure[-1] = prequential_above(tokens, loss, final_loss, rule=given.rule)
    return TwoPart(flops(one.parameters or np.nan, tokens, test_tokens), structure, noise)


def _requential(one: Run, given: EpiplexityInput) -> Requential:
    return requential(_nats(one.kl, given) * np.diff(one.tokens, prepend=0.0))


def _nats(values: Sequence[float] | float, given: EpiplexityInput) -> FloatArray:
    return np.asarray(values, dtype=np.float64) / in_unit(1.0, given.loss_unit)


def _model(one: Run, i: int, code: TwoPart, given: EpiplexityInput) -> ModelOut:
    """The run at its end."""
    coded = _requential(one, given) if one.kl else None
    known = bool(np.isfinite(code.noise[-1]))
    return ModelOut(
        name=one.name or f"run {i}",
        parameters=one.parameters,
        tokens=one.tokens[-1],
        compute=float(code.compute[-1]) if one.parameters else None,
        structure=told(code.structure[-1], given),
        noise=told(code.noise[-1], given) if known else None,
        total=told(code.total[-1], given) if known else None,
        structure_coded=told(coded.coded[-1], given) if coded else None,
        structure_coded_universal=told(coded.coded_universal[-1], given) if coded else None,
    )
