"""How many bytes per second can main memory move?

By default the plain streams. In full also what keeps a kernel from that rate: narrow elements, too
little in flight, strides and scattered reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import access, bulk, stream
from kernels.access import cuda as access_cuda
from kernels.base import ITEMSIZE
from kernels.bulk import cuda as bulk_cuda
from kernels.device import Device
from kernels.stream import cuda as stream_cuda
from probes.harness.case import Case, run_alone
from probes.harness.task import MEMORY_SHARE, RESERVE
from probes.records.tag import (
    BANDWIDTH,
    BLOCKS_PER_SM,
    GATHER,
    MAIN_MEMORY,
    STRIDE,
    THREADS,
    Sweep,
    Tag,
)

PAST_CACHE = {"cpu": 8, "cuda": 16}
"""An array is so many times as large as the last cache: what that keeps of it no longer counts."""
LEAST_PAST_CACHE = {"cpu": 4, "cuda": 4}
"""The same where memory is small: with less the cache would be measured."""
LEAST_BYTES = 64 << 20
"""Size of an array where the last cache is unknown or tiny."""
LONG_BYTES = 4 << 30
"""Size on a GPU with room for it: a pass takes a millisecond, and its start and end are nothing."""
LONG_ARRAYS_FREE = 8
"""An array on a GPU becomes so long only as far as so many of them would fit the free memory."""
OWN_BYTES = 96 << 20
"""Memory of the host that this program takes after it has asked what is free."""
ARRAYS = 3
"""Arrays that an addition or a triad has at once."""
GRAIN = 1 << 15
"""Elements: an array has a multiple of so many, so that each thread's part is whole."""
SCATTERED_BYTES = 1 << 30
"""Most bytes of an array for strides and gathers on a GPU."""
WIDTHS = (4, 8, 16)
"""Bytes of one load."""
RESIDENT_BLOCKS = (1, 2, 4, 8)
"""Blocks that a multiprocessor holds at once."""
STRIDES = (1, 2, 4, 8, 16, 32)
"""Elements from one that is read to the next."""
SEGMENTS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Bytes read together, after the smallest segment."""
SMALLEST_SEGMENT = {"cpu": 8, "cuda": 4}
"""Bytes of one element of a gather."""
STREAM_ITEM, SCATTERED_ITEM = ITEMSIZE["fp64"], ITEMSIZE["fp32"]
"""Bytes of one element of a stream, and of a stride or a GPU's other access."""


def cases(device: Device) -> Iterator[Case]:
    """Each stream with each backend, on arrays well past the last cache; in full, harder access."""
    n = array_bytes(device) // STREAM_ITEM
    for kernel in stream.KERNELS:
        tag = Tag(BANDWIDTH, MAIN_MEMORY, kernel.name)
        for backend, shape in _variants(device, kernel.name):
            yield Case(kernel, "fp64", backend, tag, {"n": n, **shape})
    if device.kind == "cpu":
        yield from _threads(device, n)
    else:
        yield from _copiers(device)
        yield from _parallelism(device)
    yield from _strides(device)
    yield from _gathers(device)


