"""The noun StageVerdict: what a plan decided of one stage, and the facts behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.plan.borders import ENCODED, FP32, INT8
from analysis.plan.choose import has_narrow
from analysis.plan.costs import Cost
from analysis.plan.study import Study
from probes.records.given import shortened
from probes.records.layer import LayerFacts
from probes.records.precision import StageRow

LONGEST_NAME = 40  # letters of a stage's name in a sentence
PASSES, ONLY_FLOATS, NO_KERNEL, NO_GAIN = "passes", "only floats", "no kernel", "no gain"
ITS_BORDERS, ITS_NOISE, UNKNOWN_ERROR = "borders", "noise", "unknown error"
GAINS, SPARES_BORDERS, WHOLE_STAYS = "gains", "spares borders", "whole stays"
"""Why a stage has its precision: values of ``StageVerdict.why``."""


@dataclass(frozen=True, kw_only=True)
class StageVerdict:
    """What a plan decided of one stage, and why."""

    stage: str
    """Its name."""
    title: str
    """Its name and what it is: ``conv_4 3×3, 64 to 64``."""
    op: str
    """What it does, by ONNX's name."""
    precision: str
    """The one that was decided on."""
    narrow: str = ""
    """The narrow precision that the following is about: INT8 if it can have it; empty if none."""
    sqnr_db: float | None = None
    """Signal-to-noise ratio at the network's outputs with this stage alone in ``narrow``."""
    own_sqnr_db: float | None = None
    """The same at the stage's own output."""
    gain_seconds: float | None = None
    """What ``narrow`` gains over the fastest float, borders apart; negative where it costs, 0
    without a kernel; None if unknown."""
    float_seconds: float | None = None
    """Time of the fastest float."""
    saved_seconds: float | None = None
    """What the precision decided on saves against FP32, borders apart."""
    border_seconds: float | None = None
    """Its share of the conversions of what it reads."""
    seconds: Mapping[str, float | None] = field(default_factory=dict)
    """Time of one run of the stage alone, by precision."""
    floor_seconds: Mapping[str, float | None] = field(default_factory=dict)
    """Least time on the measured roofs, by precision."""
    measured: bool = False
    """True if the times of its gain were measured, and not predicted."""
    has_kernel: bool = True
    """False if the provider has none in ``narrow``."""
    why: str = ""
    """What decided: one of the words above."""
    reason: str = ""
    """Why there is no kernel, or no time."""
    sentence: str = ""
    """All of it in one line."""


def verdict(study: Study, stage: StageRow) -> StageVerdict:
    """What the best recipe decides of a stage; without its sentence."""
    model = study.model
    costs = {precision: model.costs.of(stage.stage, precision) for precision in stage.choices}
    runnable = {name: cost for name, cost in costs.items() if name in model.runnable}
    precision = study.precision(stage.stage)
    narrow = _narrow(list(runnable))
    in_narrow = costs.get(narrow, Cost())
    error = model.errors.get((stage.stage, narrow))
    fastest = _fastest_float(runnable)
    chosen = costs.get(precision, Cost())
    return StageVerdict(
        stage=stage.stage,
        title=title_of(stage.stage, model.costs.facts.get(stage.stage)),
        op=stage.op,
        precision=precision,
        narrow=narrow,
        sqnr_db=error.sqnr_db if error else None,
        own_sqnr_db=error.own_sqnr_db if error else None,
        gain_seconds=_gain(in_narrow, fastest) if narrow else None,
        float_seconds=fastest.seconds,
        saved_seconds=_difference(costs[FP32].seconds, chosen.seconds),
        border_seconds=_border_seconds(study, stage),
        seconds={name: cost.seconds_alone for name, cost in costs.items()},
        floor_seconds={name: cost.floor_seconds for name, cost in costs.items()},
        measured=fastest.measured and in_narrow.measured,
        has_kernel=in_narrow.has_kernel,
        why=_why(study, stage, narrow, precision),
        reason=in_narrow.reason,
    )


