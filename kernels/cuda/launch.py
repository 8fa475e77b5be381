"""What every CUDA backend shares: memory on the device, a loaded kernel, and a launch on the harness's stream.

CuPy is imported where it is used, and only its driver calls are: none of its own kernels run, so it needs no CUDA
headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import Audit, KernelError, Work
from kernels.cuda.nvrtc import Cubin, compile_cubin
from kernels.device import Device


class Buffer:
    """``count`` elements on the device. Raises KernelError if the device has no room for them."""

    def __init__(self, count: int, dtype: Any, queue: Any) -> None:
        from cupy.cuda import runtime

        self.dtype, self.count, self._queue = np.dtype(dtype), count, queue
        try:
            self.address = runtime.malloc(max(1, self.nbytes))
        except runtime.CUDARuntimeError as error:
            free = runtime.memGetInfo()[0]
            raise KernelError(
                f"no room for {self.nbytes / 1e9:.2f} GB on the device, {free / 1e9:.2f} GB are free ({error})"
            ) from None

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.count * self.dtype.itemsize

    @property
    def pointer(self) -> np.uint64:
        """The address as a kernel argument."""
        return np.uint64(self.address)

    def poison(self) -> None:
        """Fill with bytes 0xFF: NaN for floats, -1 for integers."""
        self._set(0xFF)

    def clear(self) -> None:
        """Fill with zeros."""
        self._set(0)

    def _set(self, byte: int) -> None:
        from cupy.cuda import runtime

        runtime.memsetAsync(self.address, byte, self.nbytes, self._queue.ptr)

    def upload(self, values: np.ndarray) -> None:
        """Copy a host array of the same size to the device."""
        from cupy.cuda import runtime

        source = np.ascontiguousarray(values)
        runtime.memcpyAsync(self.address, source.ctypes.data, self.nbytes, 1, self._queue.ptr)
        self._queue.synchronize()

    def fill(self, which: int, dtype: str) -> None:
        """Write array number ``which`` of the stream pattern."""
        self.repeat(pattern.tile(dtype, which))

    def repeat(self, tile: np.ndarray) -> None:
        """Write ``tile`` again and again: one upload, then copies on the device that double."""
        from cupy.cuda import runtime

        done = min(tile.nbytes, self.nbytes)
        runtime.memcpyAsync(self.address, tile.ctypes.data, done, 1, self._queue.ptr)
        while done < self.nbytes:  # whole tiles only, so that the phase stays
            part = min(done, self.nbytes - done)
            runtime.memcpyAsync(self.address + done, self.address, part, 3, self._queue.ptr)
            done += part
        self._queue.synchronize()

    def download(self, count: int | None = None) -> np.ndarray:
        """The first ``count`` elements (default: all) on the host."""
        from cupy.cuda import runtime

        out = np.empty(self.count if count is None else count, self.dtype)
        runtime.memcpyAsync(out.ctypes.data, self.address, out.nbytes, 2, self._queue.ptr)
        self._queue.synchronize()
        return out

    def download_at(self, starts: np.ndarray, width: int) -> np.ndarray:
        """Pieces of ``width`` elements at ``starts`` on the host, as one array."""
        from cupy.cuda import runtime

        out, size = np.empty((len(starts), width), self.dtype), self.dtype.itemsize
        for run, step in evenly(starts, width):  # one call for all pieces of a run
            to, source = out[run], self.address + int(starts[run.start]) * size
            rows = to.ctypes.data, width * size, source, step * size, width * size, len(to)
            runtime.memcpy2DAsync(*rows, 2, self._queue.ptr)
        self._queue.synchronize()
        return out.ravel()

    def free(self) -> None:
        """Give the memory back."""
        from cupy.cuda import runtime

        if self.address:
            runtime.free(self.address)
        self.address = 0


def evenly(starts: np.ndarray, width: int) -> Iterator[tuple[slice, int]]:
    """Pieces that lie evenly and apart, run by run: which, and their distance (``width`` of one alone)."""
    at = 0
    while at < len(starts):
        steps = np.diff(starts[at:], append=starts[-1] - 1)  # so that some step differs
        step, alike = int(steps[0]), int(np.argmax(steps != steps[0]))
        count, step = (1 + alike, step) if alike and step >= width else (1, width)
        yield slice(at, at + count), step
        at += count


@contextmanager
def collected() -> Iterator[list[Any]]:
    """A list of buffers that are given back if the block fails."""
    held: list[Any] = []
    try:
        yield held
    except BaseException:
        for buffer in held:
            buffer.free()
        raise


class CudaLaunch:
    """A CUDA kernel with its buffers: ``enqueue(repeat)`` puts the work on the stream and returns at once.

    buffers: whatever must be given back by ``free()`` when the launch is closed.
    """

    def __init__(
        self,
        queue: Any,
        enqueue: Callable[[int], None],
        buffers: Sequence[Any],
        result: Callable[[], np.ndarray],
        audit: Callable[[Work], Audit],
        clocks: Buffer | None = None,
    ) -> None:
        self._queue, self._enqueue, self._buffers = queue, enqueue, list(buffers)
        self._result, self._audit, self._clocks = result, audit, clocks

    def run(self, repeat: int) -> None:
        """Enqueue ``repeat`` repetitions."""
        self._enqueue(repeat)

    def result(self) -> np.ndarray:
        """Wait, and fetch what the last run computed."""
        self._queue.synchronize()
        return self._result()

    def clock_hz(self) -> float | None:
        """Cycles over nanoseconds inside the last run: the median of all blocks; None for memory kernels."""
        if self._clocks is None:
            return None
        cycles, nanoseconds = self._clocks.download().reshape(-1, 2).T.astype(np.float64)
        seen = nanoseconds > 0
        return float(np.median(cycles[seen] / nanoseconds[seen]) * 1e9) if seen.any() else None

    def audit(self, work: Work) -> Audit:
        """Hold the machine code against the declared work."""
        return self._audit(work)

    def close(self) -> None:
        """Wait for the device, then give every buffer back."""
        self._queue.synchronize()
        for buffer in (*self._buffers, *([self._clocks] if self._clocks else [])):
            buffer.free()


def sm(device: Device, suffix: str = "") -> str:
    """The architecture a device's kernels are compiled for: ``9.0`` becomes ``90``."""
    return device.arch.replace(".", "") + suffix


def build(device: Device, source: Path, defines: dict[str, object], suffix: str = "") -> Cubin:
    """The cubin of a .cu file for this device and its driver."""
    driver = str(device.facts.get("driver_version") or "")
    major = int(driver.split(".")[0]) if driver[:1].isdigit() else None
    return compile_cubin(source, sm(device, suffix), defines, major)


@cache
def function(path: Path, name: str, shared_bytes: int = 0) -> Any:
    """The loaded kernel ``name`` of a cubin. Cubins are named by content: CuPy remembers modules by path."""
    import cupy

    loaded = cupy.RawModule(path=str(path)).get_function(name)
    if shared_bytes > 48 << 10:
        loaded.max_dynamic_shared_size_bytes = shared_bytes
    return loaded
