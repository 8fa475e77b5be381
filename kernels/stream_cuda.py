"""Streams through GPU memory: the launches of ``stream.cu`` and of its twins in Numba."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels import cuda, pattern, sass
from kernels.base import ITEMSIZE, Audit, KernelError, Work

VECTOR = 16  # bytes
FLOATS = {"fp32": np.float32, "fp64": np.float64}
SOURCES = {"copy": 1, "scale": 1, "add": 2, "triad": 2, "read": 1, "write": 0}
NUMBA_BLOCK = 256


def variants(op: str) -> list[tuple[str, dict[str, Any]]]:
    """Backends and launch shapes worth timing for ``op``: the best one is the ceiling."""
    shapes = {"read": [(256, 8)]}.get(op, [(256, 1)])
    raw = [("raw", {"block": block, "vecs": vecs}) for block, vecs in shapes]
    vecs = 8 if op == "read" else 1
    return [*raw, ("numba", {"block": NUMBA_BLOCK, "vecs": vecs})]


class Arrays:
    """Source arrays with the pattern, a poisoned target, and room for a read's sums."""

    def __init__(self, op: str, dtype: str, n: int, blocks: int, queue: Any) -> None:
        self.all: list[cuda.Buffer] = []
        try:
            for which in range(SOURCES[op]):
                self._new(n, FLOATS[dtype], queue).fill(which, dtype)
            if op != "read":
                self._new(n, FLOATS[dtype], queue).poison()
            self.sums = self._new(blocks if op == "read" else 1, np.float64, queue)
            self.sums.poison()
        except KernelError:
            for buffer in self.all:
                buffer.free()
            raise

    def _new(self, count: int, kind: Any, queue: Any) -> cuda.Buffer:
        self.all.append(cuda.Buffer(count, kind, queue))
        return self.all[-1]

    @property
    def addresses(self) -> list[int]:
        """x, y, z: the sources, then the target; an absent one is the first again."""
        *sources, target = [b.address for b in self.all if b is not self.sums]
        sources = sources or [target]
        return [sources[0], sources[-1], target]


def _blocks(dtype: str, params: Mapping[str, Any]) -> tuple[int, int]:
    """Vectors in an array and the blocks that cover them. Raises KernelError for an array of part vectors."""
    width = VECTOR // ITEMSIZE[dtype]
    if params["n"] % width or params["n"] // width >= 1 << 31:
        raise KernelError(f"a stream of {params['n']} elements: take a multiple of {width} below {width << 31}")
    vectors = params["n"] // width
    return vectors, -(-vectors // (params["block"] * params["vecs"]))


def _result(op: str, dtype: str, n: int, arrays: Arrays) -> np.ndarray:
    if op == "read":
        return np.array([arrays.sums.download().sum()])
    return arrays.all[-2].download_at(*pattern.sample_starts(n, ITEMSIZE[dtype]))


def raw(device: Any, op: str, dtype: str, params: Mapping[str, Any], queue: Any) -> cuda.CudaLaunch:
    """A launch of ``stream.cu``; ``shared_bytes`` of unused shared memory limit how many blocks an SM holds."""
    vectors, blocks = _blocks(dtype, params)
    hints = {key.upper(): params[key] for key in ("load", "store") if params.get(key)}
    shape = {"BLOCK": params["block"], "VECS": params["vecs"]}
    cubin = cuda.build(device, "stream", {f"KIND_{dtype.upper()}": 1, f"OP_{op}": 1, **shape, **hints})
    shared = params.get("shared_bytes", 0)
    kernel = cuda.function(cubin.path, "stream", shared)
    arrays = Arrays(op, dtype, params["n"], blocks, queue)
    kind = FLOATS[dtype]
    arguments = (
        *(np.uint64(a) for a in arrays.addresses), arrays.sums.pointer, np.uint32(vectors),
        kind(pattern.SCALE), kind(pattern.WRITTEN),
    )  # fmt: skip

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            kernel((blocks,), (params["block"],), arguments, shared_mem=shared, stream=queue)

    return cuda.CudaLaunch(
        queue,
        enqueue,
        arrays.all,
        lambda: _result(op, dtype, params["n"], arrays),
        lambda work: sass.wide_access(cubin, SOURCES[op] * params["vecs"], 0 if op == "read" else params["vecs"]),
    )


def numba(device: Any, op: str, dtype: str, params: Mapping[str, Any], queue: Any) -> cuda.CudaLaunch:
    """The same stream from Numba CUDA."""
    from kernels import numba_cuda

    vectors, blocks = _blocks(dtype, params)
    kernel = numba_cuda.streams(op, dtype, params["block"])
    arrays = Arrays(op, dtype, params["n"], blocks, queue)
    kind = FLOATS[dtype]
    arguments = (*arrays.addresses, arrays.sums.address, vectors, kind(pattern.SCALE), kind(pattern.WRITTEN))
    ready = kernel[blocks, params["block"], numba_cuda.stream(queue)]

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            ready(*arguments)

    def audit(work: Work) -> Audit:
        return Audit(note="")

    return cuda.CudaLaunch(queue, enqueue, arrays.all, lambda: _result(op, dtype, params["n"], arrays), audit)
