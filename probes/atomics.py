"""How many atomic additions per second, in shared and global memory, spread and on one word?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import atomics
from kernels.atomics import cuda as atomics_cuda
from kernels.atomics.work import MEMORIES, ONE, SPREAD
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import ARITHMETIC, Tag

DEFAULT = False


def cases(device: Device) -> Iterator[Case]:
    """Each type in each memory, to a word a thread and to one word of all; of a GPU only."""
    if device.kind != "cuda":
        return
    for memory in MEMORIES:
        for spread in (SPREAD, ONE):
            kernel = atomics.kernel(memory, spread)
            params = atomics_cuda.shape(device, memory, spread)
            for dtype in atomics_cuda.ROWS:
                tag = Tag(ARITHMETIC, dtype, kernel.name)
                skip = atomics_cuda.missing(device, dtype)
                yield Case(kernel, dtype, "raw", tag, params, skip)


if __name__ == "__main__":
    run_alone(__file__)
