"""Matrix products through cuBLASLt, called directly: one interface for every type from FP64 to FP8.

Constants are those of cublasLt.h, cublas_api.h and library_types.h, by name.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import kernels.gemm.work as gemm_work
from kernels.base import Audit, KernelError, Work
from kernels.cuda.kernel import sm
from kernels.cuda.launch import CudaLaunch
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import libraries
from kernels.device import Device
from kernels.formats import packed, unpacked

R_32F, R_64F, R_16F, R_8I, R_32I, R_16BF, R_8F_E4M3 = 0, 1, 2, 3, 10, 14, 28
COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F, COMPUTE_32I = 68, 77, 70, 72
DESC_TRANSA, DESC_FAST_ACCUM, OP_T = 3, 25, 1
PREF_MAX_WORKSPACE_BYTES = 1
WORKSPACE_BYTES = 64 << 20
HEURISTIC_BYTES, ALGORITHM_BYTES = 96, 64
LIBRARY_AUDIT = Audit(
    instruction="cuBLASLt",
    note="the library's own kernel: numbers checked, machine code not audited",
)


@dataclass(frozen=True)
class Type:
    """How the library names a type, by constants of its headers."""

    operands: int
    """Of both operands' elements."""
    product: int
    """Of the product's elements."""
    compute: int
    """Of the arithmetic."""
    scale: int
    """Of the factors by which the product and what it is added to are scaled."""
    factor: Any
    """The same as a C type."""
    since: float = 5.0
    """First compute capability that has it."""


TYPES = {
    "fp64": Type(R_64F, R_64F, COMPUTE_64F, R_64F, ctypes.c_double),
    "fp32": Type(R_32F, R_32F, COMPUTE_32F, R_32F, ctypes.c_float),
    "tf32": Type(R_32F, R_32F, COMPUTE_32F_FAST_TF32, R_32F, ctypes.c_float, 8.0),
    "fp16": Type(R_16F, R_16F, COMPUTE_32F, R_32F, ctypes.c_float, 5.3),
    "bf16": Type(R_16BF, R_16BF, COMPUTE_32F, R_32F, ctypes.c_float, 8.0),
    "fp8": Type(R_8F_E4M3, R_16BF, COMPUTE_32F, R_32F, ctypes.c_float, 8.9),
    "int8": Type(R_8I, R_32I, COMPUTE_32I, R_32I, ctypes.c_int32, 7.2),
}


def missing(device: Device, dtype: str) -> str:
    """Why this case cannot run here, or nothing."""
    if library() is None:
        return "cuBLAS is not installed: pip install -e '.[gemm]'"
    since = TYPES[dtype].since
    if float(device.arch) >= since:
        return ""
    return f"sm_{sm(device)} has no {dtype} matrix product (since {since})"


@cache
def library() -> ctypes.CDLL | None:
    """The newest cuBLASLt that loads; None if there is none. Its first call initialises it."""
    major = lambda path: int(path.name.rpartition(".")[2])  # noqa: E731
    for path in sorted(libraries("libcublasLt"), key=major, reverse=True):
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            continue
    return None


