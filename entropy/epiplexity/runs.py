"""``epiplexity`` of training runs: checks, warnings and two-part codes."""

from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, number_of, refuse, same_length
from epf.entropy.core.information import FloatArray, in_unit
from epf.entropy.epiplexity.maths import Requential, TwoPart, flops, frontier, prequential, prequential_above, requential
from epf.entropy.epiplexity.schema import (
    EpiplexityInput,
    EpiplexityOutput,
    FrontierOut,
    ModelOut,
    Run,
    in_answer_unit,
    required,
)

MAX_POINTS = 1_000_000
OVERFITTED = 0.1
"""A loss on unseen data that exceeds the last one in training by more than this part leads to a warning."""


def of_runs(given: EpiplexityInput) -> EpiplexityOutput:
    """The shortest two-part code over all checkpoints of all runs; for a single run of unknown size, the code at its end."""
    at_most("runs", sum(len(one.tokens) for one in given.runs), MAX_POINTS, "points")
    for i, one in enumerate(given.runs):
        _check(f"runs.{i}", one, several=len(given.runs) > 1)
        if bool(one.kl) != bool(given.runs[0].kl):
            raise refuse(f"runs.{i}.kl", "is present in some runs only", "compare runs of one kind")
    test_tokens = required("test_tokens", given.test_tokens, "give the number of tokens in the measured data set")
    codes = [_two_part(one, test_tokens, given) for one in given.runs]
    models = [_model(one, i, code, given) for i, (one, code) in enumerate(zip(given.runs, codes, strict=True))]
    points = [
        FrontierOut(
            model=at.model,
            tokens=given.runs[at.model].tokens[at.index],
            compute=float(codes[at.model].compute[at.index]),
            structure=in_answer_unit(codes[at.model].structure[at.index], given),
            noise=in_answer_unit(codes[at.model].noise[at.index], given),
            total=in_answer_unit(codes[at.model].total[at.index], given),
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
    """Raises ``InvalidRequest`` for inconsistent fields and for training that repeats its data."""
    for name in ("loss", "kl"):
        if getattr(one, name):
            same_length(f"{field}.{name}", getattr(one, name), f"{field}.tokens", one.tokens)
    if not one.kl and len(one.loss) < 2:
        raise refuse(f"{field}.loss", f"has {number_of(len(one.loss), 'point')}", "give at least two, or kl")
    for (i,) in np.argwhere(np.diff(one.tokens) <= 0)[:1]:
        raise refuse(f"{field}.tokens.{i + 1}", "is not larger than the previous value", "count from the start of training")
    if one.epoch_tokens is not None and one.tokens[-1] > one.epoch_tokens:
        i = int(np.searchsorted(one.tokens, one.epoch_tokens, side="right"))
        raise refuse(f"{field}.tokens.{i}", "is beyond the first epoch, where the loss measures memory", "end the run earlier")
    if several and one.parameters is None:
        raise refuse(f"{field}.parameters", "is missing", "give it for each of several runs")
    if several and not one.loss and one.final_loss is None:
        raise refuse(f"{field}.loss", "is missing", "give it, or final_loss, for each of several runs")


def _doubts(field: str, one: Run) -> list[str]:
    """Warnings that the samples are not independent, or that training took more than one epoch."""
    if one.kl:
        return []
    loss, found = np.array(one.loss), []
    last = one.final_loss if one.final_loss is not None else one.loss[-1]
    if rises := int((np.diff(loss) > 0).sum()):
        found.append(
            f"`{field}.loss` rises at {rises} of {loss.size - 1} points. Noise cancels out in the area, but shifting data or "
            "unstable training makes the area meaningless."
        )
    if last > loss[-1] * (1.0 + OVERFITTED):
        found.append(
            f"`{field}.final_loss` is {last:.4g}, more than the last loss in training, {loss[-1]:.4g}, as if training had seen "
            "its data more than once. The estimate holds for one epoch only."
        )
    if last > loss.mean():
        found.append(
            f"`{field}` ends above the mean of its curve: nothing was learned, or its structure is not the length of a model."
        )
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
        structure=in_answer_unit(code.structure[-1], given),
        noise=in_answer_unit(code.noise[-1], given) if known else None,
        total=in_answer_unit(code.total[-1], given) if known else None,
        structure_coded=in_answer_unit(coded.coded[-1], given) if coded else None,
        structure_coded_universal=in_answer_unit(coded.coded_universal[-1], given) if coded else None,
    )
