"""A window of memory that the L2 may keep while a stream passes: the kernel ``window.cu``."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kernels.window.work as window_work
from kernels.base import Audit, KernelError, Unavailable, Work
from kernels.cache.work import WORD_LENGTH, words
from kernels.cuda import driver, sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

WORD, VECTOR = 4, 16
"""Bytes of what is summed, and of one load."""
SHAPE = {"block": 512, "unroll": 8}
"""Threads of a block, and loads of the stream in flight in each, and of the window."""
SLOTS = 1024
"""Places for the sums of blocks."""
PERSISTING_LIMIT = 6
"""CU_LIMIT_PERSISTING_L2_CACHE_SIZE."""
WINDOW_ATTRIBUTE = 1
"""CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW."""
NORMAL, STREAMING, PERSISTING = range(3)
"""CUaccessProperty."""


class _Policy(ctypes.Structure):
    """The driver's CUaccessPolicyWindow, in a CUlaunchAttributeValue of 64 bytes."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("hit_ratio", ctypes.c_float),
        ("hit", ctypes.c_int),
        ("miss", ctypes.c_int),
        ("rest", ctypes.c_char * 36),
    )


SHARES_OF_L2 = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0, 1.5)
"""Bytes of windows over those of the L2."""
USUAL_CACHE = 16 << 20
"""Bytes of an L2 that the device does not tell."""
LEAST_STREAM_BYTES = 256 << 20
"""Bytes of a stream, at least: so many that the first of it do not stay in the L2."""


def sizes(device: Device) -> list[int]:
    """Bytes of the windows worth asking, each whole chunks."""
    cached = device.last_cache_bytes or USUAL_CACHE
    return [int(share * cached) // chunk_bytes() * chunk_bytes() for share in SHARES_OF_L2]


def shape(window_bytes: int) -> dict[str, int]:
    """The params of a window with its stream, which is whole windows long."""
    windows = -(-LEAST_STREAM_BYTES // window_bytes)
    return {"window_bytes": window_bytes, "stream_bytes": windows * window_bytes}


def chunk_bytes() -> int:
    """Bytes that a block reads of the stream, and of the window."""
    return SHAPE["block"] * SHAPE["unroll"] * VECTOR


class WindowKernel(CudaKernel):
    """One pass of a stream, with the window read beside it. One launch is one repetition.

    With ``persisting`` of the params the L2 is asked to keep the window.
    """

    source = Path(__file__).with_name("window.cu")
    entry = "window"
    clocks: Buffer
    is_kept = False
    """True while the L2 is asked to keep the window."""

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.window_bytes = int(params["window_bytes"])
        self.stream_bytes = int(params["stream_bytes"])

    def validate(self) -> None:
        """Raise KernelError for parts of a window; Unavailable where no L2 can be told."""
        if self.window_bytes % chunk_bytes() or self.stream_bytes % self.window_bytes:
            raise KernelError(
                f"a stream of {self.stream_bytes} bytes beside a window of {self.window_bytes}: "
                f"take whole windows of a multiple of {chunk_bytes()}"
            )
        if self.params["persisting"] and not self.device.facts.get("persisting_l2_bytes"):
            raise Unavailable("the L2 of this GPU cannot be told what to keep")

    def defines(self) -> dict[str, object]:
        """The shape of the launch."""
        return {"BLOCK": SHAPE["block"], "UNROLL": SHAPE["unroll"], "SLOTS": SLOTS}

    def work(self) -> Work:
        """That of one pass."""
        return window_work.work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """Every thread must load the vectors of both."""
        return sass.wide_access(cubin, 2 * SHAPE["unroll"], 0)

    def allocate(self) -> None:
        """Both memories with their contents, sums and clocks; and what the L2 should keep."""
        self.window = self.new(self.window_bytes // WORD, np.uint32)
        self.stream = self.new(self.stream_bytes // WORD, np.uint32)
        for memory in (self.window, self.stream):
            memory.repeat(words(min(memory.count, WORD_LENGTH)))
        self.sums = self.new(SLOTS * SHAPE["block"], np.uint32)
        self.clocks = self.new(2 * SLOTS, np.uint64)
        if self.params["persisting"]:
            self._keep()

    def run(self, repeat: int) -> None:
        """A launch for each repetition; sums and clocks add up."""
        self.sums.clear()
        self.clocks.clear()
        for _ in range(repeat):
            self.launch(
                self.stream_bytes // chunk_bytes(),
                SHAPE["block"],
                self.window.pointer,
                self.stream.pointer,
                self.sums.pointer,
                self.clocks.pointer,
                np.uint32(self.window_bytes // chunk_bytes()),
            )

    def fetch(self) -> np.ndarray:
        """The sum of the words read, shape (1,)."""
        total = int(self.sums.download().sum(dtype=np.uint64)) % (1 << 32)
        return np.array([total], np.float64)

    def close(self) -> None:
        """Let the L2 keep nothing of it; then give the memory back."""
        self.queue.synchronize()
        if self.is_kept:
            self._set_window(0)
            driver.call("cuCtxResetPersistingL2Cache")
            driver.call("cuCtxSetLimit", PERSISTING_LIMIT, ctypes.c_size_t(0))
        super().close()

    def _keep(self) -> None:
        """Set aside as much of the L2 as can be, and say that the window should stay there."""
        aside = int(self.device.facts["persisting_l2_bytes"])
        driver.call("cuCtxSetLimit", PERSISTING_LIMIT, ctypes.c_size_t(aside))
        self.is_kept = True
        self._set_window(self.window_bytes)

    def _set_window(self, size: int) -> None:
        """Tell the stream that accesses to the window persist, and that all others only pass."""
        policy = _Policy(self.window.address, size, 1.0, PERSISTING, STREAMING)
        if not size:
            policy = _Policy(0, 0, 0.0, NORMAL, NORMAL)
        stream = ctypes.c_void_p(self.queue.ptr)
        driver.call("cuStreamSetAttribute", stream, WINDOW_ATTRIBUTE, ctypes.byref(policy))
