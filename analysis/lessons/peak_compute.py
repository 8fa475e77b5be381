"""The peak of arithmetic is not reached by a real program."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import FP16, FP32, layers
from analysis.lessons.frame.trial import Finding
from analysis.model.ceilings import Ceiling
from analysis.units import percent, si
from probes.records.need import Need

BORDER = 1.0
"""Share of the peak that is the peak."""
PRODUCTS = layers("matmul", "square", places=(512.0, 1024.0), kinds=("cpu",))
LIBRARY = Need("gemm", tags=("compute/fp16/gemm",), kinds=("cuda",))
UNITS = {"cpu": "compute/fp32", "cuda": "compute/fp16/wgmma-fp32"}
"""What comes closest to the units themselves: multiply-adds in registers."""
OTHERS = ("compute/fp16/mma-fp32", "compute/fp16/wmma-fp32", "compute/fp16")
"""The same of a GPU without those instructions, best first."""


def judge(evidence: Evidence) -> Finding:
    units = _units(evidence)
    reached = evidence.reached(units.tag)
    # A CPU's clock may rise above its rated one; a GPU's falls below it under load.
    peaks = (units.nominal_peak, units.observed_peak)
    nominal_first = evidence.kind == "cuda"
    peak = next(filter(None, peaks if nominal_first else reversed(peaks)), None)
    of_what = "of the peak"
    if peak is None:
        peak = reached.value
        of_what = "of what its units reach, their peak being unknown"
    if evidence.kind == "cpu":
        fastest = max(evidence.layers(PRODUCTS), key=lambda layer: layer.rate.value)
        product = fastest.rate
        name = f"ONNX Runtime's {fastest.row.layer}"
    else:
        product = evidence.rate(evidence.row(LIBRARY))
        name = "cublasLt's product of FP16"
    share = product.times(1 / peak)
    at_units = reached.times(1 / peak)
    words = (
        f"{name} computes {si(product.value, 'FLOP/s')}, {percent(share.value)} {of_what} "
        f"({si(peak, 'FLOP/s')}). Multiply-adds in registers reach {percent(at_units.value)}"
    )
    if share.value < at_units.value:
        words += ": what the product misses beside are its loads, stores and edges, and its clock"
    words += "."
    bars = [Bar("matrix product", share, marked=True), Bar("in registers", at_units)]
    chart = Bars(
        across="Share of the peak of arithmetic", unit="%", bars=bars, guides=[Guide("peak", 1.0)]
    )
    return Finding(share.below(BORDER), words, chart)


def _units(evidence: Evidence) -> Ceiling:
    """The ceiling that comes closest to the units themselves."""
    for tag in (UNITS[evidence.kind], *OTHERS):
        ceiling = evidence.ceilings.get(tag)
        if ceiling is not None and ceiling.rate:
            return evidence.ceiling(tag)
    raise Untried("no path to the units was measured")


LESSON = Lesson(
    name="peak-compute",
    title="Even a matrix product stays below the peak",
    claim=(
        "The peak of arithmetic is a bound: even a matrix product, the friendliest of real "
        "programs, stays below it."
    ),
    source="Williams, Waterman and Patterson, Roofline, Communications of the ACM, 2009.",
    rule="It holds if the library's best product stays below the peak, beyond its interval.",
    needs=(FP32, FP16, LIBRARY, PRODUCTS),
    judge=judge,
)
