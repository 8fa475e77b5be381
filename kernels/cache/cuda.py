"""Working sets on a GPU: the launches of ``cache.cu``, and which sizes are worth asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Audit, Work
from kernels.cache.work import ARRAYS, WORD_LENGTH, words
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

SOURCE = Path(__file__).with_name("cache.cu")
VECTOR = 16  # bytes of one load
SM_SHAPE = {
    "block": 1024,
    "per_sm": 1,
    "unroll": 4,
}  # of several blocks, one's miss would be the others' hit
SMALL_BLOCK = 512  # threads on a set smaller than a chunk of that shape, which they load in one go
GRID_SHAPE = {
    "block": 256,
    "per_sm": 8,
    "unroll": 8,
    "visits": 4,
}  # many small blocks never wait for one another
UNROLL = 8  # loads in flight from shared memory
SHARED_BLOCK, SHARED_BLOCKS, SHARED_BYTES = 1024, 2, 16 << 10
BANK_BYTES, WAYS = 4096, (1, 2, 4, 8, 16, 32)
SM_SIZES = [k << 10 for k in (16, 24, 32, 40, 48, 56, 64, 128, 192, 256, 320, 384, 512, 768, 1024)]
"""The smallest L1 that a device reports (64 KiB) holds three, also of the half that a short run
takes.
"""
# of the L2: where blocks often read one line at once, requests are merged before they reach it
SMALLEST_SHARE = 8
MULTIPLE = 1024 * VECTOR * 8  # bytes: whole chunks, and visits, of either shape
PAST_CACHE = 4

OPCODES = {"shared": (r"LDS.*\.128", VECTOR), "banks": ("LDS", 4)}
MOVES = {"write": r"STG.*\.128", "copy": r"(LDG|STG).*\.128"}
WRITTEN_BITS = int(np.float64(pattern.WRITTEN).view(np.uint64)) >> 32  # the lower half is 0
Point = tuple[dict[str, Any], bool]


def points(device: Device) -> Iterator[Point]:
    """(params, True for a full run only) of every set worth reading; ``mode`` says what is read."""
    yield _shared(device), False
    for ways in WAYS:
        yield _banks(device, ways), True
    for size in SM_SIZES:
        yield _params(device, size, "sm"), False
    sizes = list(grid_sizes(device))
    for size, full in sizes:
        yield _params(device, size, "grid"), full
    for op in MOVES:
        whole = MULTIPLE * ARRAYS[op]
        for size in sorted({size // whole * whole for size, _ in sizes[::2]} - {0}):
            yield _params(device, size, op), True


def grid_sizes(device: Device) -> Iterator[tuple[int, bool]]:
    """Sets of the whole device, four an octave (two in a short run), to well past the L2 where
    there is room.

    Each once: where the L2 is small, whole chunks lie farther apart than a quarter of an octave.
    """
    most = PAST_CACHE * (device.last_cache_bytes or 16 << 20)
    most = min(most, (device.memory_free_bytes or most) // 4)
    least, step = max(MULTIPLE, (device.last_cache_bytes or 16 << 20) // SMALLEST_SHARE), 0
    sizes: dict[int, bool] = {}
    while (size := round(least * 2 ** (step / 4) / MULTIPLE) * MULTIPLE) <= most:
        sizes[size] = bool(step % 2) and sizes.get(size, True)
        step += 1
    yield from sizes.items()


def _params(device: Device, size: int, mode: str) -> dict[str, Any]:
    shape = _sm_shape(size) if mode == "sm" else GRID_SHAPE
    blocks = device.units * shape["per_sm"]
    readers = blocks if mode == "sm" else 1
    sets = {"readers": readers, "copies": readers, "pass_bytes": size * readers}
    return {"set_bytes": size, "mode": mode, **shape, "blocks": blocks, **sets}


def _sm_shape(size: int) -> dict[str, int]:
    chunk = SM_SHAPE["block"] * SM_SHAPE["unroll"] * VECTOR
    small = {**SM_SHAPE, "block": SMALL_BLOCK, "unroll": size // (SMALL_BLOCK * VECTOR)}
    return SM_SHAPE if size >= chunk else small


def _shared(device: Device) -> dict[str, Any]:
    """Each block reads a set of SHARED_BYTES in shared memory UNROLL times."""
    shape = _shared_shape(device, bytes_read=VECTOR)
    return {
        **shape,
        "mode": "shared",
        "set_bytes": SHARED_BYTES,
        "readers": shape["blocks"] * UNROLL,
    }


def _banks(device: Device, ways: int) -> dict[str, Any]:
    """Each lane loads a word UNROLL times; ``ways`` lanes of a warp share a bank."""
    shape = _shared_shape(device, bytes_read=4)
    return {**shape, "mode": "banks", "ways": ways, "reads": UNROLL}


def _shared_shape(device: Device, bytes_read: int) -> dict[str, int]:
    """Launch of a kernel whose threads read so many bytes of shared memory UNROLL times."""
    blocks = device.units * SHARED_BLOCKS
    return {
        "block": SHARED_BLOCK,
        "unroll": UNROLL,
        "blocks": blocks,
        "pass_bytes": SHARED_BLOCK * UNROLL * bytes_read * blocks,
    }


def defines(params: Mapping[str, Any]) -> dict[str, object]:
    """Macros of ``cache.cu``."""
    mode = params["mode"]
    common: dict[str, object] = {"BLOCK": params["block"], "UNROLL": params["unroll"]}
    if mode in ("sm", "grid", *MOVES):
        together = {
            "LOAD": ".cg",
            "TOGETHER": 1,
            "VISITS": params.get("visits"),
            "SLOTS": params["blocks"],
        }
        moves = {f"OP_{mode.upper()}": 1, "WRITTEN": f"{WRITTEN_BITS}u"} if mode in MOVES else {}
        return common | {"MODE_GLOBAL": 1} | ({"LOAD": ".ca"} if mode == "sm" else together) | moves
    if mode == "shared":
        return common | {"MODE_SHARED": 1, "SHARED_BYTES": params["set_bytes"]}
    return common | {"MODE_BANKS": 1, "SHARED_BYTES": BANK_BYTES, "WAYS": params["ways"]}


def audit(cubin: Cubin, params: Mapping[str, Any], work: Work) -> Audit:
    """The hot loop must hold just the loads whose bytes are declared."""
    mode = params["mode"]
    opcode, width = OPCODES.get(mode, (MOVES.get(mode, r"LDG.*\.128"), VECTOR))
    per_load = width * sass.WARP
    trips = work.bytes / (params["unroll"] * per_load * ARRAYS.get(mode, 1))
    return sass.audit(cubin, sass.Spec(opcode, per_load, trips), Work(flops=work.bytes))


def prepare(device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(cuda.build(device, SOURCE, defines(params)), params, Work(0, params["pass_bytes"]))


def raw(device: Device, dtype: str, params: Mapping[str, Any], queue: Stream) -> cuda.CudaLaunch:
    """A launch of ``cache.cu``; one launch does all repetitions."""
    block, blocks = params["block"], params["blocks"]
    cubin = cuda.build(device, SOURCE, defines(params))
    kernel = cuda.function(cubin.path, "sweep")
    mode = params["mode"]
    size, copies = BANK_BYTES if mode == "banks" else params["set_bytes"], params.get("copies", 1)
    with collected() as buffers:
        kind: Any = np.float64 if mode in MOVES else np.uint32
        sizes = (
            (copies * size // np.dtype(kind).itemsize, kind),
            (block * blocks, np.uint32),
            (2 * blocks, np.uint64),
        )
        for count, each in sizes:
            buffers.append(Buffer(count, each, queue))
        held, sums, clocks = buffers
        held.repeat(
            pattern.tile("fp64", 0)
            if mode in MOVES
            else words(min(copies * size // 4, WORD_LENGTH))
        )
    chunks = size // ARRAYS.get(mode, 1) // (block * VECTOR * params["unroll"])
    reads = 1 if mode in OPCODES else chunks
    pointers = [buffer.pointer for buffer in buffers]

    def enqueue(repeat: int) -> None:
        numbers = np.uint64(repeat * reads), np.uint32(chunks)
        grid = blocks
        if mode in ("grid", *MOVES):
            grid = repeat * chunks // params["visits"]
            sums.clear()
            clocks.clear()
        kernel((grid,), (block,), (*pointers, *numbers), stream=queue)

    def result() -> np.ndarray:
        return _target(held, mode) if mode in MOVES else np.array([_word_sum(sums)], np.float64)

    return cuda.CudaLaunch(
        queue, enqueue, [held, sums], result, lambda work: audit(cubin, params, work), clocks
    )


def _word_sum(sums: Buffer) -> int:
    return int(sums.download().sum(dtype=np.uint64)) % (1 << 32)


def _target(held: Buffer, op: str) -> np.ndarray:
    """Samples of what a write or a copy left; a copy's target held other elements of the pattern
    before.
    """
    n = held.count // ARRAYS[op]
    starts, width = pattern.sample_starts(n, ITEMSIZE["fp64"])
    return held.download_at(starts + held.count - n, width)
