"""What a layer's place on the roofline means, in words: why it is there, and what kind of change
gains time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.layers.placement import Placement, set_of
from probes.records.tag import COMPUTE, Tag

ABOVE = 1.02
"""Share from which a point is above its roof: both were measured, each to about a per cent."""
AT_ROOF = 0.9
"""Share from which no other kernel is worth the search."""
ALIGNED = {"tf32": 4, "fp16": 8, "bf16": 8, "int8": 16, "fp8": 16}
"""Channels per 16 bytes, the unit in which tensor cores load (NVIDIA, Deep Learning Performance,
Matrix Multiplication Background User's Guide, 2.2)."""
LOWER = {
    "fp64": "FP32",
    "fp32": "TF32, FP16 or INT8",
    "tf32": "FP16 or INT8",
    "fp16": "INT8",
    "bf16": "INT8",
}
WEIGHTED = frozenset(("convolution", "matmul", "attention", "recurrent"))
"""Families whose intensity grows with what they are given: kernel, channels, batch."""
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
    )
) | {"QuantizeLinear", "DequantizeLinear", "ReorderInput", "ReorderOutput", "Shuffle", "NoOp"}
"""Operations that a network can often do without: they change how data lie, not what they say."""
LOWER_CPU = {"fp64": "FP32", "fp32": "INT8"}
MOVE = "moves data only: remove this reformat, or fuse it into a neighbour"
FUSE = "launch overhead: fuse it into a neighbour, enlarge the batch, or replay a CUDA graph"
NEIGHBOUR = "raise intensity: fuse it into the layer before or after"
RAISE = "raise intensity: fuse, larger kernel or channels"
BATCH = (
    "neither memory nor arithmetic explains its time: more work per launch (batch, output "
    "size), or another kernel"
)


def advice(placed: Sequence[Placement]) -> list[Placement]:
    """The same placements with a remark each: what was known of the row, what its place means, and
    the kind of gain.
    """
    halves = {_same(p): p for p in placed if p.dtype == "fp16"}
    return [
        replace(p, remark="; ".join(filter(None, (p.remark, *_remarks(p, halves.get(_same(p)))))))
        for p in placed
    ]


def _same(placement: Placement) -> tuple[str, ...]:
    """What the same layer has in common in every precision; a device may run each by another
    provider.
    """
    return set_of(placement), placement.layer


def _remarks(p: Placement, half: Placement | None) -> list[str]:
    comparable = half is not None and _was_timed_well(half) and _was_timed_well(p)
    slower = comparable and half is not None and p.dtype == "int8" and p.seconds > half.seconds
    return [
        f"INT8 is slower than FP16 ({p.seconds / half.seconds:.2f} times)"
        if slower and half
        else "",
        _missing(p) if p.share is None else _explained(p) if p.share > ABOVE else _gain(p),
    ]


def _was_timed_well(p: Placement) -> bool:
    """Whether the time of a layer can be trusted, whatever its roof."""
    return p.trusted or p.roof_is_doubted


def _missing(p: Placement) -> str:
    """Why a layer could not be placed."""
    unknown = [name for name, work in (("FLOPs", p.flops), ("bytes", p.bytes)) if work is None]
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
    if p.op in REFORMATS:
        return MOVE
    if p.bound == "launch":
        return FUSE
    if odd := _misaligned(p):
        return odd
    if p.bound == "compute":
        lower = (LOWER_CPU if p.provider == "cpu" else LOWER).get(p.dtype)
        return f"lower precision: {lower}" if lower else _lowest(p.share or 0.0)
    if p.bound == "below every roof":
        return BATCH
    return RAISE if p.family in WEIGHTED else NEIGHBOUR


def _lowest(share: float) -> str:
    """Of what arithmetic bounds in the least precision there is."""
    if share >= AT_ROOF:
        return "at its roof: only less arithmetic gains"
    return (
        f"in its least precision: another kernel saves {100 * (1 - share):.0f} % at most, or "
        "less arithmetic"
    )


def _misaligned(p: Placement) -> str:
    """Channels that are no multiple of what tensor cores load at once; nothing for CPUs."""
    unit = ALIGNED.get(p.dtype)
    if unit is None or p.provider == "cpu":
        return ""
    odd = [f"{name} {channels}" for name, channels in p.facts.channels.items() if channels % unit]
    return f"align channels to {unit}: {', '.join(odd)}" if odd else ""