def array_bytes(device: Device) -> int:
    """Bytes of one array of a stream: PAST_CACHE times the last cache, or more.

    Where ARRAYS of them do not fit the free memory it is as much as fits, but never less than
    LEAST_PAST_CACHE times the cache: if even that is too much, the harness refuses the case.
    """
    cache = device.last_cache_bytes or 0
    wanted = max(LEAST_BYTES, PAST_CACHE[device.kind] * cache)
    if device.kind == "cuda":
        share_of_free = (device.memory_free_bytes or 0) // LONG_ARRAYS_FREE
        wanted = max(wanted, min(LONG_BYTES, share_of_free))
    grain_bytes = STREAM_ITEM * GRAIN
    fitting = _fitting_bytes(device, ARRAYS) // grain_bytes * grain_bytes
    size = max(_least_bytes(device), min(wanted, fitting))
    grains = -(-size // grain_bytes)
    return grains * grain_bytes


def _least_bytes(device: Device) -> int:
    """The least bytes of an array that the last cache does not hold."""
    if not device.last_cache_bytes:
        return LEAST_BYTES
    return LEAST_PAST_CACHE[device.kind] * device.last_cache_bytes


def scattered_bytes(device: Device) -> int:
    """Bytes of an array for strides and gathers: a power of two near ``array_bytes``.

    It is smaller where two of them do not fit the free memory.
    """
    size = array_bytes(device)
    if device.kind == "cuda":
        size = min(SCATTERED_BYTES, size)
    power = 1 << (size - 1).bit_length()
    # Of the widest stride's elements, too, there is a whole grain.
    least = max(_least_bytes(device), STRIDES[-1] * GRAIN * SCATTERED_ITEM)
    while power > _fitting_bytes(device, 2) and power // 2 >= least:
        power //= 2
    return power


def _fitting_bytes(device: Device, arrays: int) -> int:
    """Bytes that each of so many arrays may have at the case's turn.

    Until then this program takes some of the host's memory itself.
    """
    free = device.memory_free_bytes
    if free is None:
        return 1 << 62  # no limit is known
    taken = RESERVE + OWN_BYTES if device.kind == "cpu" else 0
    return int(MEMORY_SHARE * max(0, free - taken)) // arrays


def _variants(device: Device, op: str) -> list[tuple[str, dict[str, Any]]]:
    """Backends and launch shapes of a stream that are worth timing, as (backend, params)."""
    if device.kind == "cpu":
        return [("cpu", {"threads": device.units})]
    return stream_cuda.variants(op, device)


def _threads(device: Device, n: int) -> Iterator[Case]:
    """How many cores saturate memory: streams of ``n`` elements on some cores, up to all."""
    powers = [1 << k for k in range(device.units.bit_length())]
    halfway = [power + power // 2 for power in powers]
    fewer = {count for count in (*powers, *halfway) if count < device.units}
    for kernel in (stream.READ, stream.COPY):
        tag = Sweep(BANDWIDTH, THREADS, kernel.name)
        for threads in sorted(fewer | {device.units}):
            params = {"n": n, "threads": threads}
            yield Case(kernel, "fp64", "cpu", tag, params, x=threads, full=True)


def _copiers(device: Device) -> Iterator[Case]:
    """What moves memory on a GPU beside loads and stores: the driver's copies, bulk copies."""
    size = array_bytes(device)
    tag = Tag(BANDWIDTH, MAIN_MEMORY, "memcpy")
    yield Case(stream.COPY, "fp64", "memcpy", tag, {"n": size // STREAM_ITEM}, full=True)
    tag = Tag(BANDWIDTH, MAIN_MEMORY, "bulk-read")
    skip = bulk_cuda.missing(device)
    yield Case(bulk.READ, "int32", "raw", tag, bulk_cuda.shape(size), skip, full=True)


def _parallelism(device: Device) -> Iterator[Case]:
    """What a GPU's threads need: wide elements, and enough blocks on each multiprocessor."""
    n = scattered_bytes(device) // SCATTERED_ITEM
    for op, kernel in (("read", access.READ), ("copy", access.COPY)):
        for width in WIDTHS:
            tag = Tag(BANDWIDTH, MAIN_MEMORY, op, (f"{width}B",))
            params = {"n": n, "width": width, **access_cuda.shape(op, width)}
            yield Case(kernel, "fp32", "raw", tag, params, full=True)
        sweep = Sweep(BANDWIDTH, BLOCKS_PER_SM, op)
        for blocks in RESIDENT_BLOCKS:
            skip = access_cuda.missing(device, blocks)
            params = {"n": n, **access_cuda.resident(device, blocks)}
            yield Case(kernel, "fp32", "raw", sweep, params, skip, x=blocks, full=True)


def _strides(device: Device) -> Iterator[Case]:
    """Reads that leave elements out: a line of memory brings what nobody asked for."""
    n = scattered_bytes(device) // SCATTERED_ITEM
    tag = Sweep(BANDWIDTH, STRIDE, "read-fp32")
    for stride in STRIDES:
        params = {"n": n, **_shape(device, "stride", {"stride": stride})}
        yield Case(access.STRIDE, "fp32", _backend(device), tag, params, x=stride, full=True)


def _gathers(device: Device) -> Iterator[Case]:
    """Reads of segments at random places."""
    dtype = "fp64" if device.kind == "cpu" else "fp32"
    n = scattered_bytes(device) // ITEMSIZE[dtype]
    tag = Sweep(BANDWIDTH, GATHER, "read")
    # A quick run leaves out every second point. The smallest segment takes longest: it is second.
    in_order = (SEGMENTS[0], SMALLEST_SEGMENT[device.kind], *SEGMENTS[1:])
    for segment in in_order:
        params = {"n": n, **_shape(device, "gather", {"segment_bytes": segment})}
        yield Case(access.GATHER, dtype, _backend(device), tag, params, x=segment, full=True)


def _backend(device: Device) -> str:
    """The backend of strides and gathers."""
    return "cpu" if device.kind == "cpu" else "raw"


def _shape(device: Device, op: str, place: dict[str, int]) -> dict[str, int]:
    """The params of a stride or a gather beside its size: its place in the sweep, its launch.

    place: the one param that the sweep goes over.
    """
    if device.kind == "cpu":
        return {**place, "threads": device.units}
    return {**place, **access_cuda.shape(op, access_cuda.width(op, place))}


if __name__ == "__main__":
    run_alone(__file__)
