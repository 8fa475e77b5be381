"""A layer in INT8 may be slower than in floats."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import QUIETER, Evidence, Untold
from analysis.lessons.frame.interval import Interval, any_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import layers
from analysis.lessons.frame.trial import Finding
from analysis.units import short
from probes.records.measurement import Measurement

FLOATS = {"cpu": "fp32", "cuda": "fp16"}
"""What a provider would compute in otherwise: that of ONNX Runtime on a CPU has no FP16."""
IN_FLOATS = layers("integers", dtypes=tuple(FLOATS.values()))
IN_INT8 = layers("integers", dtypes=("int8",))
MOST_NAMED = 3
WIDE = 8.0
"""Ratios further apart than so many times are drawn on a logarithmic axis."""


def judge(evidence: Evidence) -> Finding:
    floats = _by_series(evidence.rows(IN_FLOATS))
    integers = _by_series(evidence.rows(IN_INT8))
    times = {
        name: evidence.seconds(row).over(evidence.seconds(floats[name]))
        for name, row in integers.items()
        if name in floats
    }
    if not times:
        raise Untold(f"no layer was timed well in both types; {QUIETER}")
    said = any_of(time.above(1.0) for time in times.values())
    in_order = sorted(times, key=lambda name: -times[name].value)
    bars = [Bar(name, times[name], times[name].above(1.0) is True) for name in in_order]
    dtype = FLOATS[evidence.kind].upper()
    chart = Bars(
        across=f"Time in INT8 over time in {dtype}",
        unit="",
        bars=bars,
        guides=[Guide("as long", 1.0)],
        log=times[in_order[0]].value > WIDE * times[in_order[-1]].value,
    )
    return Finding(said, _words(times, in_order, dtype), chart)


def _by_series(rows: list[Measurement]) -> dict[str, Measurement]:
    return {row.facts.series: row for row in rows}


def _words(times: dict[str, Interval], in_order: list[str], dtype: str) -> str:
    """What takes longer, what gains, and why."""
    slower = [name for name in in_order if times[name].above(1.0)]
    best = in_order[-1]
    gain = "none surely gains"
    why = "This provider has no integer kernel that is a match for its floats."
    if times[best].below(1.0):
        gain = f"{best} gains most, {short(1 / times[best].value)} times as fast"
        why = (
            "Runtimes have their fast integer kernels for products; those for the others are "
            "plain, or scale each number again."
        )
    if not slower:
        slowest = in_order[0]
        return (
            f"None of {len(times)} kinds of layers surely takes longer in INT8 than in {dtype}, "
            f"{slowest} {short(times[slowest].value)} times as long; {gain}."
        )
    named = [f"{name} {short(times[name].value)}" for name in slower[:MOST_NAMED]]
    return (
        f"INT8 takes longer than {dtype} on {len(slower)} of {len(times)} kinds of layers: "
        f"{', '.join(named)} times as long; {gain}. {why}"
    )


LESSON = Lesson(
    name="int8-slower",
    title="INT8 may be slower than floats",
    claim=(
        "INT8 is not faster by itself: a layer whose integer kernel is plain, or missing, takes "
        "longer than in floats."
    ),
    source="ONNX Runtime, Quantize ONNX Models (Performance).",
    rule="It holds if some kind of layer surely takes longer in INT8, and fails if none does.",
    needs=(IN_FLOATS, IN_INT8),
    judge=judge,
)
