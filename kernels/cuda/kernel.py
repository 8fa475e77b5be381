"""What every CUDA backend shares: memory and a launch on the harness's stream, and kernels in .cu
files.

CuPy is imported where it is used, and only its driver calls are: none of its own kernels run, so it
needs no CUDA headers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kernels.base import Audit, Work
from kernels.cuda.memory import Buffer, Stream
from kernels.cuda.nvrtc import Cubin, compile_cubin
from kernels.device import Device

UNASKED_SHARED_BYTES = 48 << 10
"""Shared memory that a block may take of any GPU; more must be asked for (CUDA C++ Programming
Guide, cudaFuncAttributeMaxDynamicSharedMemorySize)."""

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


class CudaKernel(CudaLaunch):
    """A launch of a kernel in CUDA C++. A new operation is one .cu file and one subclass.

    Beside what every ``CudaLaunch`` says, a subclass names its code (``source``, ``entry``), the
    macros that it is compiled with (``defines``), the work that its params declare (``work``) and
    what its machine code must hold (``inspect``). Its ``run`` calls ``launch``.
    """

    source: Path
    """The .cu file."""
    entry: str
    """Name of the ``__global__`` function."""
    arch_suffix = ""
    """``a`` for instructions that one architecture has alone, as sm_90a."""
    shared_bytes = 0
    """Dynamic shared memory of a block."""

    @abstractmethod
    def defines(self) -> dict[str, object]:
        """Macros of the .cu file for this device, type and params."""

    @abstractmethod
    def work(self) -> Work:
        """Work of one repetition."""

    @abstractmethod
    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """Hold the machine code of ``cubin`` against the declared work."""

    def validate(self) -> None:
        """Raise KernelError for params that no launch can do; by default there are none."""

    def build(self) -> Cubin:
        """Compile the .cu file for this device and its driver. Raises KernelError."""
        arch = sm(self.device) + self.arch_suffix
        return compile_cubin(self.source, arch, self.defines(), driver_major(self.device))

    @cached_property
    def cubin(self) -> Cubin:
        """The machine code of this launch."""
        return self.build()

    def prepare(self) -> None:
        """Compile and disassemble into the caches; needs no GPU."""
        self.inspect(self.cubin, self.work())

    def audit(self, work: Work) -> Audit:
        """Hold the machine code of this launch against the declared work."""
        return self.inspect(self.cubin, work)

    def ready(self, queue: Stream) -> None:
        """Load the machine code and allocate the buffers. Raises KernelError."""
        self.validate()
        self.load()
        super().ready(queue)

    def load(self) -> None:
        """Load the entry point onto the GPU."""
        self.function = function(self.cubin.path, self.entry, self.shared_bytes)

    def launch(self, blocks: int, threads: int, *arguments: Any) -> None:
        """Launch the entry point once; ``arguments`` are NumPy scalars of just the types it takes.

        threads: of each block.
        """
        self.function(
            (blocks,), (threads,), arguments, shared_mem=self.shared_bytes, stream=self.queue
        )


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


@dataclass(frozen=True)
class CompiledBackend(CudaBackend):
    """The same of a CudaKernel, which can be compiled beforehand."""

    kernel: Callable[[Device, str, Mapping[str, Any]], CudaKernel]

    def prepare(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        """Compile and disassemble into the caches: the ``prepare`` of the Kernel."""
        self.kernel(device, dtype, params).prepare()


def sm(device: Device) -> str:
    """The architecture that a device's kernels are compiled for: ``90`` for ``9.0``."""
    return device.arch.replace(".", "")


def driver_major(device: Device) -> int | None:
    """The CUDA major version that the device's driver supports; None if it is not known."""
    version = str(device.facts.get("driver_version") or "")
    return int(version.split(".")[0]) if version[:1].isdigit() else None


@cache
def function(path: Path, name: str, shared_bytes: int = 0) -> Any:
    """The loaded kernel ``name`` of a cubin, allowed to take so much dynamic shared memory.

    Cubins are named by content, so a path is always the same module.
    """
    import cupy

    loaded = cupy.RawModule(path=str(path)).get_function(name)
    if shared_bytes > UNASKED_SHARED_BYTES:
        loaded.max_dynamic_shared_size_bytes = shared_bytes
    return loaded
