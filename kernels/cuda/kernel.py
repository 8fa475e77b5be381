"""Kernels in .cu files: how one is compiled, held against its declared work, and launched."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from kernels.base import Audit, Work
from kernels.cuda.launch import CudaBackend, CudaLaunch
from kernels.cuda.memory import Stream
from kernels.cuda.nvrtc import Cubin, compile_cubin
from kernels.device import Device

UNASKED_SHARED_BYTES = 48 << 10
"""Shared memory that a block may take of any GPU; more must be asked for (CUDA C++ Programming
Guide, cudaFuncAttributeMaxDynamicSharedMemorySize)."""


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
        self.function = self.entry_point(self.entry)

    def entry_point(self, name: str) -> Any:
        """A ``__global__`` function of the .cu file, loaded onto the GPU."""
        return function(self.cubin.path, name, self.shared_bytes)

    def launch(self, blocks: int, threads: int, *arguments: Any) -> None:
        """Launch the entry point once; ``arguments`` are NumPy scalars of just the types it takes.

        threads: of each block.
        """
        self.function(
            (blocks,), (threads,), arguments, shared_mem=self.shared_bytes, stream=self.queue
        )


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
