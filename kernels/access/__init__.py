"""Access to memory that is no plain stream: ``work`` says what, ``cpu`` and ``cuda`` say how."""

from __future__ import annotations

from functools import partial
from typing import Any

from kernels.access import cpu, cuda, work
from kernels.base import Kernel
from kernels.cuda.kernel import CompiledBackend

ON_CPU = {"stride": cpu.stride, "gather": cpu.gather}


def _kernel(op: str) -> Kernel:
    def footprint(dtype: str, n: int, **_: Any) -> float:
        arrays = 2 if op == "copy" else 1
        return arrays * work.useful_bytes(dtype, n)

    raw = CompiledBackend(partial(cuda.AccessKernel, op))
    backends: dict[str, Any] = {"raw": raw}
    if op in ON_CPU:
        backends["cpu"] = ON_CPU[op]
    return Kernel(
        f"access_{op}",
        partial(work.work, op),
        partial(work.reference, op),
        backends,
        footprint=footprint,
        prepare=raw.prepare,
    )


READ = _kernel("read")
"""Reads ``n`` elements in pieces of ``width`` bytes, ``vecs`` of them in flight in each thread."""

COPY = _kernel("copy")
"""Copies ``n`` elements likewise."""

STRIDE = _kernel("stride")
"""Reads every ``stride``-th of ``n`` elements, one at a time. Only those read count as bytes."""

GATHER = _kernel("gather")
"""Reads ``n`` elements in segments of ``segment_bytes``, each segment once, in an order without a
pattern.
"""
