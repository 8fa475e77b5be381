"""One wave of blocks that fills a GPU: how kernels run that compute in registers."""

from __future__ import annotations

from kernels.cuda.kernel import CudaKernel
from kernels.cuda.memory import Buffer
from kernels.device import Device

BLOCK = 512
"""Threads of a block."""
THREADS_PER_SM = 1024
"""Where the device does not say: every architecture holds as many."""


def one_wave(device: Device) -> dict[str, int]:
    """Params of one wave of blocks that fills the device."""
    threads_per_sm = device.facts.get("threads_per_multiprocessor") or THREADS_PER_SM
    blocks_per_sm = threads_per_sm // BLOCK
    return {
        "threads": device.units * blocks_per_sm * BLOCK,
        "block": BLOCK,
        "blocks_per_sm": blocks_per_sm,
    }


class WaveKernel(CudaKernel):
    """A kernel whose threads are those of one wave. One launch does all repetitions."""

    clocks: Buffer
    """Cycles and nanoseconds of each block, from which the launch tells its clock."""

    @property
    def blocks(self) -> int:
        """Blocks of the launch."""
        return int(self.params["threads"] // self.params["block"])
