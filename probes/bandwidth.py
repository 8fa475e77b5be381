"""How many bytes per second can main memory move?

By default the plain streams. In full also what keeps a kernel from that rate: narrow elements, too
little in flight, strides and scattered reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import access, stream
from kernels.access import cuda as access_cuda
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
LONG_ARRAYS_FREE = 8  # arrays of LONG_BYTES are taken only where so many would be free
OWN_BYTES = 96 << 20  # of the host, that this program takes after it has asked what is free
ARRAYS = 3  # of an addition or triad, at once
BLOCK = 1 << 15  # elements; every thread's part is whole
SCATTERED_BYTES = 1 << 30  # at most, of an array for strides and gathers on a GPU
WIDTHS = (4, 8, 16)  # bytes of one load
RESIDENT = (1, 2, 4, 8)  # blocks on a multiprocessor
STRIDES = (1, 2, 4, 8, 16, 32)  # elements
SEGMENTS = (32, 64, 128, 256, 512, 1024, 2048, 4096)  # bytes read together
SMALLEST_SEGMENT = {"cpu": 8, "cuda": 4}  # bytes: one element


def cases(device: Device) -> Iterator[Case]:
    """Each stream with each backend, on arrays well past the last cache; in full, harder access."""
    size = array_bytes(device)
    for kernel in stream.KERNELS:
        tag = Tag(BANDWIDTH, MAIN_MEMORY, kernel.name)
        for backend, shape in _variants(device, kernel.name):
            yield Case(kernel, "fp64", backend, tag, {"n": size // 8, **shape})
    yield from _threads(device, size) if device.kind == "cpu" else _parallelism(device)
    yield from _strides(device)
    yield from _gathers(device)


def array_bytes(device: Device) -> int:
    """Bytes of one array, in whole blocks: PAST_CACHE times the last cache or more.

    Where ARRAYS of them do not fit the free memory it is as much as fits, but never less than
    LEAST_PAST_CACHE times the cache: if even that is too much, the harness refuses the case.
    """
    cache = device.last_cache_bytes or 0
    wanted = max(LEAST_BYTES, PAST_CACHE[device.kind] * cache)
    if device.kind == "cuda":
        share_of_free = (device.memory_free_bytes or 0) // LONG_ARRAYS_FREE
        wanted = max(wanted, min(LONG_BYTES, share_of_free))
    block_bytes = 8 * BLOCK
    fitting = _fitting_bytes(device, ARRAYS) // block_bytes * block_bytes
    size = max(_least_bytes(device), min(wanted, fitting))
    blocks = -(-size // block_bytes)
    return blocks * block_bytes


def _least_bytes(device: Device) -> int:
    """Bytes below which an array would be held by the last cache."""
    return LEAST_PAST_CACHE[device.kind] * (device.last_cache_bytes or 0) or LEAST_BYTES


def scattered_bytes(device: Device) -> int:
    """Bytes of an array for strides and gathers: a power of two near ``array_bytes``.

    It is smaller where two of them do not fit the free memory.
    """
    size = array_bytes(device)
    if device.kind == "cuda":
        size = min(SCATTERED_BYTES, size)
    power = 1 << (size - 1).bit_length()
    least = max(_least_bytes(device), STRIDES[-1] * BLOCK * 4)
    while power > _fitting_bytes(device, 2) and power // 2 >= least:
        power //= 2
    return power


def _fitting_bytes(device: Device, arrays: int) -> int:
    """Bytes that each of so many arrays may have at the case's turn.

    Until then this program takes some of the host's memory itself.
    """
    free = device.memory_free_bytes
    if free is None:
        return 1 << 62
    taken = RESERVE + OWN_BYTES if device.kind == "cpu" else 0
    return int(MEMORY_SHARE * max(0, free - taken)) // arrays


def _variants(device: Device, op: str) -> list[tuple[str, dict[str, Any]]]:
    if device.kind == "cpu":
        return [("cpu", {"threads": device.units})]
    return stream_cuda.variants(op, device)


def _threads(device: Device, size: int) -> Iterator[Case]:
    """How many cores saturate memory: powers of two, those half-way, and all."""
    powers = range(device.units.bit_length())
    counts = {int(2**power * part) for power in powers for part in (1, 1.5)}
    fewer = {count for count in counts if count < device.units}
    for kernel in (stream.READ, stream.COPY):
        tag = Sweep(BANDWIDTH, THREADS, kernel.name)
        for threads in sorted(fewer | {device.units}):
            params = {"n": size // 8, "threads": threads}
            yield Case(kernel, "fp64", "cpu", tag, params, x=threads, full=True)


def _parallelism(device: Device) -> Iterator[Case]:
    """What a GPU's threads need: wide elements, and enough blocks on each multiprocessor."""
    n = scattered_bytes(device) // 4
    for op, kernel in (("read", access.READ), ("copy", access.COPY)):
        for width in WIDTHS:
            tag = Tag(BANDWIDTH, MAIN_MEMORY, op, (f"{width}B",))
            params = {"n": n, "width": width, **access_cuda.shape(op, width)}
            yield Case(kernel, "fp32", "raw", tag, params, full=True)
        sweep = Sweep(BANDWIDTH, BLOCKS_PER_SM, op)
        for blocks in RESIDENT:
            skip = access_cuda.missing(device, blocks)
            params = {"n": n, **access_cuda.resident(device, blocks)}
            yield Case(kernel, "fp32", "raw", sweep, params, skip, x=blocks, full=True)


def _strides(device: Device) -> Iterator[Case]:
    """Reads that leave elements out: a line of memory brings what nobody asked for."""
    n = scattered_bytes(device) // 4
    tag = Sweep(BANDWIDTH, STRIDE, "read-fp32")
    for stride in STRIDES:
        params = {"n": n, **_shape(device, "stride", {"stride": stride})}
        yield Case(access.STRIDE, "fp32", _backend(device), tag, params, x=stride, full=True)


def _gathers(device: Device) -> Iterator[Case]:
    """Reads of segments at random places."""
    dtype, itemsize = ("fp64", 8) if device.kind == "cpu" else ("fp32", 4)
    n = scattered_bytes(device) // itemsize
    tag = Sweep(BANDWIDTH, GATHER, "read")
    # a quick run leaves out every other point: this order makes it leave out the slowest, too
    in_order = (SEGMENTS[0], SMALLEST_SEGMENT[device.kind], *SEGMENTS[1:])
    for segment in in_order:
        params = {"n": n, **_shape(device, "gather", {"segment_bytes": segment})}
        yield Case(access.GATHER, dtype, _backend(device), tag, params, x=segment, full=True)


def _backend(device: Device) -> str:
    return "cpu" if device.kind == "cpu" else "raw"


def _shape(device: Device, op: str, place: dict[str, int]) -> dict[str, int]:
    """The params of a stride or a gather beside its size: its place in the sweep, its launch."""
    if device.kind == "cpu":
        return {**place, "threads": device.units}
    return {**place, **access_cuda.shape(op, access_cuda.width(op, place))}


if __name__ == "__main__":
    run_alone(__file__)
