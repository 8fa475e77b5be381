"""How many bytes per second can main memory move?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import stream
from probes.harness.case import Case, run_alone
from probes.harness.records import Device

PAST_CACHE = {"cpu": 4, "cuda": 16}  # arrays this many times the last cache: what it keeps no longer counts
LEAST_BYTES = 64 << 20  # an array's size where the last cache is unknown or tiny
LONG_BYTES = (
    4 << 30
)  # on a GPU with room: a pass of a millisecond and more, beside which starting and ending are nothing
ROOM = 8  # arrays of LONG_BYTES are taken only where so many would be free
BLOCK = 1 << 15  # elements; every thread's part is whole


def cases(device: Device) -> Iterator[Case]:
    """Each stream with each backend, on arrays well past the last cache."""
    size = array_bytes(device)
    for kernel in stream.KERNELS:
        for backend, params in _variants(device, kernel.name):
            yield Case(kernel, "fp64", backend, f"bandwidth/dram/{kernel.name}", {"n": size // 8, **params})


def array_bytes(device: Device) -> int:
    """Bytes of one array: at least PAST_CACHE times the last cache, in whole blocks."""
    size = max(LEAST_BYTES, PAST_CACHE[device.kind] * (device.last_cache_bytes or 0))
    if device.kind == "cuda":
        size = max(size, min(LONG_BYTES, (device.memory_free_bytes or 0) // ROOM))
    return -(-size // (8 * BLOCK)) * 8 * BLOCK


def _variants(device: Device, op: str) -> list[tuple[str, dict[str, Any]]]:
    if device.kind == "cpu":
        return [("cpu", {"threads": device.units})]
    from kernels import stream_cuda

    return stream_cuda.variants(op, device.arch)


if __name__ == "__main__":
    run_alone(__file__)
