"""How many bytes per second does each level of cache give, and where does it end?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import cache
from kernels.cache import cuda as cache_cuda
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import BANDWIDTH, BANK_CONFLICT, WORKING_SET, Sweep, Tag

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
KERNELS = {
    "shared": cache.SHARED,
    "banks": cache.BANKS,
    "sm": cache.READ,
    "grid": cache.READ,
    "write": cache.WRITE,
    "copy": cache.COPY,
}
"""What each mode of a GPU runs."""
TAGS: dict[str, Tag | Sweep] = {
    "shared": Tag(BANDWIDTH, "shared", "read"),
    "banks": Sweep(BANDWIDTH, BANK_CONFLICT, "shared"),
    "sm": Sweep(BANDWIDTH, WORKING_SET, "read-per-sm"),
    "grid": Sweep(BANDWIDTH, WORKING_SET, "read"),
    "write": Sweep(BANDWIDTH, WORKING_SET, "write"),
    "copy": Sweep(BANDWIDTH, WORKING_SET, "copy"),
}
"""What each mode of a GPU speaks of."""
SPARE = 8  # of the free memory, all sets together take one part in so many


def cases(device: Device) -> Iterator[Case]:
    """Sweeps of working sets; the plateaus of a sweep are the levels."""
    return _cuda(device) if device.kind == "cuda" else _cpu(device)


def _cpu(device: Device) -> Iterator[Case]:
    for kernel, series, cores, every in SERIES:
        threads = cores or device.units
        tag = Sweep(BANDWIDTH, WORKING_SET, series)
        points = list(sizes(device, threads))[::every]
        for size, between in points:
            params = {
                "set_bytes": size,
                "readers": threads,
                "copies": threads,
                "pass_bytes": size * threads,
            }
            full = between or kernel is not cache.READ
            steady = device.stays_in_core(size)
            yield Case(kernel, "fp64", "cpu", tag, params, x=size, full=full, steady=steady)


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
    for params, full in cache_cuda.points(device):
        mode = params["mode"]
        kernel, tag = KERNELS[mode], TAGS[mode]
        dtype = "fp64" if mode in cache_cuda.MOVES else "int32"
        place = params["ways"] if mode == "banks" else params["set_bytes"]
        x = place if isinstance(tag, Sweep) else None
        yield Case(kernel, dtype, "raw", tag, params, x=x, full=full)


if __name__ == "__main__":
    run_alone(__file__)
