"""How many bytes per second can main memory move?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import stream
from probes.harness.case import Case, run_alone
from probes.harness.records import Device

PAST_CACHE = {"cpu": 4, "cuda": 16}  # arrays this many times the last cache: what it keeps no longer counts
LEAST_BYTES = 64 << 20  # an array's size where the last cache is unknown or tiny
BLOCK = 1 << 15  # elements; every thread's part is whole


def cases(device: Device) -> Iterator[Case]:
    """Each stream with each backend, on arrays well past the last cache."""
    size = array_bytes(device)
    for kernel in stream.KERNELS:
        for backend, params in _variants(device, kernel.name):
            yield Case(kernel, "fp64", backend, f"bandwidth/dram/{kernel.name}", {"n": size // 8, **params})


def array_bytes(device: Device) -> int:
    """Bytes of one array: PAST_CACHE times the last cache, rounded up to whole blocks."""
    size = max(LEAST_BYTES, PAST_CACHE[device.kind] * (device.last_cache_bytes or 0))
    return -(-size // (8 * BLOCK)) * 8 * BLOCK


def _variants(device: Device, op: str) -> list[tuple[str, dict[str, Any]]]:
    if device.kind == "cpu":
        return [("cpu", {"threads": device.units})]
    from kernels import stream_cuda

    return stream_cuda.variants(op)


if __name__ == "__main__":
    run_alone(__file__)
