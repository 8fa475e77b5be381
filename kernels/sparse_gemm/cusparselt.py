"""2:4 sparse matrix products through cuSPARSELt, called directly.

Constants are those of cusparseLt.h, cusparse.h and library_types.h, by name.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import kernels.sparse_gemm.work as sparse_work
from kernels.base import Audit, KernelError, Work
from kernels.cuda.kernel import sm
from kernels.cuda.launch import CudaLaunch
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import libraries
from kernels.device import Device
from kernels.formats import packed, unpacked
from kernels.gemm.work import itemsize, tile

R_16F, R_8I, R_32I, R_16BF = 2, 3, 10, 14
COMPUTE_32I, COMPUTE_32F = 0, 2
ORDER_ROW, HALF_OF_THEM_ZERO = 2, 0
NON_TRANSPOSE, TRANSPOSE = 0, 1
OPAQUE_BYTES = 16 << 10
"""Room for an opaque structure: 11024 bytes up to version 0.7, 512 from 0.8 on."""
ALIGNMENT = 16
"""Of those structures, and of operands, in bytes."""
OLDEST = 500
"""0.5.0, the first version whose types of arithmetic are numbered so."""
SINCE = 8.0
"""First compute capability with units for 2:4 (PTX ISA, "mma.sp")."""
INSTALL = "cuSPARSELt is not installed: pip install nvidia-cusparselt-cu13, or PyTorch brings it"
NOT_AUDITED = "the library's own kernel: numbers checked, machine code not audited"


@dataclass(frozen=True)
class Type:
    """How the library names a type."""

    operands: int
    """Of both operands' elements."""
    product: int
    """Of the product's elements."""
    compute: int
    """Of the arithmetic."""


TYPES = {
    "fp16": Type(R_16F, R_16F, COMPUTE_32F),
    "bf16": Type(R_16BF, R_16BF, COMPUTE_32F),
    "int8": Type(R_8I, R_32I, COMPUTE_32I),
}


def missing(device: Device, dtype: str) -> str:
    """Why no product of this type can run here, or nothing."""
    if device.kind != "cuda" or float(device.arch) < SINCE:
        name = f"sm_{sm(device)}" if device.kind == "cuda" else "a CPU"
        return f"{name} has no unit for 2:4 (since sm_{SINCE * 10:.0f})"
    if dtype not in TYPES:
        return f"cuSPARSELt is not asked for {dtype} here: {', '.join(TYPES)}"
    return "" if library() else INSTALL


@cache
def library() -> ctypes.CDLL | None:
    """The newest cuSPARSELt that loads and is known; None if there is none."""
    loaded = [lib for lib in map(_loaded, _files()) if lib is not None]
    return max(loaded, key=_version, default=None)


def _files() -> Iterator[Path]:
    """Files of the library: packages of their own, the system's, and those inside of PyTorch."""
    yield from libraries("libcusparseLt")
    for place in filter(None, sys.path):
        yield from Path(place).glob("torch/lib/libcusparseLt*.so*")


def _loaded(path: Path) -> ctypes.CDLL | None:
    try:
        lib = ctypes.CDLL(str(path))
        return lib if _version(lib) >= OLDEST else None
    except (OSError, AttributeError):
        return None


def _version(lib: ctypes.CDLL) -> int:
    """1000 for 0.10.0: a hundred each minor version."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    lib.cusparseLtGetProperty(0, ctypes.byref(major))
    lib.cusparseLtGetProperty(1, ctypes.byref(minor))
    return 1_000_000 * major.value + 100 * minor.value


class Opaque:
    """Memory of one of the library's own structures, aligned as it wants."""

    def __init__(self) -> None:
        self._memory = ctypes.create_string_buffer(OPAQUE_BYTES + ALIGNMENT)
        address = ctypes.addressof(self._memory)
        self.pointer = ctypes.c_void_p(address + -address % ALIGNMENT)


class Plan:
    """A product as the library knows it."""

    def __init__(self, dtype: str, m: int, n: int, k: int) -> None:
        self.lib = library()
        self._made: list[tuple[str, Opaque]] = []
        try:
            self._describe(TYPES[dtype], m, n, k)
        except BaseException:
            self.free()
            raise

    def _describe(self, kind: Type, m: int, n: int, k: int) -> None:
        self.handle = self._create("cusparseLtInit", "cusparseLtDestroy")
        first = self._matrix("Structured", kind.operands, m, k, HALF_OF_THEM_ZERO)
        second = self._matrix("Dense", kind.operands, n, k)
        product = self._matrix("Dense", kind.product, m, n)
        self.description, self.algorithm = Opaque(), Opaque()
        self.call(
            "cusparseLtMatmulDescriptorInit",
            self.description.pointer,
            NON_TRANSPOSE,
            TRANSPOSE,
            first.pointer,
            second.pointer,
            product.pointer,
            product.pointer,
            kind.compute,
        )
        self.call(
            "cusparseLtMatmulAlgSelectionInit",
            self.algorithm.pointer,
            self.description.pointer,
            0,
        )
        self.plan = Opaque()
        self.call(
            "cusparseLtMatmulPlanInit",
            self.plan.pointer,
            self.description.pointer,
            self.algorithm.pointer,
        )
        self._made.append(("cusparseLtMatmulPlanDestroy", self.plan))

    def call(self, name: str, *arguments: Any) -> None:
        """Call the library with its handle first. Raises KernelError with the status."""
        status = getattr(self.lib, name)(self.handle.pointer, *arguments)
        if status:
            raise KernelError(f"{name} answers {status}: this cuSPARSELt cannot do it here")

    def _create(self, create: str, destroy: str) -> Opaque:
        made = Opaque()
        if status := getattr(self.lib, create)(made.pointer):
            raise KernelError(f"{create} answers {status}: this cuSPARSELt cannot start here")
        self._made.append((destroy, made))
        return made

    def _matrix(self, form: str, element: int, rows: int, columns: int, *more: int) -> Opaque:
        """A matrix whose rows lie one after the other."""
        matrix = Opaque()
        self.call(
            f"cusparseLt{form}DescriptorInit",
            matrix.pointer,
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(columns),
            ctypes.c_uint32(ALIGNMENT),
            element,
            ORDER_ROW,
            *more,
        )
        self._made.append(("cusparseLtMatDescriptorDestroy", matrix))
        return matrix

    def compressed_bytes(self) -> tuple[int, int]:
        """Bytes of the compressed first operand, and of what compressing needs meanwhile."""
        size, meanwhile = ctypes.c_size_t(), ctypes.c_size_t()
        self.call(
            "cusparseLtSpMMACompressedSize",
            self.plan.pointer,
            ctypes.byref(size),
            ctypes.byref(meanwhile),
        )
        return size.value, meanwhile.value

    def workspace_bytes(self) -> int:
        """Bytes that the algorithm in use needs beside its operands."""
        size = ctypes.c_size_t()
        self.call("cusparseLtMatmulGetWorkspace", self.plan.pointer, ctypes.byref(size))
        return size.value

    def free(self) -> None:
        """Destroy what was created, the handle last."""
        while self._made:
            name, made = self._made.pop()
            getattr(self.lib, name)(made.pointer)


