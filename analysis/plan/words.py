"""What a plan says, in sentences: one a stage, and a few on the network."""

from __future__ import annotations

from analysis.layers.findings import by_bound
from analysis.layers.placement import BELOW_EVERY_ROOF, BOUND_BY_LAUNCH, BOUND_BY_SLOW, DISTURBED
from analysis.naming import few
from analysis.plan.borders import BYTES, FP16, FP32, INT8
from analysis.plan.choose import has_integers, has_narrow
from analysis.plan.front import Loss, Point
from analysis.plan.recipes import most_sensitive
from analysis.plan.study import Study
from analysis.plan.verdict import (
    GAINS,
    ITS_BORDERS,
    ITS_NOISE,
    LONGEST_NAME,
    NO_KERNEL,
    ONLY_FLOATS,
    PASSES,
    SPARES_BORDERS,
    WHOLE_STAYS,
    StageVerdict,
)
from analysis.units import percent, si, whole_percent
from probes.records.given import shortened
from probes.records.precision import ACCURACY, MOST_DB, TOP1
from probes.records.tag import COMPUTE

MOST_NAMES = 3
"""Stages that a sentence names."""
LEAST_SHARE = 0.1
"""Share of the time that stages must take before it is said what bounds them."""
LEAST_BORDERS = 0.05
"""Share of the time in INT8 that borders must take before it is told."""
LONGEST_REASON = 90  # letters of a provider's reason
WITHOUT_GAIN = 0.5e-9
"""Seconds below which a gain reads as none."""
BOUNDS = {
    BELOW_EVERY_ROOF: "in stages that neither memory nor arithmetic explains",
    BOUND_BY_LAUNCH: "in stages that launches bound",
    COMPUTE: "in stages that arithmetic bounds",
    BOUND_BY_SLOW: "in stages that exponentials, divisions or roots bound",
    DISTURBED: "in stages that other load disturbed",
    "": "in stages without a roof",
}
"""Where a network's time goes, by what bounds it; any other bound is a level of memory."""
LOSSES = {
    ACCURACY: "of accuracy",
    TOP1: "of answers differ from those of FP32",
}
"""What a share of a loss is a share of."""


def on_stage(verdict: StageVerdict) -> str:
    """``conv_23 depthwise 3×3: 4.1 dB in INT8, gains 0: stays FP16``."""
    chosen = verdict.precision.upper()
    if verdict.why == PASSES:
        return f"{verdict.title}: passes numbers on, {chosen} like its neighbours"
    if verdict.why == ONLY_FLOATS:
        return f"{verdict.title}: has no narrower form, stays {chosen}"
    facts = [_error(verdict), _gain(verdict)]
    head = f"{verdict.title}: {', '.join(fact for fact in facts if fact)}"
    if verdict.why == GAINS:
        return f"{head}: {chosen}"
    if verdict.why == SPARES_BORDERS:
        return f"{head}: {chosen}, which spares borders"
    if verdict.precision == verdict.narrow:
        return f"{head}: {chosen}, though it runs in floats"
    because = {
        ITS_NOISE: " for its noise",
        ITS_BORDERS: ", its borders cost more",
        WHOLE_STAYS: " as the whole does",
    }
    return f"{head}: stays {chosen}{because.get(verdict.why, '')}"


def _error(verdict: StageVerdict) -> str:
    """``4.1 dB in INT8``."""
    narrow = verdict.narrow.upper()
    if verdict.sqnr_db is None:
        return f"error in {narrow} not known"
    if verdict.sqnr_db >= MOST_DB:
        return f"no error in {narrow}"
    return f"{_decibels(verdict.sqnr_db)} in {narrow}"


def _decibels(value: float) -> str:
    """``4.1 dB``, ``38 dB``."""
    return f"{value:.1f} dB" if abs(value) < 10 else f"{value:.0f} dB"


def _gain(verdict: StageVerdict) -> str:
    """``gains 31 µs of 52.0 µs``, and what of it is predicted."""
    if verdict.why == NO_KERNEL or not verdict.has_kernel:
        return f"gains 0 (no {verdict.narrow.upper()} kernel)"
    gain = verdict.gain_seconds
    if gain is None:
        return "gain not known"
    predicted = "" if verdict.measured else " (predicted)"
    before = verdict.float_seconds or 0.0
    if abs(gain) < max(WITHOUT_GAIN, 0.005 * before):
        return f"gains 0{predicted}"
    if gain < 0:
        return f"costs {si(-gain, 's')} more than {si(before, 's')}{predicted}"
    return f"gains {si(gain, 's')} of {si(before, 's')}{predicted}"


def on_network(study: Study) -> list[str]:
    """What the plan is, what is next, what lower precision brings and why, and what is sensitive.

    The first ones matter most: a terminal shows no others.
    """
    return [
        *_the_plan(study),
        *_beyond_calibration(study),
        *_what_int8_brings(study),
        *_what_bounds(study),
        *_without_kernel(study),
        *_saturating(study),
        *_most_sensitive(study),
        *_on_borders(study),
        *_predicted_and_measured(study),
    ]