class Plan:
    """Descriptors and the algorithm the library's own heuristic puts first."""

    def __init__(self, dtype: str, n: int) -> None:
        row = TYPES[dtype]
        self.lib = library()
        self.handle = self._create("cublasLtCreate")
        self.description = self._create("cublasLtMatmulDescCreate", row.compute, row.scale)
        self._set(
            "cublasLtMatmulDescSetAttribute", self.description, DESC_TRANSA, ctypes.c_int32(OP_T)
        )
        if dtype == "fp8":
            self._set(
                "cublasLtMatmulDescSetAttribute",
                self.description,
                DESC_FAST_ACCUM,
                ctypes.c_int8(1),
            )
        size = ctypes.c_uint64(n), ctypes.c_uint64(n), ctypes.c_int64(n)
        self.operand = self._create("cublasLtMatrixLayoutCreate", row.operands, *size)
        self.product = self._create("cublasLtMatrixLayoutCreate", row.product, *size)
        self.one, self.zero = row.factor(1), row.factor(0)
        self.algorithm = self._best(dtype, n)

    def call(self, name: str, *arguments: Any) -> None:
        """Call the library. Raises KernelError with the status."""
        if status := getattr(self.lib, name)(*arguments):
            raise KernelError(f"{name} answers {status}: this cuBLAS cannot do this product here")

    def _create(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self.call(name, ctypes.byref(handle), *arguments)
        return handle

    def _set(self, name: str, target: ctypes.c_void_p, attribute: int, value: Any) -> None:
        self.call(
            name, target, attribute, ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value))
        )

    def _best(self, dtype: str, n: int) -> Any:
        preference = self._create("cublasLtMatmulPreferenceCreate")
        limit = ctypes.c_uint64(WORKSPACE_BYTES)
        self._set(
            "cublasLtMatmulPreferenceSetAttribute", preference, PREF_MAX_WORKSPACE_BYTES, limit
        )
        results, count = ctypes.create_string_buffer(HEURISTIC_BYTES), ctypes.c_int()
        layouts = self.operand, self.operand, self.product, self.product
        self.call(
            "cublasLtMatmulAlgoGetHeuristic",
            self.handle,
            self.description,
            *layouts,
            preference,
            1,
            results,
            ctypes.byref(count),
        )
        if not count.value:
            raise KernelError(f"cuBLASLt has no algorithm for a {dtype} product of size {n} here")
        return ctypes.create_string_buffer(results.raw[:ALGORITHM_BYTES], ALGORITHM_BYTES)

    def free(self) -> None:
        """Destroy the handle; descriptors are plain memory."""
        self.lib.cublasLtDestroy(self.handle)  # type: ignore[union-attr]


class CublasLtProduct(CudaLaunch):
    """A times B transposed, each of n rows of n elements, by the library's own kernel."""

    def allocate(self) -> None:
        """A plan, both operands, a poisoned product, and the library's workspace."""
        n = self.params["n"]
        self.plan = self.keep(Plan(self.dtype, n))
        self.a, self.b = self.new_operand(0), self.new_operand(1)
        self.product = self.new(n * n * self.params["product_bytes"], np.uint8)
        self.workspace = self.new(WORKSPACE_BYTES, np.uint8)
        self.product.poison()
        self.arguments = self.matmul_arguments()

    def new_operand(self, number: int) -> Buffer:
        """Operand number 0 or 1, filled."""
        n = self.params["n"]
        buffer = self.new(n * n * gemm_work.itemsize(self.dtype), np.uint8)
        buffer.repeat(_codes(self.dtype, number, self.params["operands"]))
        return buffer

    def matmul_arguments(self) -> Sequence[Any]:
        """Arguments of cublasLtMatmul.

        Column-major: the product comes out with the rows of B along memory, hence B comes first.
        """
        plan = self.plan
        a, b, product, workspace = (
            ctypes.c_void_p(buffer.address)
            for buffer in (self.a, self.b, self.product, self.workspace)
        )
        return (
            plan.handle,
            plan.description,
            ctypes.byref(plan.one),
            b,
            plan.operand,
            a,
            plan.operand,
            ctypes.byref(plan.zero),
            product,
            plan.product,
            product,
            plan.product,
            plan.algorithm,
            workspace,
            ctypes.c_size_t(WORKSPACE_BYTES),
            ctypes.c_void_p(self.queue.ptr),
        )

    def run(self, repeat: int) -> None:
        """One product after the other."""
        for _ in range(repeat):
            self.plan.call("cublasLtMatmul", *self.arguments)

    def fetch(self) -> np.ndarray:
        """The entries of the product at the rows and columns looked at."""
        n = self.params["n"]
        rows_and_columns = gemm_work.looked_at(n)
        row_bytes = self.product.count // n
        data = self.product.download_at(rows_and_columns * row_bytes, row_bytes)
        rows = unpacked(gemm_work.OUTPUT[self.dtype], data.reshape(len(rows_and_columns), -1))
        return rows[:, rows_and_columns]

    def audit(self, work: Work) -> Audit:
        """The library's machine code is not ours to hold against anything."""
        return LIBRARY_AUDIT


@cache
def _codes(dtype: str, number: int, operands: str) -> np.ndarray:
    """The repeating part of an operand as bytes of memory: every round asks for it again."""
    return packed(gemm_work.element(dtype), gemm_work.tile(dtype, number, operands), np.uint8)
