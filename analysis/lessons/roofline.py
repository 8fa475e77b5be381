"""What a program attains is the lesser of the peak and its intensity times the bandwidth."""

from __future__ import annotations

from dataclasses import replace

from analysis.lessons.frame.charts import Spot, UnderRoofs
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.interval import Interval, all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import FP32
from analysis.lessons.frame.trial import Finding
from analysis.model.roofline import Roof, attainable, ridge
from analysis.units import percent, short
from probes.records.measurement import Measurement
from probes.records.need import Need

SHARE = 0.7
"""Of the roof that a kernel made for it must reach, away from the ridge."""
NEAR = 2.0
"""About the ridge, by this factor, both limits are at work, and no kernel reaches the corner."""
READ_TAG, FLAT_TAG = "bandwidth/dram/read", "compute/fp32"
READ = Need("bandwidth", tags=(READ_TAG,))
POINTS = Need("intensity", tags=("sweep/compute/intensity/fp32",))
ASKED = (
    replace(POINTS, places=(0.25, 1.0, 2.0, 32.5, 128.0), kinds=("cpu",)),
    replace(POINTS, kinds=("cuda",)),
)
"""A point takes a CPU a second and longer, since both roofs are timed beside it."""


def judge(evidence: Evidence) -> Finding:
    rows = evidence.rows(POINTS)
    flat, slope = _roofs(evidence)
    corner = ridge(flat, slope)
    shares = {}
    for row in rows:
        x = row.x or 0.0
        if not corner / NEAR <= x <= corner * NEAR:
            shares[x] = _share(evidence, row, flat, slope)
    if not shares:
        raise Untried("no point lies away from the ridge")
    worst = min(shares, key=lambda x: shares[x].value)
    words = (
        f"From {short(min(shares))} to {short(max(shares))} FLOP/B a kernel that reads an array "
        f"and does more and more multiply-adds on it reaches {percent(shares[worst].value)} of its "
        f"roof at worst (at {short(worst)} FLOP/B), apart from a factor of {NEAR:g} about the "
        f"ridge at {short(corner)}."
    )
    spots = [Spot("", row.x or 0.0, evidence.rate(row), "reads and multiply-adds") for row in rows]
    chart = UnderRoofs(
        spots=spots, slopes=[_roof(READ_TAG, slope, "B/s")], flats=[_roof(FLAT_TAG, flat, "FLOP/s")]
    )
    return Finding(all_of(share.above(SHARE) for share in shares.values()), words, chart)


def _roofs(evidence: Evidence) -> tuple[float, float]:
    """(operations a second, bytes a second) as measured apart from the points."""
    flat = evidence.reached(FLAT_TAG)
    slope = evidence.rate(evidence.row(READ))
    return flat.value, slope.value


def _share(evidence: Evidence, row: Measurement, flat: float, slope: float) -> Interval:
    """What a point reaches of its roof: that timed beside it where there is one."""
    beside = row.beside
    flat = beside.get(FLAT_TAG, flat)
    slope = beside.get(READ_TAG, slope)
    return evidence.rate(row).times(1 / attainable(row.x or 0.0, flat, slope))


def _roof(tag: str, rate: float, unit: str) -> Roof:
    """A roof of the picture."""
    return Roof(tag=tag, rate=rate, peak=None, unit=unit)


LESSON = Lesson(
    name="roofline",
    title="A kernel made for it hugs the whole roofline",
    claim=(
        "What a program attains is the lesser of the peak of arithmetic and its intensity times "
        "the bandwidth: below the ridge memory decides, above it arithmetic."
    ),
    source="Williams, Waterman and Patterson, Roofline, Communications of the ACM, 2009.",
    rule=(
        f"It holds if, farther than a factor of {NEAR:g} from the ridge, each intensity reaches "
        f"more than {SHARE:.0%} of its roof."
    ),
    needs=(FP32, READ, *ASKED),
    judge=judge,
)
