"""Q and DQ between floats take back what one INT8 layer saves."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves, Guide
from analysis.lessons.frame.evidence import Evidence, Layer, Untried
from analysis.lessons.frame.interval import Interval
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import layers
from analysis.lessons.frame.steps import by_place
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si

FLOATS, INT8, BETWEEN = "floats", "INT8", "INT8 between Q and DQ"
"""Curves of the family "borders"."""
ALONE, CHAIN = 1.0, 8.0
"""Convolutions in a row that are in INT8."""
TIMES = 1.15
"""The chain must gain so many times what one layer gains."""
NEEDS = (
    layers("borders", FLOATS, kinds=("cpu",)),
    layers("borders", INT8, dtypes=("int8",), kinds=("cpu",)),
    layers("borders", BETWEEN, dtypes=("int8",), kinds=("cpu",)),
)
NO_INTEGERS = (
    "ONNX Runtime on CUDA computes an INT8 convolution in floats, with Q and DQ around it: try it "
    "on the CPU (--device cpu)"
)


def judge(evidence: Evidence) -> Finding:
    if evidence.kind == "cuda":
        raise Untried(NO_INTEGERS)
    needed = (ALONE, CHAIN)
    floats, integers, between = (by_place(evidence, need, needed) for need in NEEDS)
    gains = _gains(floats, between)
    free_gains = _gains(floats, integers)
    said = gains[CHAIN].over(gains[ALONE]).above(TIMES)
    cost = between[ALONE].seconds.value - integers[ALONE].seconds.value
    saved = floats[ALONE].seconds.value - integers[ALONE].seconds.value
    words = (
        f"One convolution saves {si(max(saved, 0.0), 's')} in INT8, and Q and DQ around it take "
        f"{si(max(cost, 0.0), 's')}: it has {short(gains[ALONE].value)} times the speed of floats. "
        f"{CHAIN:.0f} in a row between one Q and one DQ have {short(gains[CHAIN].value)} times."
    )
    chart = Curves(
        across="Convolutions in INT8 in a row",
        up="Speed-up over floats",
        unit="",
        curves=[_curve(INT8, free_gains), _curve(BETWEEN, gains)],
        guides=[Guide("floats", 1.0)],
    )
    return Finding(said, words, chart)


def _gains(floats: dict[float, Layer], others: dict[float, Layer]) -> dict[float, Interval]:
    """Times as fast as in floats, by depth."""
    return {
        depth: floats[depth].seconds.over(layer.seconds)
        for depth, layer in others.items()
        if depth in floats
    }


def _curve(name: str, gains: dict[float, Interval]) -> Curve:
    return Curve(name, sorted(gains.items()))


LESSON = Lesson(
    name="qdq-borders",
    title="Q/DQ between floats cost what INT8 saves",
    claim=(
        "QuantizeLinear and DequantizeLinear around one layer cost what its integers save; they "
        "pay only where many layers in a row stay in INT8."
    ),
    source="NVIDIA, TensorRT Developer Guide: Q/DQ Layer-Placement Recommendations.",
    rule=(
        f"It holds if {CHAIN:.0f} layers between one Q and one DQ gain more than {TIMES:g} times "
        "as much speed as one layer between its own."
    ),
    needs=NEEDS,
    judge=judge,
)
