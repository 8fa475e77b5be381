"""What every CUDA backend shares: memory, and work on the harness's stream.

CuPy is imported where it is used, and only its driver calls are: none of its own kernels run, so it
needs no CUDA headers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from kernels.base import Audit, Work
from kernels.cuda.memory import Buffer, Stream
from kernels.device import Device

Resource = TypeVar("Resource")


class CudaLaunch(ABC):
    """An operation on a GPU for one device, type and params; a ``Launch`` after ``ready``.

    A subclass says what memory it needs (``allocate``), what it puts on the stream (``run``), where
    its answer lies (``fetch``) and what is known of the instructions that run (``audit``).
    """

    queue: Stream
    """The harness's stream, from ``ready`` on."""
    clocks: Buffer | None = None
    """Cycles and nanoseconds of each block, one after the other, if the kernel observes them."""

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        self.device = device
        self.dtype = dtype
        self.params = params
        self._resources: list[Any] = []

    @abstractmethod
    def allocate(self) -> None:
        """Make the buffers, by ``new`` and ``keep``, and fill them."""

    @abstractmethod
    def run(self, repeat: int) -> None:
        """Put ``repeat`` repetitions on the stream and return at once."""

    @abstractmethod
    def fetch(self) -> np.ndarray:
        """Copy to the host what the last run computed. The stream is idle."""

    @abstractmethod
    def audit(self, work: Work) -> Audit:
        """Hold what will run against the declared work."""

    def ready(self, queue: Stream) -> None:
        """Allocate everything on this stream's device; give it back if that fails."""
        self.queue = queue
        try:
            self.allocate()
        except BaseException:
            self._give_back()
            raise

    def new(self, count: int, dtype: Any) -> Buffer:
        """A buffer of ``count`` elements on the GPU, given back by ``close``."""
        return self.keep(Buffer(count, dtype, self.queue))

    def keep(self, resource: Resource) -> Resource:
        """Give ``resource`` back by its ``free()`` when the launch is closed; returns it."""
        self._resources.append(resource)
        return resource

    def result(self) -> np.ndarray:
        """Wait, and fetch what the last run computed."""
        self.queue.synchronize()
        return self.fetch()

    def clock_hz(self) -> float | None:
        """Cycles over nanoseconds inside the last run, the median of all blocks.

        None for kernels without ``clocks``, and if no block saw the time pass.
        """
        if self.clocks is None:
            return None
        blocks = self.clocks.download().reshape(-1, 2).astype(np.float64)
        cycles, nanoseconds = blocks[blocks[:, 1] > 0].T
        if not nanoseconds.size:
            return None
        return float(np.median(cycles / nanoseconds) * 1e9)

    def close(self) -> None:
        """Wait for the device, then give everything back."""
        self.queue.synchronize()
        self._give_back()

    def _give_back(self) -> None:
        for resource in self._resources:
            resource.free()


@dataclass(frozen=True)
class CudaBackend:
    """The backend of a Kernel whose launches ``kernel(device, dtype, params)`` describes."""

    kernel: Callable[[Device, str, Mapping[str, Any]], CudaLaunch]

    def __call__(
        self, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
    ) -> CudaLaunch:
        """A launch on this queue, ready to run: the ``Builder`` of the backend."""
        launch = self.kernel(device, dtype, params)
        launch.ready(queue)
        return launch
