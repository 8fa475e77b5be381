"""What every CUDA backend shares: a loaded kernel, and a launch on the harness's stream.

CuPy is imported where it is used, and only its driver calls are: none of its own kernels run, so it
needs no CUDA headers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, Work
from kernels.cuda.memory import Buffer, Stream
from kernels.cuda.nvrtc import Cubin, compile_cubin
from kernels.device import Device


class CudaLaunch:
    """A CUDA kernel with its buffers: ``enqueue(repeat)`` puts the work on the stream and returns
    at once.

    buffers: whatever must be given back by ``free()`` when the launch is closed.
    """

    def __init__(
        self,
        queue: Stream,
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
        """Cycles over nanoseconds inside the last run: the median of all blocks; None for memory
        kernels.
        """
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
    """The loaded kernel ``name`` of a cubin. Cubins are named by content: CuPy remembers modules by
    path.
    """
    import cupy

    loaded = cupy.RawModule(path=str(path)).get_function(name)
    if shared_bytes > 48 << 10:
        loaded.max_dynamic_shared_size_bytes = shared_bytes
    return loaded
