"""Working sets on a GPU: the launches of ``cache.cu``, and which sizes are worth asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kernels import cuda, sass
from kernels.base import Audit, Work
from kernels.cache import WORD_LENGTH, words
from kernels.nvrtc import Cubin

VECTOR = 16  # bytes of one load
SM_SHAPE = {"block": 1024, "per_sm": 1, "unroll": 4}  # of several blocks, one's miss would be the others' hit
GRID_SHAPE = {"block": 256, "per_sm": 8, "unroll": 8, "visits": 4}  # many small blocks never wait for one another
UNROLL = 8  # loads in flight from shared memory
SHARED_BLOCK, SHARED_BLOCKS, SHARED_BYTES = 1024, 2, 16 << 10
BANK_BYTES, WAYS = 4096, (1, 2, 4, 8, 16, 32)
SM_SIZES = [k << 10 for k in (64, 128, 192, 256, 320, 384, 512, 768, 1024)]
SMALLEST_SHARE = 8  # of the L2: where blocks often read one line at once, requests are merged before they reach it
MULTIPLE = 1024 * VECTOR * 8  # bytes: whole chunks, and visits, of either shape
PAST_CACHE = 4

OPCODES = {"shared": (r"LDS.*\.128", VECTOR), "banks": ("LDS", 4)}
Point = tuple[str, dict[str, Any], bool]


def points(device: Any) -> Iterator[Point]:
    """(tag, params, only in a full run) of everything worth reading on this device."""
    yield "bandwidth/shared/read", _shared(device, "shared", SHARED_BYTES), False
    for ways in WAYS:
        yield "sweep/bandwidth/bank-conflict/shared", _shared(device, "banks", ways), True
    for size in SM_SIZES:
        yield "sweep/bandwidth/working-set/read-per-sm", _params(device, size, "sm"), False
    for size, full in grid_sizes(device):
        yield "sweep/bandwidth/working-set/read", _params(device, size, "grid"), full


def grid_sizes(device: Any) -> Iterator[tuple[int, bool]]:
    """Sets of the whole device, four an octave (two in a short run), to well past the L2 where there is room."""
    most = PAST_CACHE * (device.last_cache_bytes or 16 << 20)
    most = min(most, (device.memory_free_bytes or most) // 4)
    least, step = max(MULTIPLE, (device.last_cache_bytes or 16 << 20) // SMALLEST_SHARE), 0
    while (size := round(least * 2 ** (step / 4) / MULTIPLE) * MULTIPLE) <= most:
        yield size, bool(step % 2)
        step += 1


def _params(device: Any, size: int, mode: str) -> dict[str, Any]:
    shape = SM_SHAPE if mode == "sm" else GRID_SHAPE
    blocks = device.units * shape["per_sm"]
    readers = blocks if mode == "sm" else 1
    return {"x": size, "mode": mode, **shape, "blocks": blocks, "readers": readers, "pass_bytes": size * readers}


def _shared(device: Any, mode: str, x: int) -> dict[str, Any]:
    """x: bytes of the set that each block reads UNROLL times, or the lanes that share a bank."""
    blocks = device.units * SHARED_BLOCKS
    moved = SHARED_BLOCK * UNROLL * (VECTOR if mode == "shared" else 4) * blocks
    params = {"x": x, "mode": mode, "block": SHARED_BLOCK, "unroll": UNROLL, "blocks": blocks, "pass_bytes": moved}
    return params | ({"readers": blocks * UNROLL} if mode == "shared" else {"reads": UNROLL})


def defines(params: Mapping[str, Any]) -> dict[str, object]:
    """Macros of ``cache.cu``."""
    mode = params["mode"]
    common: dict[str, object] = {"BLOCK": params["block"], "UNROLL": params["unroll"]}
    if mode in ("sm", "grid"):
        together = {"LOAD": ".cg", "TOGETHER": 1, "VISITS": params.get("visits"), "SLOTS": params["blocks"]}
        return common | {"MODE_GLOBAL": 1} | ({"LOAD": ".ca"} if mode == "sm" else together)
    if mode == "shared":
        return common | {"MODE_SHARED": 1, "SHARED_BYTES": params["x"]}
    return common | {"MODE_BANKS": 1, "SHARED_BYTES": BANK_BYTES, "WAYS": params["x"]}


def audit(cubin: Cubin, params: Mapping[str, Any], work: Work) -> Audit:
    """The hot loop must hold just the loads whose bytes are declared."""
    opcode, width = OPCODES.get(params["mode"], (r"LDG.*\.128", VECTOR))
    per_load = width * sass.WARP
    return sass.audit(
        cubin, sass.Spec(opcode, per_load, work.bytes / (params["unroll"] * per_load)), Work(flops=work.bytes)
    )


def prepare(device: Any, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(cuda.build(device, "cache", defines(params)), params, Work(0, params["pass_bytes"]))


def raw(device: Any, params: Mapping[str, Any], queue: Any) -> cuda.CudaLaunch:
    """A launch of ``cache.cu``; one launch does all repetitions."""
    block, blocks = params["block"], params["blocks"]
    cubin = cuda.build(device, "cache", defines(params))
    kernel = cuda.function(cubin.path, "sweep")
    size = BANK_BYTES if params["mode"] == "banks" else params["x"]
    with cuda.collected() as buffers:
        for count, kind in ((size // 4, np.uint32), (block * blocks, np.uint32), (2 * blocks, np.uint64)):
            buffers.append(cuda.Buffer(count, kind, queue))
        held, sums, clocks = buffers
        held.repeat(words(min(size // 4, WORD_LENGTH)))
    chunks = size // (block * VECTOR * params["unroll"])
    reads = 1 if params["mode"] in OPCODES else chunks
    pointers = [buffer.pointer for buffer in buffers]

    def enqueue(repeat: int) -> None:
        numbers = np.uint64(repeat * reads), np.uint32(chunks)
        grid = blocks
        if params["mode"] == "grid":
            grid = repeat * chunks // params["visits"]
            sums.clear()
            clocks.clear()
        kernel((grid,), (block,), (*pointers, *numbers), stream=queue)

    result = lambda: np.array([int(sums.download().sum(dtype=np.uint64)) % (1 << 32)], np.float64)  # noqa: E731
    return cuda.CudaLaunch(queue, enqueue, [held, sums], result, lambda work: audit(cubin, params, work), clocks)
