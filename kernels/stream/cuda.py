"""Streams through GPU memory: the launches of ``stream.cu`` and of its twins in Numba."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Audit, KernelError
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.pattern import FLOATS
from kernels.stream.work import NUMBA_BLOCK, numba_vecs

SOURCE = Path(__file__).with_name("stream.cu")
VECTOR = 16  # bytes
SOURCES = {"copy": 1, "scale": 1, "add": 2, "triad": 2, "read": 1, "write": 0}
HINTS = ("load", "store", "load_policy", "store_policy")


# Launch shapes of the raw kernels. Which one saturates memory differs between GPUs, so several are
# timed and the best one is the ceiling; small blocks keep more of them in flight, large ones keep
# the arrays' pages open longer. Policies (since: compute capability) let the L2 give up written
# lines first: fewer turns between reading and writing DRAM.
POLICY = {
    "load_policy": "evict_last",
    "store_policy": "evict_first",
    "load": ".nc.L1::no_allocate",
    "since": 8.0,
}
SHAPES: dict[str, list[dict[str, Any]]] = {
    "read": [
        {"block": 512, "vecs": 8, "load": ".nc.L1::no_allocate", "since": 7.0},
        {"block": 256, "vecs": 4},
    ],
    "write": [
        {"block": 256, "vecs": 1, "store": ".cs"},
        {"block": 1024, "vecs": 1, "store": ".cs"},
    ],
    "two arrays": [{"block": 256, "vecs": 1, "store": ".cs"}, {"block": 256, "vecs": 1, **POLICY}],
    "three arrays": [
        {"block": 1024, "vecs": 1, "store": ".cs"},
        {"block": 1024, "vecs": 1, **POLICY},
        {"block": 1024, "vecs": 2, **POLICY, "alone": True},
    ],
}
NOT_PARAMS = ("since", "alone")


def variants(op: str, device: Device) -> list[tuple[str, dict[str, Any]]]:
    """Backends and launch shapes worth timing for ``op`` on this device."""
    shapes = SHAPES.get(op) or SHAPES["two arrays" if SOURCES[op] == 1 else "three arrays"]
    alone = _of_one_block(device)
    known = [
        s
        for s in shapes
        if float(device.arch) >= s.get("since", 0) and (alone or not s.get("alone"))
    ]
    raw = [
        (
            "raw",
            {k: v for k, v in s.items() if k not in NOT_PARAMS} | (alone if s.get("alone") else {}),
        )
        for s in known
    ]
    return [*raw, ("numba", {"block": NUMBA_BLOCK, "vecs": numba_vecs(op)})]


def _of_one_block(device: Device) -> dict[str, int]:
    """Unused shared memory that leaves an SM no room for a second block, as params; none where no
    block may have it.
    """
    whole, most = (
        device.facts.get(name) or 0
        for name in ("shared_bytes_per_multiprocessor", "shared_bytes_optin")
    )
    return {"shared_bytes": whole // 2 + 1} if 0 < whole // 2 < most else {}


class Arrays:
    """Source arrays with the pattern, a poisoned target, and room for a read's sums."""

    def __init__(self, op: str, dtype: str, n: int, blocks: int, queue: Stream) -> None:
        with collected() as self.all:
            for which in range(SOURCES[op]):
                self._new(n, FLOATS[dtype], queue).fill(which, dtype)
            if op != "read":
                self._new(n, FLOATS[dtype], queue).poison()
            self.sums = self._new(blocks if op == "read" else 1, np.float64, queue)
            self.sums.poison()

    def _new(self, count: int, kind: Any, queue: Stream) -> Buffer:
        self.all.append(Buffer(count, kind, queue))
        return self.all[-1]

    @property
    def addresses(self) -> list[int]:
        """x, y, z: the sources, then the target; an absent one is the first again."""
        *sources, target = [b.address for b in self.all if b is not self.sums]
        sources = sources or [target]
        return [sources[0], sources[-1], target]


def blocks_of(dtype: str, params: Mapping[str, Any]) -> tuple[int, int]:
    """Vectors in an array and the blocks that cover them. Raises KernelError for an array of part
    vectors.
    """
    width = VECTOR // ITEMSIZE[dtype]
    if params["n"] % width or params["n"] // width >= 1 << 31:
        raise KernelError(
            f"a stream of {params['n']} elements: take a multiple of {width} below {width << 31}"
        )
    vectors = params["n"] // width
    return vectors, -(-vectors // (params["block"] * params["vecs"]))


def result(op: str, dtype: str, n: int, arrays: Arrays) -> np.ndarray:
    """A read's sum, or those elements of the target that a check looks at."""
    if op == "read":
        return np.array([arrays.sums.download().sum()])
    return arrays.all[-2].download_at(*pattern.sample_starts(n, ITEMSIZE[dtype]))


def defines(op: str, dtype: str, params: Mapping[str, Any]) -> dict[str, object]:
    """Macros of ``stream.cu`` for these params; ``load`` and ``store`` are PTX cache hints."""
    hints = {key.upper(): params[key] for key in HINTS if params.get(key)}
    return {
        f"KIND_{dtype.upper()}": 1,
        f"OP_{op}": 1,
        "BLOCK": params["block"],
        "VECS": params["vecs"],
    } | hints


def audit(cubin: Cubin, op: str, params: Mapping[str, Any]) -> Audit:
    """Whether every thread moves the whole vectors it should."""
    return sass.wide_access(
        cubin, SOURCES[op] * params["vecs"], 0 if op == "read" else params["vecs"]
    )


def prepare(op: str, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(cuda.build(device, SOURCE, defines(op, dtype, params)), op, params)


def raw(
    op: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """A launch of ``stream.cu``; ``shared_bytes`` of unused shared memory limit how many blocks an
    SM holds.
    """
    vectors, blocks = blocks_of(dtype, params)
    cubin = cuda.build(device, SOURCE, defines(op, dtype, params))
    shared = params.get("shared_bytes", 0)
    kernel = cuda.function(cubin.path, "stream", shared)
    arrays = Arrays(op, dtype, params["n"], blocks, queue)
    kind = FLOATS[dtype]
    arguments = (
        *(np.uint64(a) for a in arrays.addresses),
        arrays.sums.pointer,
        np.uint32(vectors),
        kind(pattern.SCALE),
        kind(pattern.WRITTEN),
    )

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            kernel((blocks,), (params["block"],), arguments, shared_mem=shared, stream=queue)

    return cuda.CudaLaunch(
        queue,
        enqueue,
        arrays.all,
        lambda: result(op, dtype, params["n"], arrays),
        lambda work: audit(cubin, op, params),
    )
