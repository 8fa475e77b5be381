"""Copies across the bus, and reads of memory that CPU and GPU share.

All of it runs on the harness's stream, or on one that starts and ends with it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Audit, Unavailable, Work
from kernels.cuda.launch import CudaLaunch
from kernels.cuda.memory import Buffer, Stream
from kernels.device import Device
from kernels.pattern import FLOATS
from kernels.stream.cuda import StreamKernel
from kernels.transfer.host_memory import HostBuffer, near

MEMCPY_KINDS = {"h2d": 1, "d2h": 2}
"""Directions by their cudaMemcpyKind."""
BY_ENGINE = Audit(instruction="copy engine")
STAGED = Audit(instruction="staged copy", note="by way of the driver's own pinned memory")
BY_CPU = Audit(note="read by one CPU core while the GPU waits")
PEER_ACCESS_ALREADY_ENABLED = 704
"""The error of that name, cudaErrorPeerAccessAlreadyEnabled."""

Copy = tuple[int, int, int, int]
"""Arguments of cudaMemcpyAsync but for the stream: target, source, bytes, cudaMemcpyKind."""


class CopyLaunch(CudaLaunch):
    """Copies of ``size_bytes`` between two memories; a subclass says which."""

    targets: list[Any]
    """Where copies arrive: buffers of a GPU or of the host."""

    @property
    def elements(self) -> int:
        """Elements of one copy."""
        return int(self.params["size_bytes"] // ITEMSIZE[self.dtype])

    def allocate(self) -> None:
        """Sources with the pattern, and poisoned targets; of the host, on the GPU's own node."""
        self.targets = []
        with near(self.device):
            self.allocate_ends()
            self.queue.synchronize()

    @abstractmethod
    def allocate_ends(self) -> None:
        """Allocate where the copies start and where they arrive, and fill ``targets``."""

    def fetch(self) -> np.ndarray:
        """The sampled pieces of each target, one target after the other."""
        starts, width = pattern.sample_starts(self.elements, ITEMSIZE[self.dtype])
        return np.concatenate([target.download_at(starts, width) for target in self.targets])

    def audit(self, work: Work) -> Audit:
        """Who copies: there is no machine code of ours."""
        return BY_ENGINE


class HostCopy(CopyLaunch):
    """Copies from host to GPU (``h2d``) or back (``d2h``).

    ``host`` of the params is ``pinned`` or ``pageable``.
    """

    def __init__(
        self, direction: str, device: Device, dtype: str, params: Mapping[str, Any]
    ) -> None:
        super().__init__(device, dtype, params)
        self.direction = direction

    def allocate_ends(self) -> None:
        """One source and one target."""
        self.copy = self.new_copy(self.direction, 0)

    def new_copy(self, direction: str, array: int) -> Copy:
        """Memory for a copy of array number ``array`` of the pattern; returns the copy."""
        on_host = self.keep(HostBuffer(self.elements, FLOATS[self.dtype], self.params["host"]))
        on_gpu = self.new(self.elements, FLOATS[self.dtype])
        source: Any = on_host
        target: Any = on_gpu
        if direction == "d2h":
            source, target = on_gpu, on_host
        source.fill(array, self.dtype)
        target.poison()
        self.targets.append(target)
        return target.address, source.address, on_gpu.nbytes, MEMCPY_KINDS[direction]

    def run(self, repeat: int) -> None:
        """One copy after the other."""
        from cupy.cuda import runtime

        for _ in range(repeat):
            runtime.memcpyAsync(*self.copy, self.queue.ptr)

    def audit(self, work: Work) -> Audit:
        """Who copies: pageable memory goes through pinned memory of the driver."""
        return STAGED if self.params["host"] == "pageable" else BY_ENGINE


class _TwoStreams:
    """Copies of a pair at once: the second ones on a stream that starts and ends with the first's.

    So the harness's events see both.
    """

    def __init__(self, queue: Any) -> None:
        """queue: the harness's stream, whose device is the current one."""
        import cupy

        self.queue = queue
        self.other: Any = cupy.cuda.Stream(non_blocking=True)
        self.fork = cupy.cuda.Event(disable_timing=True)
        self.join = cupy.cuda.Event(disable_timing=True)

    def run(self, repeat: int, copies: Sequence[Callable[[int], Any]]) -> None:
        """Each of two copies so often; a copy is told the address of its stream."""
        self.fork.record(self.queue)
        self.other.wait_event(self.fork)
        for _ in range(repeat):
            for copy, stream in zip(copies, (self.queue, self.other), strict=True):
                copy(stream.ptr)
        self.join.record(self.other)
        self.queue.wait_event(self.join)


class BothCopies(HostCopy):
    """Copies in both directions at once, each between two buffers of its own."""

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__("both", device, dtype, params)

    def allocate_ends(self) -> None:
        """A source and a target of each direction, and a second stream."""
        from cupy.cuda import runtime

        both = [self.new_copy(way, array) for array, way in enumerate(MEMCPY_KINDS)]
        self.copies = [partial(runtime.memcpyAsync, *copy) for copy in both]
        self.streams = _TwoStreams(self.queue)

    def run(self, repeat: int) -> None:
        """One pair of copies after the other."""
        self.streams.run(repeat, self.copies)


