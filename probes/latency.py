"""How long does one load take from each level of memory?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import cache
from probes.cache import sizes
from probes.harness.case import Case, run_alone
from probes.harness.records import Device


def cases(device: Device) -> Iterator[Case]:
    """A random chase through working sets of many sizes, by one core or one thread of the GPU."""
    if device.kind == "cuda":
        from kernels import chase_cuda

        for tag, params, full in chase_cuda.points(device):
            yield Case(cache.CHASE, "int64", "raw", tag, params, full=full)
        return
    for size, full in sizes(device, 1):
        params = {"x": size // cache.LINE["cpu"] * cache.LINE["cpu"], "line": cache.LINE["cpu"]}
        yield Case(cache.CHASE, "int64", "cpu", "sweep/latency/working-set/chase", params, full=full)


if __name__ == "__main__":
    run_alone(__file__)
