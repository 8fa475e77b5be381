"""Host memory that a GPU can reach: pageable, pinned or managed, and on the node beside the GPU."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import KernelError
from kernels.device import Device

PCI = Path("/sys/bus/pci/devices")


class HostBuffer:
    """``count`` elements of host memory. Raises KernelError if there is no room.

    kind: ``pageable``, ``pinned`` or ``managed``.

    Where host and device share one address space, as in every 64-bit process, pinned memory is
    mapped for the GPU at the address the host knows (CUDA C++ Programming Guide, Unified Virtual
    Address Space).
    """

    def __init__(self, count: int, dtype: Any, kind: str) -> None:
        self._free: Callable[[int], Any] | None = None
        if kind == "pageable":
            self.array = np.empty(count, dtype)
        else:
            self.array, self._free = _shared(count, dtype, kind)
        self.address = self.array.ctypes.data

    def fill(self, which: int, dtype: str) -> None:
        """Write array number ``which`` of the stream pattern."""
        pattern.fill(self.array, slice(0, len(self.array)), dtype, which)

    def poison(self) -> None:
        """Fill with bytes 0xFF: NaN."""
        ctypes.memset(self.address, 0xFF, self.array.nbytes)

    def download_at(self, starts: np.ndarray, width: int) -> np.ndarray:
        """Pieces of ``width`` elements at ``starts``, as one array: what ``Buffer`` calls so."""
        return self.array[(starts[:, None] + np.arange(width)).ravel()]

    def free(self) -> None:
        """Give the memory back."""
        self.array = np.empty(0)
        if self._free:
            self._free(self.address)
        self._free = None


def _shared(count: int, dtype: Any, kind: str) -> tuple[np.ndarray, Callable[[int], Any]]:
    """Pinned or managed memory as an array, and the call that gives it back."""
    from cupy.cuda import runtime

    size = count * np.dtype(dtype).itemsize
    managed = kind == "managed"
    try:
        if managed:
            address = runtime.mallocManaged(size)
        else:
            address = runtime.hostAlloc(size, runtime.hostAllocMapped)
    except runtime.CUDARuntimeError as error:
        raise KernelError(
            f"no {size / 1e9:.3f} GB of {kind} host memory ({error}): free some memory"
        ) from None
    array = np.frombuffer((ctypes.c_char * size).from_address(address), dtype)
    return array, runtime.free if managed else runtime.freeHost


@contextmanager
def near(device: Device) -> Iterator[None]:
    """Run on the processors beside the device, where sysfs names them.

    Host memory first touched there lies near the device.
    """
    before = os.sched_getaffinity(0)
    beside = before & _beside(str(device.facts.get("pci", "")))
    os.sched_setaffinity(0, beside or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _beside(pci: str) -> set[int]:
    """Processors on the node of the device at ``00000000:18:00.0``; none if sysfs does not say.

    sysfs writes the domain in four digits.
    """
    try:
        text = (PCI / pci[4:] / "local_cpulist").read_text(encoding="utf-8").strip()
    except OSError:
        return set()
    spans = [part.split("-") for part in text.split(",") if part]
    return {cpu for span in spans for cpu in range(int(span[0]), int(span[-1]) + 1)}