class PeerCopy(CopyLaunch):
    """Copies from the GPU of index ``source`` of the params to that of index ``target``."""

    def allocate_ends(self) -> None:
        """A buffer on each of the two. Raises Unavailable if they cannot reach each other."""
        self.copy = self.new_copy(self.params["source"], self.params["target"], 0)

    def new_copy(self, source_gpu: int, target_gpu: int, array: int) -> Callable[[int], Any]:
        """Memory for a copy of array number ``array`` of the pattern.

        Returns the copy, which takes the address of a stream. Raises Unavailable.
        """
        from cupy.cuda import runtime

        _open_access(source_gpu, target_gpu)
        with self._current(source_gpu) as stream:
            source = self.keep(Buffer(self.elements, FLOATS[self.dtype], stream))
            source.fill(array, self.dtype)
        _open_access(target_gpu, source_gpu)
        with self._current(target_gpu) as stream:
            target = self.keep(Buffer(self.elements, FLOATS[self.dtype], stream))
            target.poison()
        self.targets.append(target)
        ends = (target.address, target_gpu, source.address, source_gpu)
        return partial(runtime.memcpyPeerAsync, *ends, source.nbytes)

    @contextmanager
    def _current(self, gpu: int) -> Iterator[Stream]:
        """Make ``gpu`` the current one, with a stream on it that is idle at the end."""
        import cupy

        with cupy.cuda.Device(gpu):
            of_harness = gpu == self.device.index
            stream = self.queue if of_harness else cupy.cuda.Stream(non_blocking=True)
            yield stream
            stream.synchronize()

    def run(self, repeat: int) -> None:
        """One copy after the other, on the harness's stream."""
        for _ in range(repeat):
            self.copy(self.queue.ptr)


class BothPeerCopies(PeerCopy):
    """Copies from GPU ``source`` of the params to ``target``, and back at the same time."""

    def allocate_ends(self) -> None:
        """Two buffers on each GPU, and a second stream. Raises Unavailable as one copy does."""
        source, target = self.params["source"], self.params["target"]
        self.copies = [self.new_copy(source, target, 0), self.new_copy(target, source, 1)]
        self.streams = _TwoStreams(self.queue)

    def run(self, repeat: int) -> None:
        """One pair of copies after the other."""
        self.streams.run(repeat, self.copies)


def _open_access(gpu: int, peer: int) -> None:
    """Let ``gpu`` reach the memory of ``peer``.

    Raises Unavailable if it cannot: every byte would go through the host.
    """
    import cupy
    from cupy.cuda import runtime

    if not runtime.deviceCanAccessPeer(gpu, peer):
        raise Unavailable(f"GPU {gpu} cannot reach the memory of GPU {peer}")
    with cupy.cuda.Device(gpu):
        try:
            runtime.deviceEnablePeerAccess(peer)
        except runtime.CUDARuntimeError as error:
            if error.status != PEER_ACCESS_ALREADY_ENABLED:
                raise


def _new_memory(launch: CudaLaunch, elements: int) -> Any:
    """Memory of the kind ``memory`` of the params with the pattern in it, given back by the launch.

    ``device``: of the GPU; ``zero-copy``: pinned memory of the host; ``managed``: CUDA's own
    choice, which the CPU may touch only while the GPU is idle.
    """
    launch.queue.synchronize()
    number = FLOATS[launch.dtype]
    kind = launch.params["memory"]
    memory: Any
    if kind == "device":
        memory = launch.new(elements, number)
    else:
        host_kind = "managed" if kind == "managed" else "pinned"
        memory = launch.keep(HostBuffer(elements, number, host_kind))
    memory.fill(0, launch.dtype)
    return memory


class ReadByGpu(StreamKernel):
    """The stream kernel's read, of memory where it lies."""

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__("read", device, dtype, params)

    @property
    def elements(self) -> int:
        """Elements that one pass reads."""
        return int(self.params["size_bytes"] // ITEMSIZE[self.dtype])

    def allocate_arrays(self) -> list[Any]:
        """What is read."""
        return [_new_memory(self, self.elements)]


class ReadByCpu(CudaLaunch):
    """A sum by the CPU of memory that the GPU shares.

    It waits for the stream first, so the harness's two events bracket the reading.
    """

    def allocate(self) -> None:
        """What is read, and a place for the sum."""
        self.memory = _new_memory(self, self.params["size_bytes"] // ITEMSIZE[self.dtype])
        self.sum = np.full(1, np.nan)

    def run(self, repeat: int) -> None:
        """One pass after the other, while the caller waits."""
        self.queue.synchronize()
        for _ in range(repeat):
            self.sum[0] = self.memory.array.sum(dtype=np.float64)

    def fetch(self) -> np.ndarray:
        """The sum of the last pass, shape (1,)."""
        return self.sum.copy()

    def audit(self, work: Work) -> Audit:
        """Who reads: there is no machine code of ours."""
        return BY_CPU
