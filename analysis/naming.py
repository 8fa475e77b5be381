"""What people call what a row speaks of: ``DRAM copy`` of bandwidth/dram/copy."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.units import binary, short
from probes.records.measurement import Measurement
from probes.records.tag import (
    ARITHMETIC,
    BANDWIDTH,
    COMPUTE,
    LATENCY,
    LAYER,
    ONE_CORE,
    OVERHEAD,
    PEER,
    TRANSFER,
    Sweep,
    Tag,
)

SUBJECTS = {
    "shared": "shared memory",
    "h2d": "host to device",
    "d2h": "device to host",
    "both": "host and device, both ways",
}
"""Subjects that people call otherwise than in capitals."""
NAMES_OF_VARIANTS = {ONE_CORE: "one core"}
"""Variants that people call otherwise than by their name."""
NOUNS = {LATENCY: "latency", OVERHEAD: "overhead"}
"""What is said after a subject, of quantities that the unit does not give away."""


def name_of(tag: Tag) -> str:
    """``DRAM copy``, ``FP16 wgmma-fp32``, ``L2 latency far``, ``launch overhead``."""
    if tag.quantity == TRANSFER and tag.subject.startswith(f"{PEER}-"):
        subject = " to ".join(f"GPU {gpu}" for gpu in tag.subject.split("-")[1:])
    elif tag.quantity in (ARITHMETIC, BANDWIDTH, COMPUTE, LATENCY, TRANSFER):
        subject = SUBJECTS.get(tag.subject, tag.subject.upper())
    else:
        subject = tag.subject
    variants = [NAMES_OF_VARIANTS.get(name, name) for name in tag.variants]
    words = (subject, NOUNS.get(tag.quantity, ""), tag.path, *variants)
    return " ".join(word for word in words if word)


def few(names: Sequence[str], most: int) -> str:
    """The first of these names, and how many more there are than ``most``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def name_of_row(row: Measurement) -> str:
    """The same of a row: of a point of a sweep with its place, of a layer with its type."""
    tag = row.tag
    if isinstance(tag, Sweep) and tag.axis.listed:
        return tag.series
    if isinstance(tag, Sweep):
        return f"{tag.series} over {tag.over.replace('-', ' ')}, {_place(row, tag)}"
    if tag.quantity == LAYER:
        return f"{row.layer or tag.subject} {row.dtype.upper()}"
    return name_of(tag)


def _place(row: Measurement, sweep: Sweep) -> str:
    """Where a point lies on its curve."""
    x = row.x or 0.0
    return f"at {binary(x)}" if sweep.axis.unit == "B" else f"at {short(x)}"
