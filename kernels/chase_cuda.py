"""A pointer chase on a GPU: the launch of ``chase.cu``, and which sizes are worth asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from kernels import cuda, sass
from kernels.base import Audit, Work
from kernels.cache import LINE, cycle
from kernels.nvrtc import Cubin

STEP = LINE["raw"]
SMALLEST, PAST_CACHE = 8 << 10, 5  # times the L2: three points of a short run lie in memory
WARM_LINES = 8192  # read at once before a chase: no L1 is larger
WARM_BLOCKS = 1024


def points(device: Any) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(tag, params, only in a full run): one octave apart, half of one in a full run, to well past the L2."""
    most = PAST_CACHE * (device.last_cache_bytes or 16 << 20)
    most = min(most, (device.memory_free_bytes or most) // 4)
    step = 0
    while (size := round(SMALLEST * 2 ** (step / 2) / STEP) * STEP) <= most:
        yield "sweep/latency/working-set/chase", {"x": size, "line": STEP}, bool(step % 2)
        step += 1


def audit(cubin: Cubin) -> Audit:
    """The loop must hold sixteen loads: as work, one operation each."""
    found = sass.audit(cubin, sass.Spec(r"LDG.*\.64", 1, 1), Work(flops=16))
    return Audit(found.instruction, found.problem, found.note)


def build(device: Any) -> Cubin:
    return cuda.build(device, "chase", {"LINE": STEP})


def prepare(device: Any, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(build(device))


def raw(device: Any, params: Mapping[str, Any], queue: Any) -> cuda.CudaLaunch:
    """A launch of ``chase.cu``: one thread, one hop a repetition."""
    cubin = build(device)
    kernel = cuda.function(cubin.path, "chase")
    lines, words = params["x"] // STEP, STEP // 8
    with cuda.collected() as buffers:
        for count in (lines * words, 1, 2):
            buffers.append(cuda.Buffer(count, np.uint64, queue))
        held, end, clocks = buffers
        order = cycle(lines)
        addresses = np.zeros((lines, words), np.uint64)
        addresses[order, 0] = held.address + np.roll(order, -1).astype(np.uint64) * np.uint64(STEP)
        held.upload(addresses)
        end.upload(np.array([held.address + int(order[0]) * STEP], np.uint64))

    def launch(blocks: int, of: cuda.Buffer, warm: int, hops: int) -> None:
        numbers = of.pointer, end.pointer, clocks.pointer, np.uint64(warm), np.uint64(hops)
        kernel((blocks,), (32,), numbers, stream=queue)

    _settle(device, held, lambda of: launch(WARM_BLOCKS, of, of.nbytes // STEP, 0), queue)
    return cuda.CudaLaunch(
        queue,
        lambda repeat: launch(1, held, min(lines, WARM_LINES), repeat),
        [held, end],
        lambda: (end.download() - np.uint64(held.address)) // np.uint64(STEP) * 1.0,
        lambda work: audit(cubin),
        clocks,
    )


def _settle(device: Any, held: cuda.Buffer, read: Callable[[cuda.Buffer], None], queue: Any) -> None:
    """Leave the L2 as a long chase would: holding the set if it fits, else nothing of it."""
    cache = device.last_cache_bytes or 0
    if held.nbytes <= cache:
        return read(held)
    other = cuda.Buffer(2 * cache // 8, np.uint64, queue)
    read(other)
    queue.synchronize()
    other.free()
