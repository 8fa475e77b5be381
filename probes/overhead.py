"""How long does an empty launch take, and waiting for it?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import overhead
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import OVERHEAD, Tag


def cases(device: Device) -> Iterator[Case]:
    """Each way to launch: seconds a launch, of both host and device, whichever is slower."""
    if device.kind == "cuda":
        for kernel in (overhead.LAUNCH, overhead.SYNC, overhead.GRAPH):
            yield Case(kernel, "fp64", "raw", Tag(OVERHEAD, kernel.name))


if __name__ == "__main__":
    run_alone(__file__)