def _what_int8_brings(study: Study) -> list[str]:
    """``INT8 brings 1.34× (1.30× to 1.38×) over FP32, and FP16 1.90× (…).``"""
    in_fp32 = study.point(FP32)
    if in_fp32 is None or not in_fp32.timed:
        return []
    parts = []
    for name in (INT8, FP16):
        point = study.point(name)
        if point is None:
            continue
        if point.seconds is None or not point.trusted:
            if point.reason:
                reason = shortened(point.reason, LONGEST_REASON)
                parts.append(f"{name.upper()} has no time ({reason})")
        else:
            parts.append(f"{name.upper()} {_against(point, in_fp32)}")
    return [f"{' and '.join(parts)}."] if parts else []


def _against(point: Point, other: Point) -> str:
    """``brings 1.34× over FP32 (1.30× to 1.38×)``, ``is no faster than FP32 beyond …``."""
    than = called(other)
    ratio, low, high = speedup(point, other)
    interval = f"{low:.2f}× to {high:.2f}×"
    if point.is_faster(other):
        return f"brings {ratio:.2f}× over {than} ({interval})"
    if other.is_faster(point):
        return f"is slower than {than}: {ratio:.2f}× its speed ({interval})"
    return f"is no faster than {than} beyond the intervals ({interval})"


def called(point: Point) -> str:
    """A recipe's name in a sentence: ``INT8``, ``plan 3``."""
    return point.name.upper() if point.name in BYTES else point.name


def speedup(point: Point, other: Point) -> tuple[float, float, float]:
    """(times as fast as another, the least, the most) by the medians and the ends of intervals."""
    ours, theirs = point.seconds or 1.0, other.seconds or 1.0
    low = (other.low or theirs) / (point.high or ours)
    high = (other.high or theirs) / (point.low or ours)
    return theirs / ours, low, high


def _what_bounds(study: Study) -> list[str]:
    """``Of the time of its stages in FP32, 62 % goes in stages that launches bound.``"""
    if not study.placements:
        return []
    parts = []
    for bound, share in by_bound(study.placements):
        if share >= LEAST_SHARE:
            what = BOUNDS.get(bound, f"in stages that {bound.upper()} bounds")
            parts.append(f"{whole_percent(share)} {what}")
    time = f"The time of its stages in FP32 goes {', '.join(parts)}"
    if by_bound(study.placements)[0][0] == BOUND_BY_LAUNCH:
        time += ", where fewer bits gain nothing"
    return [f"{time}."]


def _without_kernel(study: Study) -> list[str]:
    """Which stages have no INT8 kernel on this provider, and the reason of the first."""
    model = study.model
    names = []
    reasons = []
    for stage in model.stages:
        cost = model.costs.of(stage.stage, INT8)
        if INT8 in stage.choices and not stage.passes and not cost.has_kernel:
            names.append(shortened(stage.stage, LONGEST_NAME))
            reasons.append(cost.reason)
    if not names:
        return []
    computing = sum(not stage.passes for stage in model.stages)
    reason = f" ({shortened(reasons[0], LONGEST_REASON)})" if reasons[0] else ""
    have = "has" if len(names) == 1 else "have"
    return [
        f"{len(names)} of {computing} stages {have} no INT8 kernel on {study.plan.provider}: "
        f"{few(names, MOST_NAMES)}{reason}."
    ]


def _on_borders(study: Study) -> list[str]:
    """What Q, DQ and casts cost in all INT8, and in the plan."""
    in_int8 = study.point(INT8)
    if in_int8 is None:
        return []
    of_int8 = study.model.border_seconds(in_int8.recipe.precisions)
    total = in_int8.recipe.predicted_seconds
    if of_int8 is None or not total or of_int8 < LEAST_BORDERS * total:
        return []
    sentence = f"Q, DQ and casts between stages cost {si(of_int8, 's')} with all in INT8"
    if study.best.name != INT8:
        of_best = study.model.border_seconds(study.best.recipe.precisions)
        if of_best is not None and has_narrow(study.best):
            sentence += f", {si(of_best, 's')} in {called(study.best)}"
    return [f"{sentence}, of {si(total, 's')} predicted for the whole in INT8."]


def _saturating(study: Study) -> list[str]:
    """Which kernels saturate, by how much at most: a fact of time, since errors are exact."""
    names = []
    errors = []
    for stage in study.model.stages:
        error = study.model.costs.of(stage.stage, INT8).saturated
        if error is not None:
            names.append(shortened(stage.stage, LONGEST_NAME))
            errors.append(error)
    if not names:
        return []
    return [
        f"INT8 kernels saturate here in {few(names, MOST_NAMES)}, by up to {percent(max(errors))} "
        "of the largest value: errors were found without them, so answers as deployed may be worse."
    ]


