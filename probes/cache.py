"""How many bytes per second does each level of cache give, and where does it end?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import cache
from kernels.cache import cuda as cache_cuda
from kernels.device import Device
from probes.harness.case import Case, run_alone

SMALLEST, LARGEST = 4 << 10, 256 << 20  # bytes of one core's working set
PAST_CACHE = 4  # times a core's share of the last cache
MULTIPLE = 1 << 10  # bytes: whole trips of the loop, of a copy too
SERIES = (
    (cache.READ, "read-1core", 1, 1),
    (cache.READ, "read", 0, 2),
    (cache.WRITE, "write", 0, 4),
    (cache.COPY, "copy", 0, 4),
)
"""Kernel, name of its curve, threads (0: all cores), and of how many sizes it takes one: one curve
finds the edges.
"""
KERNELS = {"banks": cache.BANKS, "write": cache.WRITE, "copy": cache.COPY}
"""Of the modes of a GPU that are no plain read."""
SPARE = 8  # of the free memory, all sets together take one part in so many


def cases(device: Device) -> Iterator[Case]:
    """Sweeps of working sets; the plateaus of a sweep are the levels."""
    return _cuda(device) if device.kind == "cuda" else _cpu(device)


def _cpu(device: Device) -> Iterator[Case]:
    for kernel, series, some, every in SERIES:
        threads = some or device.units
        for size, full in list(sizes(device, threads))[::every]:
            params = {
                "x": size,
                "readers": threads,
                "copies": threads,
                "pass_bytes": size * threads,
            }
            tag = f"sweep/bandwidth/working-set/{series}"
            steady = device.stays_in_core(size)
            yield Case(
                kernel,
                "fp64",
                "cpu",
                tag,
                params,
                full=full or kernel is not cache.READ,
                steady=steady,
            )


def last_share(device: Device, threads: int) -> int:
    """Bytes of the last cache that each of so many cores has."""
    return max(
        [c.bytes // min(threads, c.units) for c in device.caches], default=LARGEST // PAST_CACHE
    )


def sizes(device: Device, threads: int, largest: int = LARGEST) -> Iterator[tuple[int, bool]]:
    """Bytes of a core's working set, four an octave (two in a short run), to well past its share of
    the last cache.
    """
    past = PAST_CACHE * last_share(device, threads)
    most = min(largest, past, (device.memory_free_bytes or LARGEST) // SPARE // threads)
    step = 0
    while (size := round(SMALLEST * 2 ** (step / 4) / MULTIPLE) * MULTIPLE) <= most:
        yield size, bool(step % 2)
        step += 1


def _cuda(device: Device) -> Iterator[Case]:
    for tag, params, full in cache_cuda.points(device):
        kernel = KERNELS.get(params["mode"], cache.READ)
        yield Case(
            kernel,
            "fp64" if params["mode"] in cache_cuda.MOVES else "int32",
            "raw",
            tag,
            params,
            full=full,
        )


if __name__ == "__main__":
    run_alone(__file__)
