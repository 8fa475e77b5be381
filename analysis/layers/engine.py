"""What the layers of a TensorRT engine show that those of other runtimes do not.

Reformats that the engine added, which layers use tensor cores, and which have no INT8 kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.layers.advice import WEIGHTED
from analysis.layers.groups import Network
from analysis.layers.placement import BOUND_BY_LAUNCH, Placement

TENSORRT = "tensorrt"
ON_TENSOR_CORES = re.compile(
    r"[hsi](884|1688|16816|8816|16832|161616|168128)(?!\d)"  # volta_h884cudnn, i8816cudnn
    r"|tensor\d+x\d+x\d+|tensorop|_tensor_?core"  # sm80_xmma_…_tensor16x8x16, cutlass_tensorop
    r"|[hiq]mma|wgmma|gmma|umma|tcgen05|warpgroupsize|nvjet|fmha|fused_mha|_mha_",
    re.IGNORECASE,
)
"""In names of kernels that multiply on tensor cores, as NVIDIA's libraries call them: the shape of
the instruction, the instruction, or a library that has no others."""
OFF_TENSOR_CORES = re.compile(
    r"(^|_)[hsd](cudnn|gemm)|icudnn_int8x4|sgemm|dgemm|ffma|simt|gemv|winograd|depthwise"
    r"|int8x4|dp4a|_fp32_|fused_conv_act",
    re.IGNORECASE,
)
"""In names of kernels that multiply without them: scudnn, sgemm, dp4a of icudnn_int8x4."""
INTEGERS = "int8"


@dataclass(frozen=True)
class Reformats:
    """The layers of an engine that only change how data lie, or in which type."""

    layers: tuple[Placement, ...]
    """Those layers, the longest first."""
    seconds: float
    """The sum of their times."""
    share: float
    """Of the time of all layers."""


@dataclass(frozen=True)
class Cores:
    """Which of the layers with weights use tensor cores, by the names of their kernels."""

    on: tuple[Placement, ...]
    """Those that do."""
    off: tuple[Placement, ...]
    """Those that do not, the longest first."""
    unknown: int
    """How many have a kernel whose name does not tell."""


def is_engine(net: Network) -> bool:
    """True if TensorRT ran this network."""
    return net.provider == TENSORRT


def uses_tensor_cores(tactic: str) -> bool | None:
    """Whether a kernel multiplies on tensor cores, by its name; None where that does not tell."""
    if ON_TENSOR_CORES.search(tactic):
        return True
    return False if OFF_TENSOR_CORES.search(tactic) else None


def is_reformat(layer: Placement) -> bool:
    """True for a layer that the engine added to change formats or types."""
    names = (layer.op.lower(), layer.layer.lower())
    return names[0].startswith("reformat") or names[1].startswith("reformat")


def reformats(net: Network) -> Reformats:
    """The reformats of an engine."""
    layers = _longest_first([layer for layer in net.layers if is_reformat(layer)])
    seconds = sum(layer.seconds for layer in layers)
    total = net.light.seconds
    return Reformats(layers, seconds, seconds / total if total else 0.0)


def cores(net: Network) -> Cores:
    """Which layers with weights use tensor cores."""
    on, off, unknown = [], [], 0
    for layer in net.layers:
        if layer.family not in WEIGHTED:
            continue
        answer = uses_tensor_cores(layer.facts.tactic)
        if answer is None:
            unknown += 1
        elif answer:
            on.append(layer)
        else:
            off.append(layer)
    return Cores(tuple(on), _longest_first(off), unknown)


def without_integers(net: Network) -> tuple[Placement, ...]:
    """Layers with weights that an engine in INT8 computes in another type, the longest first."""
    weighted = [layer for layer in net.layers if layer.family in WEIGHTED]
    return _longest_first([layer for layer in weighted if layer.dtype != INTEGERS])


def launch_share(net: Network) -> float:
    """Share of the time of all layers that goes into those that launches bound."""
    bound = sum(layer.seconds for layer in net.layers if layer.bound == BOUND_BY_LAUNCH)
    return bound / net.light.seconds if net.light.seconds else 0.0


def _longest_first(layers: Sequence[Placement]) -> tuple[Placement, ...]:
    return tuple(sorted(layers, key=lambda layer: layer.seconds, reverse=True))