def _the_plan(study: Study) -> list[str]:
    """``Chosen: plan 3, 31 of 54 stages in INT8: 3.10 ms, 1.28× as fast as FP32; …``"""
    point = study.chosen
    if point is None:
        return [_proposed(study)]
    asked = percent(study.plan.loss_asked)
    if not has_narrow(point):
        return [f"Chosen: FP32. {_why_fp32(study, asked)}"]
    time = ""
    if point.seconds is not None:
        time = f" in {si(point.seconds, 's')}"
        in_fp32 = study.point(FP32)
        if in_fp32 is not None and in_fp32.timed and point.timed:
            ratio, _, _ = speedup(point, in_fp32)
            time += f", {ratio:.2f}× as fast as FP32"
    sentences = [f"Chosen: {called(point)}, {_counts(study)}{time}."]
    if point.loss is not None:
        sentences.append(_on_loss(study, point.loss, asked))
    return sentences


def _proposed(study: Study) -> str:
    """What is said before the recipes were run."""
    seconds = si(study.best.recipe.predicted_seconds, "s")
    return (
        f"{len(study.points)} recipes to run; by the times of stages {called(study.best)} is the "
        f"fastest ({seconds}), with {_counts(study)}."
    )


def _why_fp32(study: Study, asked: str) -> str:
    """Why nothing narrower was chosen."""
    in_fp32 = study.chosen
    timed = [point for point in study.points if point.timed and has_narrow(point)]
    if in_fp32 is None or not timed:
        return "No other recipe has a time that can be trusted."
    if any(point.is_faster(in_fp32) for point in timed):
        return f"Every recipe that is faster beyond the intervals loses more than {asked}."
    return "No other recipe is faster beyond the intervals."


def _counts(study: Study) -> str:
    """``31 of 54 stages in INT8``, ``20 in INT8 and 11 in FP16 of 54 stages``."""
    computing = [stage for stage in study.model.stages if not stage.passes]
    counts: dict[str, int] = {}
    for stage in computing:
        precision = study.precision(stage.stage)
        if precision != FP32:
            counts[precision] = counts.get(precision, 0) + 1
    if not counts:
        return f"all {len(computing)} stages in FP32"
    parts = [f"{count} in {name.upper()}" for name, count in sorted(counts.items(), reverse=True)]
    if len(parts) == 1:
        ((name, count),) = counts.items()
        return f"{count} of {len(computing)} stages in {name.upper()}"
    return f"{', '.join(parts)} of {len(computing)} stages"


def _on_loss(study: Study, loss: Loss, asked: str) -> str:
    """``On 300 test answers it loses 0.3 % of accuracy (-0.2 % to 0.9 %), asked were 1.0 %; …``"""
    inputs = "test" if study.chosen and study.chosen.test else "ranking"
    unit = "inputs" if study.plan.loss_of not in LOSSES else "answers"
    share = percent(loss.share)
    interval = f" ({percent(loss.low)} to {percent(loss.high)})" if loss.low < loss.high else ""
    if study.plan.loss_of == TOP1:
        what = f"{share}{interval} {LOSSES[TOP1]}"
    elif study.plan.loss_of == ACCURACY:
        what = f"it loses {share} of accuracy{interval}"
    else:
        what = f"it is {share} off (RMS)"
    looks = study.plan.looks
    recipes = "recipe was" if looks == 1 else "recipes were"
    return (
        f"On {loss.answers} {inputs} {unit} {what}; {asked} was allowed, and {looks} {recipes} "
        "held against them."
    )


def _most_sensitive(study: Study) -> list[str]:
    """``Most sensitive in INT8: conv_23 (4.1 dB), …``"""
    named = []
    for stage in most_sensitive(study.model)[:MOST_NAMES]:
        row = study.model.errors[stage, INT8]
        if row.sqnr_db is not None:
            named.append(f"{shortened(stage, LONGEST_NAME)} ({_decibels(row.sqnr_db)})")
    return [f"Most sensitive in INT8, each alone: {', '.join(named)}."] if named else []


def _predicted_and_measured(study: Study) -> list[str]:
    """``Stages and borders of plan 3 add up to 2.90 ms; as a whole it takes 3.10 ms, 7 % more.``"""
    point = study.chosen or study.point(INT8)
    if point is None or point.seconds is None or not point.recipe.predicted_seconds:
        return []
    predicted = point.recipe.predicted_seconds
    excess = point.seconds / predicted - 1
    direction = "more" if excess > 0 else "less"
    return [
        f"Stages and borders of {called(point)} add up to {si(predicted, 's')}; as a whole it "
        f"takes {si(point.seconds, 's')}, {abs(100 * excess):.0f} % {direction}."
    ]


def _beyond_calibration(study: Study) -> list[str]:
    """What to do where no recipe with integers is within the loss."""
    if study.reached or study.chosen is None:
        return []
    faster = [
        point
        for point in study.points
        if has_integers(point) and point.is_faster(study.chosen) and point.loss is not None
    ]
    asked = percent(study.plan.loss_asked)
    if not faster:
        return []
    best = min(faster, key=lambda point: point.loss.share if point.loss else 1.0)
    least = percent(best.loss.share if best.loss else None)
    return [
        f"Calibration alone does not reach {asked} with integers (the least is {least}, "
        f"{called(best)}): the next step is quantization-aware training (QAT) from the ranges in "
        "plan.json."
    ]
