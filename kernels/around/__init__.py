"""What programs do around a network, on the host: decode, resize, normalise; classes and boxes."""

from __future__ import annotations

from functools import partial

from kernels.around import host, work
from kernels.base import Kernel, no_memory, no_work


def _kernel(step: str) -> Kernel:
    return Kernel(
        step,
        no_work,
        partial(work.reference, step),
        {"host": host.builder(step)},
        {"fp32": work.TOLERANCE[step]},
        footprint=no_memory,
    )


STEPS = {step: _kernel(step) for step in (*work.BEFORE, *work.AFTER)}
"""The kernel of each step, by its name."""
