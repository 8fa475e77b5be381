"""What it costs where two precisions meet: Q, DQ and casts, by the elements of the tensor."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probes.records.measurement import OK, Measurement
from probes.records.tag import ELEMENTS, OVERHEAD

FP32, FP16, BF16, INT8, FP8 = "fp32", "fp16", "bf16", "int8", "fp8"
QUANTIZE, DEQUANTIZE = "quantize", "dequantize"
TO_HALF, TO_SINGLE = "fp32-to-fp16", "fp16-to-fp32"
"""Series of the sweeps that time conversions: x is the elements of the tensor."""
BYTES = {FP32: 4, FP16: 2, BF16: 2, INT8: 1, FP8: 1}
"""Of one element, by precision."""
ENCODED = (INT8, FP8)
"""Precisions that have scales: one enters them by Q and leaves them by DQ."""


@dataclass(frozen=True)
class Border:
    """The cost of one conversion of one tensor."""

    seconds: float | None
    """None where nothing is known of it."""
    measured: bool = True
    """False where it is predicted: a launch, and bytes over the roof of memory."""


@dataclass(frozen=True)
class Borders:
    """The costs of conversions on one provider."""

    curves: Mapping[str, Sequence[tuple[float, float]]]
    """(elements, seconds) by series, by elements."""
    bandwidth: float | None = None
    """Of main memory in B/s, for series that were not timed; None is unknown."""
    launch_seconds: float = 0.0
    """What it costs to start a kernel, likewise."""
    factor: float = 1.0
    """What each cost is multiplied by, for being part of a whole network."""

    def cost(self, source: str, target: str, elements: int) -> Border:
        """The cost of a tensor of so many elements that changes from one precision to another."""
        if source == target:
            return Border(0.0)
        if source in ENCODED and target in ENCODED:
            return _together(self.cost(source, FP32, elements), self.cost(FP32, target, elements))
        series = _series(source, target)
        curve = self.curves.get(series)
        if curve:
            return Border(self.factor * interpolated(curve, elements))
        if self.bandwidth is None:
            return Border(None, measured=False)
        moved = elements * (BYTES[source] + BYTES[target])
        seconds = self.launch_seconds + moved / self.bandwidth
        return Border(self.factor * seconds, measured=False)


def _series(source: str, target: str) -> str:
    """The series that times this conversion; that of FP16 stands for all casts to 16 bits."""
    if target in ENCODED:
        return QUANTIZE
    if source in ENCODED:
        return DEQUANTIZE
    return TO_SINGLE if target == FP32 else TO_HALF


def _together(first: Border, second: Border) -> Border:
    """Two conversions, one after the other."""
    if first.seconds is None or second.seconds is None:
        return Border(None, measured=False)
    return Border(first.seconds + second.seconds, first.measured and second.measured)


def borders(
    rows: Sequence[Measurement], provider: str, bandwidth: float | None, launch_seconds: float
) -> Borders:
    """The costs that these rows show of this provider.

    Times that cannot be trusted speak of a conversion only where no others do. The last two
    arguments predict what was not timed: see the fields of Borders.
    """
    trusted: dict[str, dict[float, float]] = {}
    doubted: dict[str, dict[float, float]] = {}
    for row in rows:
        sweep = row.sweep
        if sweep is None or sweep.quantity != OVERHEAD or sweep.over != ELEMENTS:
            continue
        if row.backend == provider and row.status == OK and row.x and row.seconds_median:
            curves = trusted if row.trusted else doubted
            curves.setdefault(sweep.series, {})[row.x] = row.seconds_median
    ordered = {series: sorted(points.items()) for series, points in (doubted | trusted).items()}
    return Borders(ordered, bandwidth, launch_seconds)


def interpolated(curve: Sequence[tuple[float, float]], elements: float) -> float:
    """Seconds at so many elements: log-log between the two sizes around it.

    Below the smallest size the time is that of the smallest, which a launch bounds; above the
    largest it grows with the elements.
    """
    sizes = [size for size, _ in curve]
    place = bisect_left(sizes, elements)
    if place == 0:
        return curve[0][1]
    lower_size, lower_seconds = curve[place - 1]
    if place == len(curve):
        return lower_seconds * elements / lower_size
    upper_size, upper_seconds = curve[place]
    part = math.log(elements / lower_size) / math.log(upper_size / lower_size)
    return lower_seconds * (upper_seconds / lower_seconds) ** part
