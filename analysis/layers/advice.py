"""What a layer's place on the roofline means: why it is there, and what kind of change gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.layers.placement import (
    BELOW_EVERY_ROOF,
    BOUND_BY_LAUNCH,
    BOUND_BY_SLOW,
    DISTURBED,
    Placement,
    set_of,
)
from probes.records.tag import ARITHMETIC, COMPUTE, Tag

ABOVE_ROOF = 1.02
"""Share from which a point is above its roof: both were measured, each to about a per cent."""
AT_ROOF = 0.9
"""Share from which no other kernel is worth the search."""
ALIGNED = {"tf32": 4, "fp16": 8, "bf16": 8, "int8": 16, "fp8": 16}
"""Channels per 16 bytes, the unit in which tensor cores load (NVIDIA, Deep Learning Performance,
Matrix Multiplication Background User's Guide, 2.2)."""
LOWER_TYPES = {
    "fp64": "FP32",
    "fp32": "TF32, FP16 or INT8",
    "tf32": "FP16 or INT8",
    "fp16": "INT8",
    "bf16": "INT8",
}
"""Types of less precision that a GPU computes faster, by type."""
LOWER_TYPES_OF_CPU = {"fp64": "FP32", "fp32": "INT8"}
"""The same of a CPU."""
WEIGHTED = frozenset(("convolution", "matmul", "attention", "recurrent"))
"""Families whose intensity grows with kernel, channels and batch."""
REFORMATS = frozenset(
    (
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Cast",
        "Identity",
        "Concat",
        "Split",
        "Reformat",
        "QuantizeLinear",
        "DequantizeLinear",
        "ReorderInput",
        "ReorderOutput",
        "Shuffle",
        "NoOp",
    )
)
"""Operations that a network can often do without: they change how data lie, not what they say."""
MOVE = "moves data only: remove this reformat, or fuse it into a neighbour"
FUSE = "launch overhead: fuse it into a neighbour, enlarge the batch, or replay a CUDA graph"
NEIGHBOUR = "raise intensity: fuse it into the layer before or after"
RAISE = "raise intensity: fuse, larger kernel or channels"
FEWER = (
    "its exponentials, divisions or roots bound it: a cheaper function, or fuse it with a product"
)
BATCH = (
    "neither memory nor arithmetic explains its time: more work per launch (batch, output "
    "size), or another kernel"
)
FIRST_THINGS = {
    "": "give it a roof first: its type or its memory was not measured",
    DISTURBED: "quiet the machine first",
    BOUND_BY_LAUNCH: "raise the batch first, or fuse layers",
    BELOW_EVERY_ROOF: "raise the batch first, or try another runtime",
    BOUND_BY_SLOW: "cheaper functions (ReLU for GELU, a polynomial for erf) gain most",
    COMPUTE: "a lower precision gains most",
}
"""What to do first about a network, by what bounds most of its time."""
FEWER_BYTES = "move fewer bytes: fuse layers, or store smaller types"
"""The same where a memory bounds it."""


def advice(placed: Sequence[Placement]) -> list[Placement]:
    """The same placements, each with more remarks: the kind of gain first, then how it ran."""
    halves = {_same_layer(p): p for p in placed if p.dtype == "fp16"}
    advised = []
    for placement in placed:
        half = halves.get(_same_layer(placement))
        remarks = (_slower_than(half, placement), _verdict(placement), placement.remark)
        remark = "; ".join(remark for remark in remarks if remark)
        advised.append(replace(placement, remark=remark))
    return advised


def first_thing(bound: str) -> str:
    """What to do first about a network of which most of the time is bound so."""
    return FIRST_THINGS.get(bound, FEWER_BYTES)


def _same_layer(placement: Placement) -> tuple[str, str]:
    """What a layer has in common in every precision: its network (or sweep) and its name.

    A device may run each precision by another provider.
    """
    return set_of(placement), placement.layer


def _slower_than(half: Placement | None, placement: Placement) -> str:
    """How much slower a layer is in INT8 than in FP16.

    Empty if it is not, or if the two times cannot be compared.
    """
    if half is None or placement.dtype != "int8":
        return ""
    if not (_was_timed_well(half) and _was_timed_well(placement)):
        return ""
    if placement.seconds <= half.seconds:
        return ""
    return f"INT8 is slower than FP16 ({placement.seconds / half.seconds:.2f} times)"


def _verdict(p: Placement) -> str:
    """What the place of a layer means, or why it has none."""
    if p.share is None:
        return _missing(p)
    return _explained(p) if p.share > ABOVE_ROOF else _gain(p)


def _was_timed_well(p: Placement) -> bool:
    """True if the time of a layer can be trusted, whatever its roof."""
    return p.trusted or p.roof_is_doubted


def _missing(p: Placement) -> str:
    """Why a layer could not be placed."""
    unknown = []
    if p.flops is None:
        unknown.append("FLOPs")
    if p.bytes is None:
        unknown.append("bytes")
    if unknown:
        return f"not placed: {' and '.join(unknown)} unknown"
    if not p.trusted:
        return f"no verdict: {p.doubt}"
    if not p.flops and not p.bytes:
        return "not placed: it does no work"
    return f"not placed: it takes a measured roof of {p.dtype} and one of memory"


def _explained(p: Placement) -> str:
    """Why a point can be above its roof, by what is known of it."""
    above = f"{100 * ((p.share or 1.0) - 1):.0f} % above {p.roof}"
    if Tag.parse(p.roof).quantity == ARITHMETIC:
        return f"{above}: it computes its functions another way (a table, fewer digits)"
    if Tag.parse(p.roof).quantity == COMPUTE:
        return (
            f"{above}: more operations are stated than ran (another algorithm, skipped work), "
            "or the roof is low"
        )
    if not p.facts.warm:
        return f"{above}: stated to be cold, yet a cache held part of its data"
    return (
        f"{above}: a faster level held part of its data, or less crossed its border than "
        "stated (fused, padded)"
    )


def _gain(p: Placement) -> str:
    """The kind of change that gains time."""
    if p.op in REFORMATS:
        return MOVE
    if p.bound == BOUND_BY_LAUNCH:
        return FUSE
    misaligned = _misaligned(p)
    if misaligned:
        return misaligned
    if p.bound == COMPUTE:
        lower_types = LOWER_TYPES_OF_CPU if p.provider == "cpu" else LOWER_TYPES
        lower = lower_types.get(p.dtype)
        return f"lower precision: {lower}" if lower else _lowest(p.share or 0.0)
    if p.bound == BOUND_BY_SLOW:
        return FEWER
    if p.bound == BELOW_EVERY_ROOF:
        return BATCH
    return RAISE if p.family in WEIGHTED else NEIGHBOUR


def _lowest(share: float) -> str:
    """What gains where arithmetic bounds a layer in the least precision there is."""
    if share >= AT_ROOF:
        return "at its roof: only less arithmetic gains"
    saved = f"{100 * (1 - share):.0f} %"
    return f"in its least precision: another kernel saves {saved} at most, or less arithmetic"


def _misaligned(p: Placement) -> str:
    """Which channels are no multiple of what tensor cores load at once; empty for CPUs."""
    unit = ALIGNED.get(p.dtype)
    if unit is None or p.provider == "cpu":
        return ""
    odd = [f"{name} {channels}" for name, channels in p.facts.channels.items() if channels % unit]
    return f"align channels to {unit}: {', '.join(odd)}" if odd else ""
