"""How long does one load take from each level of memory?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels.chase import CHASE
from kernels.chase import cuda as chase_cuda
from kernels.chase import work as chase_work
from kernels.device import Device
from probes.cache import last_share, sizes
from probes.harness.case import Case, run_alone

LARGEST = 2 << 30  # bytes of a set on a CPU: one core may have a last cache of hundreds of MiB


def cases(device: Device) -> Iterator[Case]:
    """A random chase through working sets of many sizes, by one core or one thread of the GPU.

    Past the last cache of a CPU no point waits for a full run: a quick one, which keeps half, still
    needs three.
    """
    if device.kind == "cuda":
        for tag, params, full in chase_cuda.points(device):
            yield Case(CHASE, "int64", "raw", tag, params, full=full)
        return
    cached = last_share(device, 1)
    for size, full in sizes(device, 1, LARGEST):
        params = {
            "x": size // chase_work.LINE["cpu"] * chase_work.LINE["cpu"],
            "line": chase_work.LINE["cpu"],
        }
        tag, steady = "sweep/latency/working-set/chase", device.stays_in_core(size)
        yield Case(CHASE, "int64", "cpu", tag, params, full=full and size <= cached, steady=steady)


if __name__ == "__main__":
    run_alone(__file__)
