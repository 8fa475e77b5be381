"""How long does one load take from each level of memory?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels.chase import CHASE
from kernels.chase import cuda as chase_cuda
from kernels.chase import work as chase_work
from kernels.device import Device
from probes.cache import last_share, sizes
from probes.harness.case import Case, run_alone
from probes.records.tag import LATENCY, WORKING_SET, Sweep, Tag

# bytes of a set on a CPU: one core may have a last cache of hundreds of MiB
LARGEST_SET = 2 << 30
CHASES = Sweep(LATENCY, WORKING_SET, "chase")
TAGS_ON_GPU: dict[str, Tag | Sweep] = {
    "shared": Tag(LATENCY, "shared"),
    "near": Tag(LATENCY, "l2", variants=("near",)),
    "far": Tag(LATENCY, "l2", variants=("far",)),
    "global": CHASES,
}
"""What each mode of a GPU speaks of."""


def cases(device: Device) -> Iterator[Case]:
    """A random chase through working sets of many sizes, by one core or one thread of the GPU.

    Past the last cache of a CPU no point waits for a full run: a quick one, which keeps half, still
    needs three.
    """
    yield from _cuda(device) if device.kind == "cuda" else _cpu(device)


def _cuda(device: Device) -> Iterator[Case]:
    for params, full in chase_cuda.points(device):
        tag = TAGS_ON_GPU[params["mode"]]
        x = params["set_bytes"] if isinstance(tag, Sweep) else None
        yield Case(CHASE, "int64", "raw", tag, params, x=x, full=full)


def _cpu(device: Device) -> Iterator[Case]:
    cached = last_share(device, 1)
    line = chase_work.LINE["cpu"]
    for size, between in sizes(device, 1, LARGEST_SET):
        whole = size // line * line
        params = {"set_bytes": whole, "line": line}
        full = between and size <= cached
        steady = device.stays_in_core(size)
        yield Case(CHASE, "int64", "cpu", CHASES, params, x=whole, full=full, steady=steady)


if __name__ == "__main__":
    run_alone(__file__)
