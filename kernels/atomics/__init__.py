"""Atomic additions of a GPU, in shared and in global memory, to many words and to one."""

from __future__ import annotations

from functools import cache

from kernels.atomics import cuda, work
from kernels.base import Kernel, no_memory
from kernels.cuda.kernel import CompiledBackend

RAW = CompiledBackend(cuda.AtomicsKernel)


@cache
def kernel(memory: str, spread: str) -> Kernel:
    """The additions in a memory (``shared``, ``global``), to words (``spread``) or to ``one``."""
    return Kernel(
        f"atomic-{memory}-{spread}",
        work.work,
        work.reference,
        {"raw": RAW},
        check_repeat=2,
        footprint=no_memory,
        prepare=RAW.prepare,
    )
