"""How many bytes per second do CPU and GPU move together, where they share one memory?

Each streams alone, then both at once. Only where a GPU is integrated do they share a memory: a
discrete one has its own, and what crosses the bus is another question.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import stream
from kernels.device import Device
from kernels.stream import cuda as stream_cuda
from probes import bandwidth
from probes.harness.case import Case, run_alone
from probes.harness.devices import cpu
from probes.records.tag import BANDWIDTH, MAIN_MEMORY, WITH_CPU, Tag

OF_THE_GPU = 1
"""Cores that do not stream: one launches the GPU's work."""
TWO_MEMORIES = "CPU and GPU have a memory each here"
ONE_CORE_ONLY = "the only core launches the GPU's work, and cannot stream meanwhile"


def cases(device: Device) -> Iterator[Case]:
    """A read by the GPU while all cores but one read, too."""
    if device.kind != "cuda":
        return
    tag = Tag(BANDWIDTH, MAIN_MEMORY, variants=(WITH_CPU,))
    # the first launch shape of a read is the one for this architecture
    backend, shape = stream_cuda.variants("read", device)[0]
    gpu_params: dict[str, Any] = {"n": bandwidth.array_bytes(device) // bandwidth.STREAM_ITEM}
    gpu_params |= shape
    skip = ""
    during: tuple[Case, ...] = ()
    if "integrated" not in device.features:
        skip = TWO_MEMORIES
    else:
        host = cpu.detect()
        threads = host.units - OF_THE_GPU
        if threads < 1:
            skip = ONE_CORE_ONLY
        else:
            n = bandwidth.array_bytes(host) // bandwidth.STREAM_ITEM
            host_params = {"n": n, "threads": threads}
            gpu_params["cpu_threads"] = threads
            during = (Case(stream.READ, "fp64", "cpu", tag, host_params),)
    yield Case(stream.READ, "fp64", backend, tag, gpu_params, skip, during=during)


if __name__ == "__main__":
    run_alone(__file__)
