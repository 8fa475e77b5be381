"""Streams through GPU memory: the kernel ``stream.cu``, and the launch shapes worth timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kernels.stream.work as stream_work
from kernels import pattern
from kernels.base import ITEMSIZE, Audit, KernelError, Work
from kernels.cuda import sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.launch import CudaLaunch
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.pattern import FLOATS
from kernels.stream.work import NUMBA_BLOCK, numba_vecs

VECTOR = 16
"""Bytes that a thread loads or stores at once, unless a shape says otherwise."""
ON_DEVICE = 3
"""cudaMemcpyDeviceToDevice."""
VECTORS_LIMIT = 1 << 31
"""An array holds fewer vectors."""
SOURCES = {"copy": 1, "scale": 1, "add": 2, "triad": 2, "read": 1, "write": 0}
"""Arrays that each operation loads."""
HINTS = ("load", "store", "load_policy", "store_policy")
"""Params that are PTX cache hints, and macros of ``stream.cu`` by the same names."""


@dataclass(frozen=True)
class Shape:
    """A launch shape of the raw kernel, as params."""

    params: dict[str, Any]
    since: float = 0.0
    """First compute capability that has its cache hints."""
    resident: int = 0
    """Blocks that a multiprocessor is to hold at a time; 0: as many as it can."""


# Which shape saturates memory differs between GPUs, so several are timed and the best one is the
# ceiling. Policies let the L2 give up written lines first: fewer turns between reading and writing
# DRAM.
#
# What a multiprocessor has in flight decides most. On an H100 with three arrays 32 KiB are best,
# 3.13 TB/s, whether threads load 8 bytes (2048 of them) or 16 (1024). 24 KiB do not cover the
# latency: 4 to 6 % less; 64 KiB are 1 % less. Bulk copies through shared memory, best with as much,
# reach 3.11, blocks that stay for many tiles 2.97. The distance between the arrays changes 0.1 %.
POLICY = {
    "load_policy": "evict_last",
    "store_policy": "evict_first",
    "load": ".nc.L1::no_allocate",
}
POLICY_SINCE = 8.0
SHAPES = {
    "read": [
        Shape({"block": 512, "vecs": 8, "load": ".nc.L1::no_allocate"}, since=7.0),
        Shape({"block": 256, "vecs": 4}),
    ],
    "write": [
        Shape({"block": 256, "vecs": 1, "store": ".cs"}),
        Shape({"block": 1024, "vecs": 1, "store": ".cs"}),
    ],
    "two arrays": [
        Shape({"block": 256, "vecs": 1, "store": ".cs"}),
        Shape({"block": 512, "vecs": 2, **POLICY}, POLICY_SINCE, resident=2),
    ],
    "three arrays": [
        Shape({"block": 1024, "vecs": 1, "store": ".cs"}),
        Shape({"block": 512, "vecs": 1, "width": 8, **POLICY}, POLICY_SINCE),
        Shape({"block": 1024, "vecs": 2, **POLICY}, POLICY_SINCE, resident=1),
    ],
}


def variants(op: str, device: Device) -> list[tuple[str, dict[str, Any]]]:
    """Backends and launch shapes worth timing for ``op`` on this device, as (backend, params)."""
    by_arrays = "two arrays" if SOURCES[op] == 1 else "three arrays"
    shapes = SHAPES.get(op, SHAPES[by_arrays])
    asked = []
    for shape in shapes:
        if float(device.arch) < shape.since:
            continue
        if not shape.resident:
            asked.append(("raw", dict(shape.params)))
        elif unused := _unused_shared(device, shape.resident):
            asked.append(("raw", {**shape.params, "shared_bytes": unused}))
    asked.append(("numba", {"block": NUMBA_BLOCK, "vecs": numba_vecs(op)}))
    return asked


def _unused_shared(device: Device, resident: int) -> int:
    """Bytes of shared memory of which a multiprocessor holds ``resident`` blocks and no more.

    0 where no block may have so many, or the device does not say.
    """
    of_multiprocessor = device.facts.get("shared_bytes_per_multiprocessor") or 0
    of_block = device.facts.get("shared_bytes_optin") or 0
    one_too_many = of_multiprocessor // (resident + 1)
    return one_too_many + 1 if 0 < one_too_many < of_block else 0


class StreamKernel(CudaKernel):
    """One pass of ``op`` over whole arrays of memory. One launch is one repetition.

    ``width`` of the params is the bytes that a thread moves at once, VECTOR by default;
    ``shared_bytes`` of the params is shared memory that no one uses: it limits how many blocks a
    multiprocessor holds.
    """

    source = Path(__file__).with_name("stream.cu")
    entry = "stream"

    def __init__(self, op: str, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.op = op
        self.shared_bytes = params.get("shared_bytes", 0)
        self.width = int(params.get("width", VECTOR))

    @property
    def elements(self) -> int:
        """Elements of each array."""
        return int(self.params["n"])

    @property
    def vectors(self) -> int:
        """Vectors of each array."""
        return self.elements * ITEMSIZE[self.dtype] // self.width

    @property
    def blocks(self) -> int:
        """Blocks that cover the arrays."""
        return -(-self.vectors // (self.params["block"] * self.params["vecs"]))

    def validate(self) -> None:
        """Raise KernelError for an array that ends within a vector, or is too long."""
        lanes = self.width // ITEMSIZE[self.dtype]
        if self.elements % lanes or self.vectors >= VECTORS_LIMIT:
            raise KernelError(
                f"a stream of {self.elements} elements: take a multiple of {lanes} below "
                f"{lanes * VECTORS_LIMIT}"
            )

    def defines(self) -> dict[str, object]:
        """The operation, the shape of the launch and, if there are any, hints to the caches."""
        macros: dict[str, object] = {
            f"KIND_{self.dtype.upper()}": 1,
            f"OP_{self.op}": 1,
            "BLOCK": self.params["block"],
            "VECS": self.params["vecs"],
            "VECTOR": self.width,
        }
        for hint in HINTS:
            if self.params.get(hint):
                macros[hint.upper()] = self.params[hint]
        return macros

    def work(self) -> Work:
        """That of one pass."""
        return stream_work.work(self.op, self.dtype, self.elements)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """Every thread must move the whole vectors it should."""
        loads = SOURCES[self.op] * self.params["vecs"]
        stores = 0 if self.op == "read" else self.params["vecs"]
        return sass.wide_access(cubin, loads, stores, 8 * self.width)

    def allocate(self) -> None:
        """Source arrays with the pattern, a poisoned target, and room for a read's sums."""
        self.arrays = self.allocate_arrays()
        self.sums = self.new(self.blocks if self.op == "read" else 1, np.float64)
        self.sums.poison()
        number = FLOATS[self.dtype]
        self.arguments: Sequence[Any] = (
            *(np.uint64(address) for address in self.addresses()),
            self.sums.pointer,
            np.uint32(self.vectors),
            number(pattern.SCALE),
            number(pattern.WRITTEN),
        )

    def allocate_arrays(self) -> list[Any]:
        """The sources, then the target, if the operation has one."""
        arrays = []
        for which in range(SOURCES[self.op]):
            source = self.new(self.elements, FLOATS[self.dtype])
            source.fill(which, self.dtype)
            arrays.append(source)
        if self.op != "read":
            target = self.new(self.elements, FLOATS[self.dtype])
            target.poison()
            arrays.append(target)
        return arrays

    def addresses(self) -> list[int]:
        """Addresses of the kernel's x, y and z; in the place of an absent array stands another."""
        x = self.arrays[0]
        y = self.arrays[1] if SOURCES[self.op] == 2 else x
        z = self.arrays[-1]
        return [x.address, y.address, z.address]

    def run(self, repeat: int) -> None:
        """A launch for each repetition."""
        blocks = self.blocks
        for _ in range(repeat):
            self.launch(blocks, self.params["block"], *self.arguments)

    def fetch(self) -> np.ndarray:
        """A read's sum; of the others, those elements of the target that a check looks at."""
        if self.op == "read":
            return np.array([self.sums.download().sum()])
        target = self.arrays[-1]
        return target.download_at(*pattern.sample_starts(self.elements, ITEMSIZE[self.dtype]))


class DriverCopy(CudaLaunch):
    """The copy by the driver, which chooses who does it. One call is one repetition.

    On an H100 these are the multiprocessors, no copy engine: while a kernel held them all, the copy
    waited.
    """

    @property
    def elements(self) -> int:
        """Elements of each array."""
        return int(self.params["n"])

    def allocate(self) -> None:
        """A source with the pattern, and a poisoned target."""
        number = FLOATS[self.dtype]
        self.origin = self.new(self.elements, number)
        self.target = self.new(self.elements, number)
        self.origin.fill(0, self.dtype)
        self.target.poison()

    def run(self, repeat: int) -> None:
        """One copy after the other."""
        from cupy.cuda import runtime

        origin, target = self.origin, self.target
        for _ in range(repeat):
            runtime.memcpyAsync(
                target.address, origin.address, origin.nbytes, ON_DEVICE, self.queue.ptr
            )

    def fetch(self) -> np.ndarray:
        """The elements of the target that a check looks at."""
        return self.target.download_at(*pattern.sample_starts(self.elements, ITEMSIZE[self.dtype]))

    def audit(self, work: Work) -> Audit:
        """The driver's call: there is no machine code of ours."""
        return Audit(instruction="cudaMemcpyAsync")
