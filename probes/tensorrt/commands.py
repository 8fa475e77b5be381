"""The command lines of trtexec, with the flags that its version knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.base import Unavailable
from probes.tensorrt.find import Tool

WEAK_FLAGS: Mapping[str, tuple[str, ...]] = {
    "fp32": ("--noTF32",),
    "tf32": (),
    "fp16": ("--fp16",),
    "bf16": ("--bf16",),
    "int8": ("--int8", "--fp16"),
}
"""Flags that allow a precision where types are weak; where a layer has no INT8 kernel, it may run
in FP16, as networks are deployed."""
STRONG_FLAGS: Mapping[str, tuple[str, ...]] = {"fp32": ("--noTF32",)}
"""The same where the network says its types: TF32 is then the one choice left."""
SKIP_INFERENCE = ("--skipInference", "--buildOnly")
"""Flags to build and not to run, the newer one first."""
DETAILED = "--profilingVerbosity=detailed"
WARM_UP_MS = 500
SECONDS, QUICK_SECONDS = 5, 1
"""How long an engine is timed."""


@dataclass(frozen=True)
class Starter:
    """A trtexec, the GPU it is to use, and how long it is to time."""

    tool: Tool
    """The program."""
    device: int
    """Number of the CUDA device."""
    seconds: int = SECONDS
    """How long it times an engine."""

    def build(self, network: Path, engine: Path, precision: str, timing_cache: Path) -> list[str]:
        """Build an engine, and run nothing. Raises Unavailable for an unknown precision."""
        options = [
            f"--onnx={network}",
            f"--saveEngine={engine}",
            DETAILED,
            f"--timingCacheFile={timing_cache}",
            *self.flags(precision),
        ]
        skip = [flag for flag in SKIP_INFERENCE if self.tool.knows(flag)]
        return self._command([*options, *skip[:1]])

    def whole(self, engine: Path, times: Path) -> list[str]:
        """Time an engine in one go, as a CUDA graph, without transfers."""
        return self._command(
            [
                f"--loadEngine={engine}",
                "--useCudaGraph",
                "--useSpinWait",
                "--noDataTransfers",
                f"--warmUp={WARM_UP_MS}",
                f"--duration={self.seconds}",
                f"--exportTimes={times}",
            ]
        )

    def layers(self, engine: Path, profile: Path, layers: Path) -> list[str]:
        """Time an engine layer by layer, which makes the whole of it slower."""
        return self._command(
            [
                f"--loadEngine={engine}",
                "--useSpinWait",
                "--noDataTransfers",
                f"--warmUp={WARM_UP_MS}",
                f"--duration={self.seconds}",
                DETAILED,
                f"--exportProfile={profile}",
                f"--exportLayerInfo={layers}",
            ]
        )

    def flags(self, precision: str) -> Sequence[str]:
        """The flags of a precision. Raises Unavailable where this version has none."""
        by_precision = STRONG_FLAGS if self.tool.strongly_typed else WEAK_FLAGS
        flags = by_precision.get(precision, ())
        unknown = [flag for flag in flags if not self.tool.knows(flag)]
        needed = [flag for flag in unknown if flag != "--noTF32"]
        if needed:
            raise Unavailable(f"{self.tool.name} has no {needed[0]}")
        return [flag for flag in flags if flag not in unknown]

    def _command(self, options: Sequence[str]) -> list[str]:
        """The program with these options, those left out that its version does not know."""
        needed = ("--onnx", "--saveEngine", "--loadEngine")
        known = []
        for option in options:
            flag = option.partition("=")[0]
            if flag in needed or self.tool.knows(flag):
                known.append(option)
        return [str(self.tool.path), *known, f"--device={self.device}"]
