"""How many bytes per second cross the bus between host and GPU?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kernels import transfer
from kernels.device import Device
from kernels.stream import cuda as stream_cuda
from kernels.transfer import work as transfer_work
from probes.harness.case import Case, run_alone
from probes.harness.devices import limits
from probes.records.tag import BOTH, PAGEABLE, PEER, SIZE, TRANSFER, Sweep, Tag

MIB = 1 << 20
# Bytes of a copy, or of what is read: so many that the microseconds of its start do not count.
DEVICE_BYTES = 256 * MIB
"""Between two GPUs, or read from a memory that CPU and GPU share."""
PINNED_BYTES = 128 * MIB
PAGEABLE_BYTES = 64 * MIB
SMALLEST_BYTES, LARGEST_BYTES = 256, 64 * MIB
"""The ends of a sweep: the small copy is all start, the large one all bandwidth."""
SWEEP_FACTOR = 4
"""Each size of a sweep over the one before."""
FREE_SHARE = 8
"""All buffers of a case together take one part in so many of the free memory, host's or device's.
"""
PAGE_BYTES = 4096
"""Sizes are whole pages."""


def cases(device: Device) -> Iterator[Case]:
    """Copies across the bus; where CPU and GPU share one memory, reads of each part of it."""
    if device.kind != "cuda":
        return
    if "integrated" in device.features:
        yield from _one_memory(device)
        return
    yield from _bus(device)
    yield from _sweeps(device)
    yield from _peers(device)


def host_free() -> int | None:
    """Bytes of host memory that this process may still take, as far as the system tells."""
    return limits.memory(Path("/"))[1]


def fitting(device: Device, wanted: int, buffers: int = 1, host: bool = True) -> int:
    """Bytes of a buffer: ``wanted``, or less where host or device have little free.

    buffers: how many of them a case has at once. host: one of them lies in host memory.
    """
    free_bytes = [device.memory_free_bytes]
    if host:
        free_bytes.append(host_free())
    rooms = [free // FREE_SHARE // buffers for free in free_bytes if free is not None]
    room = min(rooms, default=wanted)
    whole_pages = room // PAGE_BYTES * PAGE_BYTES
    return min(wanted, max(PAGE_BYTES, whole_pages))


def _bus(device: Device) -> Iterator[Case]:
    """Copies each way of pinned and pageable memory, and of pinned memory both ways at once."""
    for direction in ("h2d", "d2h", BOTH):
        size = fitting(device, PINNED_BYTES, transfer_work.DIRECTIONS[direction])
        params = {"size_bytes": size, "host": "pinned"}
        yield _copy(direction, Tag(TRANSFER, direction), params)
    for direction in ("h2d", "d2h"):
        params = {"size_bytes": fitting(device, PAGEABLE_BYTES), "host": PAGEABLE}
        yield _copy(direction, Tag(TRANSFER, direction, variants=(PAGEABLE,)), params)


def _sweeps(device: Device) -> Iterator[Case]:
    most = fitting(device, LARGEST_BYTES)
    for direction in ("h2d", "d2h"):
        for host in ("pinned", PAGEABLE):
            tag = Sweep(TRANSFER, SIZE, f"{direction}-{host}")
            size = SMALLEST_BYTES
            while size <= most:
                params = {"size_bytes": size, "host": host}
                yield replace(_copy(direction, tag, params), x=size, full=True)
                size *= SWEEP_FACTOR


def _peers(device: Device) -> Iterator[Case]:
    """Copies between this GPU and each other one: there, back, and both at once."""
    size = fitting(device, DEVICE_BYTES, transfer_work.DIRECTIONS["peers"], host=False)
    others = [index for index in range(device.facts.get("gpus", 1)) if index != device.index]
    for other in others:
        for source, target in ((device.index, other), (other, device.index)):
            params = {"size_bytes": size, "source": source, "target": target}
            yield _copy("peer", Tag(TRANSFER, f"{PEER}-{source}-{target}"), params)
        params = {"size_bytes": size, "source": device.index, "target": other}
        yield _copy("peers", Tag(TRANSFER, f"{PEER}-{device.index}-{other}", BOTH), params)


def _copy(direction: str, tag: Tag | Sweep, params: dict[str, Any]) -> Case:
    # a copy moves any type alike: this is that of the pattern by which it is checked
    return Case(transfer.COPIES[direction], "fp64", "memcpy", tag, params)


def _one_memory(device: Device) -> Iterator[Case]:
    """The choice on an integrated GPU: who reads which kind of memory how fast."""
    size = fitting(device, DEVICE_BYTES)
    # the first launch shape of a read is the one for this architecture
    _, gpu_shape = stream_cuda.variants("read", device)[0]
    for backend, reader, shape in (("raw", "gpu", gpu_shape), ("numpy", "cpu", {})):
        for memory in transfer_work.READERS[backend]:
            params = {"size_bytes": size, "memory": memory, **shape}
            yield Case(transfer.READ, "fp64", backend, Tag(TRANSFER, f"{memory}-{reader}"), params)


if __name__ == "__main__":
    run_alone(__file__)