def title_of(stage: str, facts: LayerFacts | None) -> str:
    """``conv_23 depthwise 3×3``, ``conv_4 3×3, 64 to 64``: a stage with what is known of it."""
    name = shortened(stage, LONGEST_NAME)
    if facts is None:
        return name
    window = "×".join(map(str, facts.window))
    channels_in = facts.channels.get("in_channels")
    channels_out = facts.channels.get("out_channels")
    is_depthwise = facts.groups > 1 and facts.groups == channels_in
    words = [name]
    if is_depthwise:
        words.append("depthwise")
    if window:
        words.append(window)
    title = " ".join(words)
    if channels_in and channels_out and not is_depthwise:
        title += f", {channels_in} to {channels_out}"
    return title


def _narrow(precisions: Sequence[str]) -> str:
    """Of the precisions that a stage can have one with scales, INT8 first; else a narrow float."""
    with_scales = [precision for precision in precisions if precision in ENCODED]
    if INT8 in with_scales:
        return INT8
    others = with_scales or [precision for precision in precisions if precision != FP32]
    return others[0] if others else ""


def _fastest_float(costs: Mapping[str, Cost]) -> Cost:
    """The cost of the fastest float with a kernel; one that knows nothing if there is none."""
    floats = [cost for name, cost in costs.items() if name not in ENCODED and cost.allowed]
    return min(floats, key=lambda cost: cost.seconds or 0.0, default=Cost())


def _gain(in_narrow: Cost, fastest: Cost) -> float | None:
    """What a narrow precision gains over the fastest float; 0 without a kernel."""
    if not in_narrow.has_kernel:
        return 0.0
    return _difference(fastest.seconds, in_narrow.seconds)


def _difference(before: float | None, after: float | None) -> float | None:
    """Seconds saved; None if either is unknown."""
    return None if before is None or after is None else before - after


def _border_seconds(study: Study, stage: StageRow) -> float | None:
    """The conversions of what a stage reads, each shared by the readers that need it."""
    total = 0.0
    precision = study.precision(stage.stage)
    for tensor, source, target in study.model.crossings(study.best.recipe.precisions):
        if target != precision or stage.stage not in tensor.readers:
            continue
        elements = study.model.elements[tensor.name]
        seconds = study.model.costs.borders.cost(source, target, elements).seconds
        if seconds is None:
            return None
        total += seconds / _sharers(study, tensor.readers, target)
    return total


def _sharers(study: Study, readers: Sequence[str], target: str) -> int:
    """How many readers of a tensor have this precision."""
    return sum(study.precision(reader) == target for reader in readers)


def _why(study: Study, stage: StageRow, narrow: str, precision: str) -> str:
    """What decided: one of the words above."""
    model = study.model
    if stage.passes:
        return PASSES
    if not narrow:
        return ONLY_FLOATS
    if not model.costs.of(stage.stage, narrow).has_kernel:
        return NO_KERNEL
    choices = model.problem.by_precision[stage.stage]
    if precision == narrow:
        is_slower = narrow in choices and choices[narrow].seconds >= choices[FP32].seconds
        return SPARES_BORDERS if is_slower and not study.best.simple else GAINS
    if narrow not in choices:
        return UNKNOWN_ERROR
    seconds = {
        name: choice.seconds + model.problem.penalty(stage.stage, name)
        for name, choice in choices.items()
    }
    if seconds[narrow] >= seconds[_known(choices, precision)]:
        return NO_GAIN
    precisions = {
        name: _known(by_precision, study.precision(name))
        for name, by_precision in model.problem.by_precision.items()
    }
    gained = model.problem.objective(precisions) - model.problem.objective(
        {**precisions, stage.stage: narrow}
    )
    if gained <= 0:
        return ITS_BORDERS
    whole_stays = study.chosen is not None and not has_narrow(study.chosen) and study.reached
    return WHOLE_STAYS if whole_stays else ITS_NOISE


def _known(choices: Mapping[str, object], precision: str) -> str:
    """A precision, or FP32 where the solver was not offered it."""
    return precision if precision in choices else FP32
