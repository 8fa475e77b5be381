"""A pointer chase on a GPU: the launch of ``chase.cu``, and which sets are worth asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, Unavailable, Work
from kernels.chase.work import LINE, cycle
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

SOURCE = Path(__file__).with_name("chase.cu")
STEP = LINE["raw"]
SMALLEST, PAST_CACHE = 8 << 10, 5  # times the L2
SHARED_BYTES = 16 << 10
WARM_LINES = 8192  # read at once before a chase: no L1 is larger
WARM_BLOCKS = 1024
OPCODES = {"shared": "LDS"}
REPEATS = 32  # loads of each line, to tell how far it is
ENDS = {
    "near": slice(None, 512),
    "far": slice(-512, None),
}  # of all lines looked at, by their times
LOOKED_AT = 2048  # lines
APART = 1.08  # times as long take the far lines of an L2 in two parts, at least

Point = tuple[dict[str, Any], bool]


def points(device: Device) -> Iterator[Point]:
    """(params, True for a full run only): shared memory, both ends of the L2, sets well past it.

    Within the L2 they are an octave apart, half of one in a full run; beyond it a quarter, since a
    quick run, which keeps every other point, still needs three there.
    """
    yield {"set_bytes": SHARED_BYTES, "line": STEP, "mode": "shared"}, False
    for end, which in ENDS.items():
        lines = len(range(LOOKED_AT)[which])
        yield {"set_bytes": lines * STEP, "line": STEP, "mode": end}, True
    cached = device.last_cache_bytes or 16 << 20
    most = min(PAST_CACHE * cached, (device.memory_free_bytes or PAST_CACHE * cached) // 4)
    for step in range(4 * (most // SMALLEST).bit_length()):
        size = round(SMALLEST * 2 ** (step / 4) / STEP) * STEP
        if size <= most and (size > cached or step % 2 == 0):
            params = {"set_bytes": size, "line": STEP, "mode": "global"}
            yield params, bool(step % 4 and size <= cached)


def audit(cubin: Cubin, mode: str) -> Audit:
    """The loop must hold sixteen loads: as work, one operation each."""
    found = sass.audit(cubin, sass.Spec(OPCODES.get(mode, r"LDG.*\.64"), 1, 1), Work(flops=16))
    return Audit(found.instruction, found.problem, found.note)


def build(device: Device, mode: str) -> Cubin:
    """The chase through this kind of memory, for this device."""
    shared = {"SHARED_BYTES": SHARED_BYTES} if mode == "shared" else {}
    load = {"LOAD": ".cg" if mode in ENDS else ".ca"}
    return cuda.build(device, SOURCE, {"LINE": STEP, "REPEATS": REPEATS, **load, **shared})


def prepare(device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(build(device, params["mode"]), params["mode"])


def raw(device: Device, dtype: str, params: Mapping[str, Any], queue: Stream) -> cuda.CudaLaunch:
    """A launch of ``chase.cu``: one thread, one hop a repetition."""
    mode = params["mode"]
    cubin = build(device, mode)
    kernel = cuda.function(cubin.path, "chase")
    count = params["set_bytes"] // STEP
    with collected() as buffers:
        for words in ((LOOKED_AT if mode in ENDS else count) * STEP // 8, 1, 2):
            buffers.append(Buffer(words, np.uint64, queue))
        held, end, clocks = buffers
        lines = _end(cubin, held, ENDS[mode], queue) if mode in ENDS else np.arange(count)
        order = lines[cycle(count)]
        _write(held, order)
        end.upload(_address(held, order[:1]))

        def launch(blocks: int, of: Buffer, warm: int, hops: int) -> None:
            numbers = of.pointer, end.pointer, clocks.pointer, np.uint64(warm), np.uint64(hops)
            kernel((blocks,), (32,), numbers, stream=queue)

        if mode == "global":
            _settle(device, held, lambda of: launch(WARM_BLOCKS, of, of.nbytes // STEP, 0), queue)

    def result() -> np.ndarray:
        line = (int(end.download()[0]) - held.address) // STEP
        return np.flatnonzero(lines == line).astype(np.float64)

    run = lambda repeat: launch(1, held, min(held.nbytes // STEP, WARM_LINES), repeat)  # noqa: E731
    return cuda.CudaLaunch(queue, run, [held, end], result, lambda work: audit(cubin, mode), clocks)


def _address(held: Buffer, lines: np.ndarray) -> np.ndarray:
    return np.uint64(held.address) + lines.astype(np.uint64) * np.uint64(STEP)


def _write(held: Buffer, order: np.ndarray) -> None:
    """Each line of ``order`` holds the address of the one after it; lines that are not in it hold
    nothing.
    """
    addresses = np.zeros((held.nbytes // STEP, STEP // 8), np.uint64)
    addresses[order, 0] = _address(held, np.roll(order, -1))
    held.upload(addresses)


def _end(cubin: Cubin, held: Buffer, which: slice, queue: Stream) -> np.ndarray:
    """The lines of ``held`` nearest to a multiprocessor, or the farthest: an L2 in two parts is
    nearer to half of them.

    Raises Unavailable where all of them are about as far.
    """
    took = Buffer(LOOKED_AT, np.uint32, queue)
    try:
        held.clear()
        arguments = held.pointer, took.pointer, np.uint32(LOOKED_AT)
        cuda.function(cubin.path, "each_line")((1,), (1,), arguments, stream=queue)
        times = took.download() / REPEATS
    finally:
        took.free()
    order = np.argsort(times, kind="stable")
    near, far = (float(np.median(times[order[end]])) for end in ENDS.values())
    if far < APART * near:
        raise Unavailable(
            f"this L2 shows no parts: its lines are {near:.0f} to {far:.0f} cycles away from an SM"
        )
    return np.sort(order[which])


def _settle(device: Device, held: Buffer, read: Callable[[Buffer], None], queue: Stream) -> None:
    """Leave the L2 as a long chase would: holding the set if it fits, else nothing of it."""
    cache = device.last_cache_bytes or 0
    if held.nbytes <= cache:
        return read(held)
    other = Buffer(2 * cache // 8, np.uint64, queue)
    try:
        read(other)
        queue.synchronize()
    finally:
        other.free()
