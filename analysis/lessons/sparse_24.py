"""2:4 sparsity pays only under the roof of arithmetic."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves, Guide
from analysis.lessons.frame.evidence import QUIETER, Evidence, Untold, Untried
from analysis.lessons.frame.interval import Interval, all_of, any_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short
from probes.records.need import Need

DTYPE = "fp16"
DENSE = Need("sparse_gemm", tags=(f"sweep/compute/side/{DTYPE}-gemm",))
SPARSE = Need("sparse_gemm", tags=(f"sweep/compute/side/{DTYPE}-gemm_sp",))
PAYS = 1.25
"""Times as fast, from which on it pays."""
FEWEST_SIDES = 2


def judge(evidence: Evidence) -> Finding:
    if evidence.kind == "cpu":
        raise Untried("no CPU skips 2:4 zeros: try it on a GPU from Ampere on (--device 0)")
    gains = _gains(evidence)
    large = max(gains)
    smaller = {side: gain for side, gain in gains.items() if side < large}
    small = min(smaller, key=lambda side: smaller[side].high)
    one_does_not_pay = any_of(gain.below(PAYS) for gain in smaller.values())
    said = all_of([gains[large].above(PAYS), one_does_not_pay])
    words = (
        f"The vendor's sparse product is {short(gains[large].value)} times as fast as its dense "
        f"one at {large:.0f} by {large:.0f}, which arithmetic bounds, and "
        f"{short(gains[small].value)} times at {small:.0f} by {small:.0f}, where the launch and "
        "the bytes of what is not sparse take the time."
    )
    chart = Curves(
        across="Rows and columns of a square product",
        up="Speed-up by 2:4",
        unit="",
        curves=[Curve(DTYPE.upper(), sorted(gains.items()))],
        guides=[Guide("dense", 1.0), Guide("half of the work", 2.0)],
    )
    return Finding(said, words, chart)


def _gains(evidence: Evidence) -> dict[float, Interval]:
    """Times as fast as dense, by the side of the product."""
    dense = {row.x or 0.0: evidence.seconds(row) for row in evidence.rows(DENSE)}
    gains = {}
    for row in evidence.rows(SPARSE):
        side = row.x or 0.0
        if side in dense:
            gains[side] = dense[side].over(evidence.seconds(row))
    if len(gains) < FEWEST_SIDES:
        raise Untold(f"too few products were timed both ways; {QUIETER}")
    return gains


LESSON = Lesson(
    name="sparse-2of4",
    title="2:4 sparsity pays only under the compute roof",
    claim=(
        "Leaving out two of each four weights speeds a product up where arithmetic bounds it, and "
        "hardly where memory or the launch does."
    ),
    source="Mishra et al., Accelerating Sparse Deep Neural Networks, arXiv 2104.08378, 2021.",
    rule=(
        f"It holds if the largest product gains more than {PAYS:g} times, and a smaller one less."
    ),
    needs=(DENSE, SPARSE),
    judge=judge,
)
