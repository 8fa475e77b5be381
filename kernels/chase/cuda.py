"""A pointer chase on a GPU: the kernel ``chase.cu``, and which sets are worth asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, Unavailable, Work
from kernels.chase.work import LINE, cycle
from kernels.cuda import sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

STEP = LINE["raw"]
"""Bytes from one line to the next."""
SMALLEST, PAST_CACHE = 8 << 10, 5
"""Bytes of the smallest set; the largest as a multiple of the L2."""
SHARED_BYTES = 16 << 10
"""The set in shared memory."""
WARM_LINES = 8192
"""Lines that are read at once before a chase: no L1 is larger."""
WARM_BLOCKS = 1024
"""Blocks that read a set into the L2."""
THREADS = 32
"""Of a block. One of them chases; all read the lines before."""
HOPS_A_TRIP = 16
"""Loads in a trip of the loop of ``chase.cu``."""
REPEATS = 32
"""Loads of each line, to tell how far it is."""
ENDS = {"near": slice(None, 512), "far": slice(-512, None)}
"""The lines of either end of the L2, among LINES_TIMED in order of their times."""
LINES_TIMED = 2048
APART = 1.08
"""The far lines of an L2 in two parts take so many times as long, at least."""

Point = tuple[dict[str, Any], bool]


def points(device: Device) -> Iterator[Point]:
    """(params, True for a full run only): shared memory, both ends of the L2, sets well past it.

    Within the L2 they are an octave apart, half of one in a full run; beyond it a quarter, since a
    quick run, which keeps every other point, still needs three there.
    """
    yield {"set_bytes": SHARED_BYTES, "line": STEP, "mode": "shared"}, False
    for end, part in ENDS.items():
        lines = len(range(LINES_TIMED)[part])
        yield {"set_bytes": lines * STEP, "line": STEP, "mode": end}, True
    cached = device.last_cache_bytes or 16 << 20
    most = min(PAST_CACHE * cached, (device.memory_free_bytes or PAST_CACHE * cached) // 4)
    for step in range(4 * (most // SMALLEST).bit_length()):
        size = round(SMALLEST * 2 ** (step / 4) / STEP) * STEP
        if size <= most and (size > cached or step % 2 == 0):
            params = {"set_bytes": size, "line": STEP, "mode": "global"}
            yield params, bool(step % 4 and size <= cached)


class ChaseKernel(CudaKernel):
    """One thread that follows addresses from line to line. A repetition is one hop.

    ``mode`` of the params says where the lines lie: in ``shared`` memory, in ``global`` memory
    (the caches hold what they can), or at the ``near`` or ``far`` end of the L2.
    """

    source = Path(__file__).with_name("chase.cu")
    entry = "chase"
    clocks: Buffer

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.mode = params["mode"]

    def defines(self) -> dict[str, object]:
        """The distance of lines, the caches that a load goes through, and the shared memory."""
        macros: dict[str, object] = {"LINE": STEP, "REPEATS": REPEATS}
        macros["LOAD"] = ".cg" if self.mode in ENDS else ".ca"
        if self.mode == "shared":
            macros["SHARED_BYTES"] = SHARED_BYTES
        return macros

    def work(self) -> Work:
        """None: a hop is timed for its own sake."""
        return Work()

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The loop must hold HOPS_A_TRIP loads: as work, one operation each."""
        opcode = "LDS" if self.mode == "shared" else r"LDG.*\.64"
        audit = sass.audit(cubin, sass.Spec(opcode, 1, 1), Work(flops=HOPS_A_TRIP))
        return Audit(audit.instruction, audit.problem, audit.note)

    def allocate(self) -> None:
        """The set, with its lines linked into one cycle, and the place that the chase is at."""
        count = self.params["set_bytes"] // STEP
        lines_in_memory = LINES_TIMED if self.mode in ENDS else count
        self.set = self.new(lines_in_memory * STEP // 8, np.uint64)
        self.place = self.new(1, np.uint64)
        self.clocks = self.new(2, np.uint64)
        self.lines = self._lines_at(self.mode) if self.mode in ENDS else np.arange(count)
        order = self.lines[cycle(count)]
        self._link(order)
        self.place.upload(self._addresses(order[:1]))
        if self.mode == "global":
            self._settle()

    def run(self, repeat: int) -> None:
        """One launch, which goes on from where the last one ended."""
        self._chase(1, self.set, min(self.set.nbytes // STEP, WARM_LINES), repeat)

    def fetch(self) -> np.ndarray:
        """Number of the line that was reached, among those of the cycle, shape (1,)."""
        line = (int(self.place.download()[0]) - self.set.address) // STEP
        return np.flatnonzero(self.lines == line).astype(np.float64)

    def _chase(self, blocks: int, buffer: Buffer, lines_before: int, hops: int) -> None:
        """Read the first lines of ``buffer``, then follow so many addresses."""
        self.launch(
            blocks,
            THREADS,
            buffer.pointer,
            self.place.pointer,
            self.clocks.pointer,
            np.uint64(lines_before),
            np.uint64(hops),
        )

    def _addresses(self, lines: np.ndarray) -> np.ndarray:
        return np.uint64(self.set.address) + lines.astype(np.uint64) * np.uint64(STEP)

    def _link(self, order: np.ndarray) -> None:
        """Write into each line of ``order`` the address of the next; other lines hold zeros."""
        words = np.zeros((self.set.nbytes // STEP, STEP // 8), np.uint64)
        words[order, 0] = self._addresses(np.roll(order, -1))
        self.set.upload(words)

    def _lines_at(self, end: str) -> np.ndarray:
        """The lines of the set at this end of the L2, by the time that each takes.

        An L2 in two parts is nearer to half of them. Raises Unavailable where all are about as far.
        """
        cycles = self._line_cycles()
        order = np.argsort(cycles, kind="stable")
        near, far = (float(np.median(cycles[order[part]])) for part in ENDS.values())
        if far < APART * near:
            raise Unavailable(
                f"this L2 shows no parts: its lines are {near:.0f} to {far:.0f} cycles away from "
                "an SM"
            )
        return np.sort(order[ENDS[end]])

    def _line_cycles(self) -> np.ndarray:
        """Cycles that a load of each line takes."""
        sums = Buffer(LINES_TIMED, np.uint32, self.queue)
        try:
            self.set.clear()
            arguments = (self.set.pointer, sums.pointer, np.uint32(LINES_TIMED))
            self.entry_point("each_line")((1,), (1,), arguments, stream=self.queue)
            return sums.download() / REPEATS
        finally:
            sums.free()

    def _settle(self) -> None:
        """Leave the L2 as a long chase would: holding the set if it fits, else nothing of it."""
        cache = self.device.last_cache_bytes or 0
        if self.set.nbytes <= cache:
            self._chase(WARM_BLOCKS, self.set, self.set.nbytes // STEP, 0)
            return
        other = Buffer(2 * cache // 8, np.uint64, self.queue)
        try:
            self._chase(WARM_BLOCKS, other, other.nbytes // STEP, 0)
            self.queue.synchronize()
        finally:
            other.free()
