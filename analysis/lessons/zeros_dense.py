"""Single weights that are zero save no time in a dense kernel; leaving them out pays late."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence, Untold, Untried
from analysis.lessons.frame.interval import Interval, all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import layers
from analysis.lessons.frame.steps import by_place
from analysis.lessons.frame.trial import Finding
from analysis.units import short
from probes.records.need import Need

DENSE, SPARSE = "dense product", "zeros left out (CSR)"
"""Curves of the family "zeros"."""
MANY = 90.0
"""Share of zeros in percent, at which a dense kernel could save nine tenths."""
NOT_FASTER = 0.5
"""Share of the time of the dense product without zeros, above which zeros save nothing."""
FEW = 50.0
"""Share of zeros in percent, at which leaving them out must not pay yet."""
DENSE_NEED = layers("zeros", DENSE, dtypes=("fp32", "fp16"))
SPARSE_NEED = layers("zeros", SPARSE)


def judge(evidence: Evidence) -> Finding:
    dense = _by_zeros(evidence, DENSE_NEED, (0.0, MANY))
    whole = dense[0.0]
    left = dense[MANY].over(whole)
    conditions = [left.above(NOT_FASTER)]
    words = (
        f"The dense product takes {short(left.value)} times as long with {MANY:.0f} % zeros as "
        "with none: it multiplies them like all others. "
    )
    curves = [_curve(DENSE, dense, whole)]
    try:
        sparse = _by_zeros(evidence, SPARSE_NEED, (FEW,))
    except (Untried, Untold) as why:
        words += f"How the zeros can be left out was not measured: {why}."
    else:
        conditions.append(sparse[FEW].over(whole).above(1.0))
        words += _crossing(sparse, whole)
        curves.append(_curve(SPARSE, sparse, whole))
    chart = Curves(
        across="Weights that are not zero (%)",
        up="Time, dense without zeros is 1",
        unit="",
        curves=curves,
    )
    return Finding(all_of(conditions), words, chart)


def _by_zeros(evidence: Evidence, need: Need, needed: Sequence[float]) -> dict[float, Interval]:
    steps = by_place(evidence, need, needed)
    return {zeros: layer.seconds for zeros, layer in steps.items()}


def _crossing(sparse: dict[float, Interval], whole: Interval) -> str:
    """From which share of zeros on it pays to leave them out."""
    faster = [zeros for zeros, seconds in sparse.items() if seconds.over(whole).below(1.0)]
    if not faster:
        return "Leaving them out (CSR, by SciPy on one core) is faster at no share that was tried."
    first = min(faster)
    return (
        f"Leaving them out (CSR, by SciPy on one core) is faster from {first:.0f} % zeros on: "
        f"{short(whole.value / sparse[first].value)} times."
    )


def _curve(name: str, seconds: dict[float, Interval], whole: Interval) -> Curve:
    points = [(100 - zeros, time.over(whole)) for zeros, time in seconds.items()]
    return Curve(name, sorted(points))


LESSON = Lesson(
    name="zeros-dense",
    title="Unstructured zeros save no time when dense",
    claim=(
        "Weights that are zero at random places save no time in a dense kernel; a kernel that "
        "leaves them out pays only where nearly all are zero."
    ),
    source="Gale, Zaharia, Young and Elsen, Sparse GPU Kernels for Deep Learning, SC 2020.",
    rule=(
        f"It holds if the dense product with {MANY:.0f} % zeros takes more than {NOT_FASTER:.0%} "
        f"of its time without, and the sparse one with {FEW:.0f} % zeros longer than dense."
    ),
    needs=(DENSE_NEED, SPARSE_NEED),
    judge=judge,
)