class SparseProduct(CudaLaunch):
    """The product of m rows and n columns, row by row, by the fastest of the library's kernels."""

    def allocate(self) -> None:
        """A plan, the compressed and the dense operand, a poisoned product, and a workspace."""
        m, n, k = (self.params[name] for name in "mnk")
        self.plan = self.keep(Plan(self.dtype, m, n, k))
        self.second = self.new(n * k * itemsize(self.dtype), np.uint8)
        self.second.repeat(_codes(self.dtype, tile(self.dtype, 1, "random")))
        self.product = self.new(m * n * sparse_work.product_itemsize(self.dtype), np.uint8)
        self.first = self._compressed(sparse_work.sparse_operand(self.dtype, m, k))
        self.one, self.zero = ctypes.c_float(1), ctypes.c_float(0)
        self.stream = ctypes.c_void_p(self.queue.ptr)
        # the search tries all kernels and keeps the fastest; its own workspace it makes itself
        self.plan.call("cusparseLtMatmulSearch", *self._arguments(ctypes.c_void_p()))
        self.workspace = self.new(self.plan.workspace_bytes(), np.uint8)
        self.product.poison()
        self.arguments = self._arguments(ctypes.c_void_p(self.workspace.address))

    def _compressed(self, values: np.ndarray) -> Buffer:
        """The first operand without its zeros. Raises KernelError if they stand elsewhere."""
        dense = self.new(values.size * itemsize(self.dtype), np.uint8)
        dense.upload(_codes(self.dtype, values.ravel()))
        stream = ctypes.c_void_p(self.queue.ptr)
        invalid = self.new(1, np.int32)
        invalid.clear()
        self.plan.call(
            "cusparseLtSpMMAPruneCheck",
            self.plan.description.pointer,
            ctypes.c_void_p(dense.address),
            ctypes.c_void_p(invalid.address),
            stream,
        )
        self.queue.synchronize()
        if invalid.download()[0]:
            raise KernelError("cuSPARSELt says that the operand is not 2:4 sparse")
        size, meanwhile = self.plan.compressed_bytes()
        compressed = self.new(size, np.uint8)
        scratch = self.new(meanwhile, np.uint8)
        self.plan.call(
            "cusparseLtSpMMACompress",
            self.plan.plan.pointer,
            ctypes.c_void_p(dense.address),
            ctypes.c_void_p(compressed.address),
            ctypes.c_void_p(scratch.address),
            stream,
        )
        self.queue.synchronize()
        return compressed

    def _arguments(self, workspace: ctypes.c_void_p) -> tuple[Any, ...]:
        """Arguments of cusparseLtMatmul and of the search, behind the handle."""
        product = ctypes.c_void_p(self.product.address)
        return (
            self.plan.plan.pointer,
            ctypes.byref(self.one),
            ctypes.c_void_p(self.first.address),
            ctypes.c_void_p(self.second.address),
            ctypes.byref(self.zero),
            product,
            product,
            workspace,
            ctypes.byref(self.stream),
            ctypes.c_int32(1),
        )

    def run(self, repeat: int) -> None:
        """One product after the other."""
        for _ in range(repeat):
            self.plan.call("cusparseLtMatmul", *self.arguments)

    def fetch(self) -> np.ndarray:
        """The entries of the product at the rows and columns looked at."""
        m, n = self.params["m"], self.params["n"]
        row_bytes = n * sparse_work.product_itemsize(self.dtype)
        rows = sparse_work.looked_at(m)
        data = self.product.download_at(rows * row_bytes, row_bytes)
        by_row = unpacked(sparse_work.OUTPUT[self.dtype], data.reshape(len(rows), -1))
        return by_row[:, sparse_work.looked_at(n)]

    def audit(self, work: Work) -> Audit:
        """The library's machine code is not ours to hold against anything."""
        lib = self.plan.lib
        name = f"cuSPARSELt {_version(lib) // 1_000_000}.{_version(lib) // 100 % 10_000}"  # type: ignore[arg-type]
        return Audit(instruction="cuSPARSELt", note=f"{name}; {NOT_AUDITED}")


def _codes(dtype: str, values: np.ndarray) -> np.ndarray:
    """Values as bytes of memory."""
    return packed(sparse_work.format_of(dtype), values, np.uint8)
