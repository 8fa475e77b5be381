"""Copies across the bus, and reads of memory that CPU and GPU share: all on the harness's stream,
or joined to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Audit, Unavailable
from kernels.cuda import launch as cuda
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.device import Device
from kernels.pattern import FLOATS
from kernels.stream import cuda as stream_cuda
from kernels.transfer.host_memory import HostBuffer, near

KINDS = {"h2d": 1, "d2h": 2}  # cudaMemcpyKind
ENGINE = Audit(instruction="copy engine")
STAGED = Audit(instruction="staged copy", note="by way of the driver's own pinned memory")
BY_CPU = Audit(note="read by one CPU core while the GPU waits")
PEERS_KNOW = 704  # cudaErrorPeerAccessAlreadyEnabled
Enqueue = Callable[[int], None]


def copy(
    direction: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """A launch of copies; ``host`` of the params is ``pinned`` or ``pageable``.

    Raises Unavailable for a peer that cannot be reached, KernelError if memory is short.
    """
    n = params["size_bytes"] // ITEMSIZE[dtype]
    with collected() as held, near(device):
        if direction == "peer":
            targets, enqueue = _between(
                params["source"], params["target"], device, dtype, n, queue, held
            )
        else:
            targets, enqueue = _across(direction, params["host"], dtype, n, queue, held)
        queue.synchronize()
    samples = pattern.sample_starts(n, ITEMSIZE[dtype])
    audit = STAGED if params.get("host") == "pageable" else ENGINE
    result = lambda: np.concatenate([target.download_at(*samples) for target in targets])  # noqa: E731
    return cuda.CudaLaunch(queue, enqueue, held, result, lambda work: audit)


def _across(
    direction: str, host: str, dtype: str, n: int, queue: Stream, held: list[Any]
) -> tuple[list[Any], Enqueue]:
    """Targets, and the copies of one direction or of both."""
    targets, copies = [], []
    for which, way in enumerate(KINDS if direction == "both" else (direction,)):
        held.append(HostBuffer(n, FLOATS[dtype], host))
        held.append(Buffer(n, FLOATS[dtype], queue))
        source, target = held[-2:] if way == "h2d" else held[:-3:-1]
        source.fill(which, dtype)
        target.poison()
        targets.append(target)
        copies.append((target.address, source.address, n * ITEMSIZE[dtype], KINDS[way]))
    return targets, _at_once(copies, queue) if direction == "both" else _in_turn(copies[0], queue)


def _in_turn(copy: tuple[int, int, int, int], queue: Stream) -> Enqueue:
    from cupy.cuda import runtime

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            runtime.memcpyAsync(*copy, queue.ptr)

    return enqueue


def _at_once(copies: list[tuple[int, int, int, int]], queue: Any) -> Enqueue:
    """The second copy on a stream of its own, which starts and ends with the harness's: its events
    see both.
    """
    import cupy
    from cupy.cuda import runtime

    other = cupy.cuda.Stream(non_blocking=True)
    fork, join = (cupy.cuda.Event(disable_timing=True) for _ in range(2))

    def enqueue(repeat: int) -> None:
        fork.record(queue)
        other.wait_event(fork)
        for _ in range(repeat):
            for copy, stream in zip(copies, (queue, other), strict=True):
                runtime.memcpyAsync(*copy, stream.ptr)
        join.record(other)
        queue.wait_event(join)

    return enqueue


def _between(
    source: int, target: int, device: Device, dtype: str, n: int, queue: Stream, held: list[Any]
) -> tuple[list[Any], Enqueue]:
    """The target, and copies from one GPU to another on the stream of the harness's own."""
    import cupy
    from cupy.cuda import runtime

    for mine, theirs in ((source, target), (target, source)):
        _open(mine, theirs)
        with cupy.cuda.Device(mine):
            stream = queue if mine == device.index else cupy.cuda.Stream(non_blocking=True)
            held.append(Buffer(n, FLOATS[dtype], stream))
            held[-1].fill(0, dtype) if mine == source else held[-1].poison()
            stream.synchronize()

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            runtime.memcpyPeerAsync(
                held[1].address, target, held[0].address, source, held[0].nbytes, queue.ptr
            )

    return held[1:], enqueue


def _open(mine: int, theirs: int) -> None:
    """Let GPU ``mine`` reach the memory of ``theirs``. Raises Unavailable if it cannot: the host
    would carry it all.
    """
    import cupy
    from cupy.cuda import runtime

    if not runtime.deviceCanAccessPeer(mine, theirs):
        raise Unavailable(f"GPU {mine} cannot reach the memory of GPU {theirs}")
    with cupy.cuda.Device(mine):
        try:
            runtime.deviceEnablePeerAccess(theirs)
        except runtime.CUDARuntimeError as error:
            if error.status != PEERS_KNOW:
                raise


def _memory(kind: str, dtype: str, n: int, queue: Stream) -> Any:
    """Memory of this kind with the pattern in it. The CPU may touch managed memory only while the
    GPU is idle.
    """
    queue.synchronize()
    if kind == "device":
        memory: Any = Buffer(n, FLOATS[dtype], queue)
    else:
        memory = HostBuffer(n, FLOATS[dtype], "managed" if kind == "managed" else "pinned")
    memory.fill(0, dtype)
    return memory


def read_raw(
    device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """The stream kernel's read, of memory where it lies."""
    vectors = params["size_bytes"] // stream_cuda.VECTOR
    blocks = -(-vectors // (params["block"] * params["vecs"]))
    cubin = cuda.build(device, stream_cuda.SOURCE, stream_cuda.defines("read", dtype, params))
    kernel, kind = cuda.function(cubin.path, "stream"), FLOATS[dtype]
    with collected() as held:
        held.append(
            _memory(params["memory"], dtype, params["size_bytes"] // ITEMSIZE[dtype], queue)
        )
        held.append(sums := Buffer(blocks, np.float64, queue))
        sums.poison()
    arrays = [np.uint64(held[0].address)] * 3
    arguments = (
        *arrays,
        sums.pointer,
        np.uint32(vectors),
        kind(pattern.SCALE),
        kind(pattern.WRITTEN),
    )

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            kernel((blocks,), (params["block"],), arguments, stream=queue)

    result = lambda: np.array([sums.download().sum()])  # noqa: E731
    return cuda.CudaLaunch(
        queue, enqueue, held, result, lambda work: stream_cuda.audit(cubin, "read", params)
    )


def read_numpy(
    device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """A sum by the CPU. It waits for the stream first, so the harness's two events bracket the
    reading.
    """
    memory = _memory(params["memory"], dtype, params["size_bytes"] // ITEMSIZE[dtype], queue)
    total = np.full(1, np.nan)

    def enqueue(repeat: int) -> None:
        queue.synchronize()
        for _ in range(repeat):
            total[0] = memory.array.sum(dtype=np.float64)

    return cuda.CudaLaunch(queue, enqueue, [memory], lambda: total.copy(), lambda work: BY_CPU)
