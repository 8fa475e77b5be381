"""Memory on a GPU. CuPy is imported where it is used, and only its driver calls are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from kernels import pattern
from kernels.base import KernelError


class Stream(Protocol):
    """What work on a GPU is queued on: a stream of CuPy."""

    ptr: int
    """Its address."""

    def synchronize(self) -> None:
        """Wait for all that is queued."""

    def __hash__(self) -> int:
        """What Numba's own form of it is remembered by."""


class Buffer:
    """``count`` elements on the device. Raises KernelError if the device has no room for them."""

    def __init__(self, count: int, dtype: Any, queue: Stream) -> None:
        from cupy.cuda import runtime

        self.dtype = np.dtype(dtype)
        self.count = count
        self._queue = queue
        try:
            self.address = runtime.malloc(max(1, self.nbytes))
        except runtime.CUDARuntimeError as error:
            free = runtime.memGetInfo()[0]
            raise KernelError(
                f"no room for {self.nbytes / 1e9:.2f} GB on the device, {free / 1e9:.2f} GB are "
                f"free ({error})"
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

    def fill(self, number: int, dtype: str) -> None:
        """Write array number ``number`` of the stream pattern."""
        self.repeat(pattern.tile(dtype, number))

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

        out = np.empty((len(starts), width), self.dtype)
        size = self.dtype.itemsize
        row_bytes = width * size
        for run, step in evenly(starts, width):  # one call for all pieces of a run
            target = out[run]
            source = self.address + int(starts[run.start]) * size
            runtime.memcpy2DAsync(
                target.ctypes.data,
                row_bytes,
                source,
                step * size,
                row_bytes,
                len(target),
                2,
                self._queue.ptr,
            )
        self._queue.synchronize()
        return out.ravel()

    def free(self) -> None:
        """Give the memory back."""
        from cupy.cuda import runtime

        if self.address:
            runtime.free(self.address)
        self.address = 0


def evenly(starts: np.ndarray, width: int) -> Iterator[tuple[slice, int]]:
    """Runs of pieces that lie evenly and apart: the slice of ``starts``, and their distance.

    A piece that is a run by itself has the distance ``width``.
    """
    at = 0
    while at < len(starts):
        steps = np.diff(starts[at:], append=starts[-1] - 1)  # so that some step differs
        step = int(steps[0])
        equal_steps = int(np.argmax(steps != step))
        count = 1 + equal_steps
        if not equal_steps or step < width:
            count, step = 1, width
        yield slice(at, at + count), step
        at += count
