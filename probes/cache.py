"""How many bytes per second does each level of cache give, and where does it end?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kernels import bulk, cache, window
from kernels.bulk import cuda as bulk_cuda
from kernels.cache import cuda as cache_cuda
from kernels.device import Device
from kernels.window import cuda as window_cuda
from probes.harness.case import Case, run_alone
from probes.records.tag import BANDWIDTH, BANK_CONFLICT, WINDOW, WORKING_SET, Sweep, Tag

SMALLEST_SET, LARGEST_SET = 4 << 10, 256 << 20  # bytes, of one core
PAST_CACHE = 4  # times a core's share of the last cache
MULTIPLE = 1 << 10  # bytes: whole trips of the loop, of a copy too
SERIES_ON_CPU = (
    (cache.READ, "read-1core", 1, 1),
    (cache.READ, "read", 0, 2),
    (cache.WRITE, "write", 0, 4),
    (cache.COPY, "copy", 0, 4),
)
"""Kernel, curve, threads (0: all cores), and of how many sizes it takes one.

One curve finds the edges of the levels; the others need fewer points.
"""
KERNELS_ON_GPU = {
    "shared": cache.SHARED,
    "banks": cache.BANKS,
    "sm": cache.READ,
    "grid": cache.READ,
    "write": cache.WRITE,
    "copy": cache.COPY,
}
"""What each mode of a GPU runs."""
TAGS_ON_GPU: dict[str, Tag | Sweep] = {
    "shared": Tag(BANDWIDTH, "shared", "read"),
    "banks": Sweep(BANDWIDTH, BANK_CONFLICT, "shared"),
    "sm": Sweep(BANDWIDTH, WORKING_SET, "read-per-sm"),
    "grid": Sweep(BANDWIDTH, WORKING_SET, "read"),
    "write": Sweep(BANDWIDTH, WORKING_SET, "write"),
    "copy": Sweep(BANDWIDTH, WORKING_SET, "copy"),
}
"""What each mode of a GPU speaks of."""
SHARE_OF_L2 = 4
"""A set that bulk copies read is such a part of the L2."""
FREE_SHARE = 8  # all sets together take one part in so many of the free memory


def cases(device: Device) -> Iterator[Case]:
    """Sweeps of working sets; the plateaus of a sweep are the levels."""
    return _cuda(device) if device.kind == "cuda" else _cpu(device)


def _cpu(device: Device) -> Iterator[Case]:
    for kernel, series, cores, every in SERIES_ON_CPU:
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
    shares = [level.bytes // min(threads, level.units) for level in device.caches]
    return max(shares, default=LARGEST_SET // PAST_CACHE)


def sizes(device: Device, threads: int, largest: int = LARGEST_SET) -> Iterator[tuple[int, bool]]:
    """(bytes of a core's working set, True for those that only a full run asks).

    There are four an octave, two in a short run, to well past the core's share of the last cache.
    """
    past_cache = PAST_CACHE * last_share(device, threads)
    fitting = (device.memory_free_bytes or LARGEST_SET) // FREE_SHARE // threads
    most = min(largest, past_cache, fitting)
    for step in itertools.count():
        exact = SMALLEST_SET * 2 ** (step / 4)
        size = round(exact / MULTIPLE) * MULTIPLE
        if size > most:
            return
        yield size, bool(step % 2)


def _cuda(device: Device) -> Iterator[Case]:
    for params, full in cache_cuda.points(device):
        mode = params["mode"]
        kernel, tag = KERNELS_ON_GPU[mode], TAGS_ON_GPU[mode]
        dtype = "fp64" if mode in cache_cuda.MOVES else "int32"
        place = params["ways"] if mode == "banks" else params["set_bytes"]
        x = place if isinstance(tag, Sweep) else None
        yield Case(kernel, dtype, "raw", tag, params, x=x, full=full)
    yield from _bulk(device)
    yield from _windows(device)


def _bulk(device: Device) -> Iterator[Case]:
    """The L2 by bulk copies into shared memory."""
    cached = device.last_cache_bytes or cache_cuda.USUAL_CACHE
    tag = Tag(BANDWIDTH, "l2", "bulk-read")
    params = bulk_cuda.shape(cached // SHARE_OF_L2)
    skip = bulk_cuda.missing(device)
    yield Case(bulk.READ, "int32", "raw", tag, params, skip, full=True)


def _windows(device: Device) -> Iterator[Case]:
    """Windows that are read again while a stream passes, with and without the L2's promise."""
    for persisting, series in ((False, "usual"), (True, "persisting")):
        tag = Sweep(BANDWIDTH, WINDOW, series)
        for size in window_cuda.sizes(device):
            params = {**window_cuda.shape(size), "persisting": persisting}
            yield Case(window.WINDOW, "int32", "raw", tag, params, x=size, full=True)


if __name__ == "__main__":
    run_alone(__file__)
