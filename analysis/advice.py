"""What a layer's place on the roofline means, in words: why it is there, and what kind of change gains time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.placements import Placement

ABOVE = 1.02
"""Share from which a point is above its roof: both were measured, each to about a per cent."""
CHANNELS = ("channels", "in_channels", "out_channels")
ALIGNED = {"tf32": 4, "fp16": 8, "bf16": 8, "int8": 16, "fp8": 16}
"""Channels per 16 bytes, the unit in which tensor cores load (NVIDIA, Deep Learning Performance, Matrix Multiplication
Background User's Guide, 2.2)."""
LOWER = {"fp64": "FP32", "fp32": "TF32, FP16 or INT8", "tf32": "FP16 or INT8", "fp16": "INT8", "bf16": "INT8"}
MOVE = "moves data only: remove this reformat, or fuse it into a neighbour"
FUSE = "launch overhead: fuse it into a neighbour, enlarge the batch, or replay a CUDA graph"
RAISE = "raise intensity: fuse, larger kernel or channels"
BATCH = "neither memory nor arithmetic explains its time: more work per launch (batch, output size), or another kernel"


def advice(placed: Sequence[Placement]) -> list[Placement]:
    """The same placements with a remark each: what was known of the row, what its place means, and the kind of gain."""
    halves = {_same(p): p for p in placed if p.dtype == "fp16"}
    return [replace(p, remark="; ".join(filter(None, (p.remark, *_remarks(p, halves.get(_same(p))))))) for p in placed]


def _same(placement: Placement) -> tuple[str, str, str]:
    return placement.network, placement.layer, placement.provider


def _remarks(p: Placement, half: Placement | None) -> list[str]:
    params = json.loads(p.params or "{}")
    slower = half is not None and p.dtype == "int8" and p.seconds > half.seconds
    return [
        f"INT8 is slower than FP16 ({p.seconds / half.seconds:.2f} times)" if slower and half else "",
        _missing(p) if p.share is None else _explained(p, params) if p.share > ABOVE else _gain(p, params),
    ]


def _missing(p: Placement) -> str:
    """Why a layer could not be placed."""
    unknown = [name for name, work in (("FLOPs", p.flops), ("bytes", p.bytes)) if work is None]
    if unknown:
        return f"not placed: {' and '.join(unknown)} unknown"
    if not p.flops and not p.bytes:
        return "not placed: it does no work"
    return f"not placed: no roof of {p.dtype} or of memory was measured"


def _explained(p: Placement, params: dict[str, Any]) -> str:
    """Why a point can be above its roof, by what is known of it."""
    above = f"{100 * ((p.share or 1.0) - 1):.0f} % above {p.roof}"
    if p.roof.startswith("compute/"):
        return f"{above}: more operations are stated than ran (another algorithm, skipped work), or the roof is low"
    if not params.get("warm"):
        return f"{above}: stated to be cold, yet a cache held part of its data"
    return f"{above}: a faster level held part of its data, or less crossed its border than stated (fused, padded)"


def _gain(p: Placement, params: dict[str, Any]) -> str:
    if not p.flops:
        return MOVE
    if p.bound == "launch":
        return FUSE
    if odd := _misaligned(p, params):
        return odd
    if p.bound == "compute":
        lower = LOWER.get(p.dtype)
        return f"lower precision: {lower}" if lower else "at its roof: only less arithmetic gains"
    return BATCH if p.bound == "below every roof" else RAISE


def _misaligned(p: Placement, params: dict[str, Any]) -> str:
    """Channels that are no multiple of what tensor cores load at once; nothing for CPUs."""
    unit = ALIGNED.get(p.dtype)
    if unit is None or p.provider == "cpu":
        return ""
    odd = [f"{name} {params[name]}" for name in CHANNELS if isinstance(params.get(name), int) and params[name] % unit]
    return f"align channels to {unit}: {', '.join(odd)}" if odd else ""
