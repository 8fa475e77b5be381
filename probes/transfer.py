"""How many bytes per second cross the bus between host and GPU?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kernels import transfer
from kernels.device import Device
from kernels.stream import cuda as stream_cuda
from kernels.transfer import work as transfer_work
from probes.harness.case import Case, run_alone
from probes.harness.devices import limits

MIB = 1 << 20
DEVICE, PINNED, PAGEABLE = 256 * MIB, 128 * MIB, 64 * MIB
"""Bytes of a copy, or of what is read: long beside the microseconds that its start takes."""
LARGEST, SMALLEST, FACTOR = 64 * MIB, 256, 4  # of the sweep
# of free memory, host's or device's, all buffers of a case together take one part in so many
SHARE = 8
UNIT = 4096  # bytes: whole pages


def cases(device: Device) -> Iterator[Case]:
    """Copies across the bus; where CPU and GPU share one memory, reads of each kind of it
    instead.
    """
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
    """Bytes of a buffer: ``wanted``, or less where host or device have little free."""
    free = [device.memory_free_bytes, host_free() if host else None]
    room = min(
        [amount // SHARE // buffers for amount in free if amount is not None], default=wanted
    )
    return min(wanted, max(UNIT, room // UNIT * UNIT))


def _bus(device: Device) -> Iterator[Case]:
    for direction in ("h2d", "d2h", "both"):
        size = fitting(device, PINNED, transfer_work.DIRECTIONS[direction])
        yield _copy(direction, f"transfer/{direction}", {"size_bytes": size, "host": "pinned"})
    for direction in ("h2d", "d2h"):
        params = {"size_bytes": fitting(device, PAGEABLE), "host": "pageable"}
        yield _copy(direction, f"transfer/{direction}/pageable", params)


def _sweeps(device: Device) -> Iterator[Case]:
    most = fitting(device, LARGEST)
    for direction in ("h2d", "d2h"):
        for host in ("pinned", "pageable"):
            size = SMALLEST
            while size <= most:
                params = {"x": size, "size_bytes": size, "host": host}
                yield _copy(direction, f"sweep/transfer/size/{direction}-{host}", params, full=True)
                size *= FACTOR


def _peers(device: Device) -> Iterator[Case]:
    size = fitting(device, DEVICE, host=False)
    for other in range(device.facts.get("gpus", 1)):
        for source, target in ((device.index, other), (other, device.index)):
            if other != device.index:
                params = {"size_bytes": size, "source": source, "target": target}
                yield _copy("peer", f"transfer/peer-{source}-{target}", params)


def _copy(direction: str, tag: str, params: dict[str, Any], full: bool = False) -> Case:
    return Case(transfer.COPIES[direction], "fp64", "memcpy", tag, params, full=full)


def _one_memory(device: Device) -> Iterator[Case]:
    """The choice on an integrated GPU: who reads which kind of memory how fast."""
    size = fitting(device, DEVICE)
    for backend, reader in (("raw", "gpu"), ("numpy", "cpu")):
        shape = stream_cuda.variants("read", device)[0][1] if backend == "raw" else {}
        for memory in transfer_work.READERS[backend]:
            params = {"size_bytes": size, "memory": memory, **shape}
            yield Case(transfer.READ, "fp64", backend, f"transfer/{memory}-{reader}", params)


if __name__ == "__main__":
    run_alone(__file__)
