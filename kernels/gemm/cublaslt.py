"""Matrix products through cuBLASLt, called directly: one interface for every type from FP64 to FP8.

Constants are those of cublasLt.h, cublas_api.h and library_types.h, by name.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

import kernels.gemm.work as gemm_work
from kernels.base import Audit, KernelError, Unavailable, Work
from kernels.cuda.kernel import sm
from kernels.cuda.launch import CudaLaunch
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import libraries
from kernels.device import Device
from kernels.formats import packed, unpacked
from kernels.gemm.algorithm import HEURISTIC_BYTES, Algorithm, algorithms, config

R_32F, R_64F, R_16F, R_8I, R_32I, R_16BF, R_8F_E4M3 = 0, 1, 2, 3, 10, 14, 28
COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F, COMPUTE_32I = 68, 77, 70, 72
DESC_TRANSA, DESC_TRANSB, DESC_FAST_ACCUM = 3, 4, 25
OPERATIONS = {"N": ctypes.c_int32(0), "T": ctypes.c_int32(1)}
PREF_MAX_WORKSPACE_BYTES = 1
MOST_ALGORITHMS = 16
"""Asked of the heuristic."""
CANDIDATE = "candidate"
"""The param that says which of the heuristic's algorithms is meant, by its place in the answer."""
NOT_AUDITED = "the library's own kernel: numbers checked, machine code not audited"


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


def version(lib: Any) -> str:
    """Of a library: ``13.10.0``."""
    number = lib.cublasLtGetVersion()
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


class Plan:
    """A product as the library knows it, and the algorithms that its heuristic names."""

    def __init__(self, dtype: str, m: int, n: int, k: int, layout: str) -> None:
        self.lib = library()
        self._made: list[tuple[str, ctypes.c_void_p]] = []
        try:
            self._describe(dtype, m, n, k, layout)
        except BaseException:
            self.free()
            raise

    def _describe(self, dtype: str, m: int, n: int, k: int, layout: str) -> None:
        row = TYPES[dtype]
        self.handle = self._create("cublasLt")
        self.description = self._create("cublasLtMatmulDesc", row.compute, row.scale)
        for attribute, letter in zip((DESC_TRANSA, DESC_TRANSB), layout, strict=True):
            self._set("cublasLtMatmulDesc", self.description, attribute, OPERATIONS[letter])
        if dtype == "fp8":
            self._set("cublasLtMatmulDesc", self.description, DESC_FAST_ACCUM, ctypes.c_int8(1))
        first_along_k, second_along_k = gemm_work.runs_along_k(layout)
        first_shape = (k, m) if first_along_k else (m, k)
        second_shape = (k, n) if second_along_k else (n, k)
        self.first = self._layout(row.operands, *first_shape)
        self.second = self._layout(row.operands, *second_shape)
        self.product = self._layout(row.product, m, n)
        self.one, self.zero = row.factor(1), row.factor(0)
        self.algorithms = self._algorithms()
        if not self.algorithms:
            size = f"{m}x{n}x{k} {layout}"
            raise Unavailable(f"cuBLASLt has no algorithm for a {dtype} product of {size} here")

    def call(self, name: str, *arguments: Any) -> None:
        """Call the library. Raises KernelError with the status."""
        if status := getattr(self.lib, name)(*arguments):
            raise KernelError(f"{name} answers {status}: this cuBLAS cannot do this product here")

    def _create(self, what: str, *arguments: Any) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self.call(f"{what}Create", ctypes.byref(handle), *arguments)
        self._made.append((f"{what}Destroy", handle))
        return handle

    def _layout(self, element: int, rows: int, columns: int) -> ctypes.c_void_p:
        """A matrix whose columns lie one after the other."""
        size = ctypes.c_uint64(rows), ctypes.c_uint64(columns), ctypes.c_int64(rows)
        return self._create("cublasLtMatrixLayout", element, *size)

    def _set(self, what: str, target: ctypes.c_void_p, attribute: int, value: Any) -> None:
        size = ctypes.c_size_t(ctypes.sizeof(value))
        self.call(f"{what}SetAttribute", target, attribute, ctypes.byref(value), size)

    def _algorithms(self) -> list[Algorithm]:
        """What the heuristic answers, the one first that it expects to be fastest."""
        preference = self._create("cublasLtMatmulPreference")
        limit = ctypes.c_uint64(gemm_work.WORKSPACE_BYTES)
        self._set("cublasLtMatmulPreference", preference, PREF_MAX_WORKSPACE_BYTES, limit)
        results = ctypes.create_string_buffer(MOST_ALGORITHMS * HEURISTIC_BYTES)
        count = ctypes.c_int()
        status = self.lib.cublasLtMatmulAlgoGetHeuristic(  # type: ignore[union-attr]
            self.handle,
            self.description,
            self.first,
            self.second,
            self.product,
            self.product,
            preference,
            MOST_ALGORITHMS,
            results,
            ctypes.byref(count),
        )
        return [] if status else list(algorithms(results.raw, count.value))

    def free(self) -> None:
        """Destroy what was created, the handle last."""
        while self._made:
            name, handle = self._made.pop()
            getattr(self.lib, name)(handle)


class CublasLtProduct(CudaLaunch):
    """The product of m rows and n columns, column by column, by the library's own kernel."""

    def allocate(self) -> None:
        """A plan, both operands, the product, and the library's workspace."""
        m, n, k = (self.params[name] for name in "mnk")
        self.plan = self.keep(Plan(self.dtype, m, n, k, self.params["layout"]))
        self.first = self.new_operand(0, m * k)
        self.second = self.new_operand(1, k * n)
        self.product = self.new(m * n * gemm_work.product_itemsize(self.dtype), np.uint8)
        self.workspace = self.new(gemm_work.WORKSPACE_BYTES, np.uint8)
        self.take({CANDIDATE: self.params.get(CANDIDATE, 0)})

    def new_operand(self, number: int, elements: int) -> Buffer:
        """Operand number 0 or 1, filled."""
        buffer = self.new(elements * gemm_work.itemsize(self.dtype), np.uint8)
        buffer.repeat(_codes(self.dtype, number, self.params["operands"]))
        return buffer

    def ways(self) -> Iterable[Mapping[str, Any]]:
        """The algorithms that the heuristic names."""
        return [{CANDIDATE: place} for place in range(len(self.plan.algorithms))]

    def take(self, way: Mapping[str, Any]) -> None:
        """Multiply by this algorithm from now on, into a poisoned product.

        Raises KernelError if there is none such.
        """
        place = way[CANDIDATE]
        if place >= len(self.plan.algorithms):
            count = len(self.plan.algorithms)
            raise KernelError(f"cuBLASLt names {count} algorithms here, and not number {place}")
        self.algorithm = self.plan.algorithms[place]
        self.arguments = self.matmul_arguments()
        self.product.poison()

    def matmul_arguments(self) -> Sequence[Any]:
        """Arguments of cublasLtMatmul."""
        plan = self.plan
        first, second, product, workspace = (
            ctypes.c_void_p(buffer.address)
            for buffer in (self.first, self.second, self.product, self.workspace)
        )
        return (
            plan.handle,
            plan.description,
            ctypes.byref(plan.one),
            first,
            plan.first,
            second,
            plan.second,
            ctypes.byref(plan.zero),
            product,
            plan.product,
            product,
            plan.product,
            self.algorithm.opaque,
            workspace,
            ctypes.c_size_t(gemm_work.WORKSPACE_BYTES),
            ctypes.c_void_p(self.queue.ptr),
        )

    def run(self, repeat: int) -> None:
        """One product after the other."""
        for _ in range(repeat):
            self.plan.call("cublasLtMatmul", *self.arguments)

    def fetch(self) -> np.ndarray:
        """The entries of the product at the rows and columns looked at."""
        rows = gemm_work.looked_at(self.params["m"])
        columns = gemm_work.looked_at(self.params["n"])
        column_bytes = self.params["m"] * gemm_work.product_itemsize(self.dtype)
        data = self.product.download_at(columns * column_bytes, column_bytes)
        by_column = unpacked(gemm_work.OUTPUT[self.dtype], data.reshape(len(columns), -1))
        return by_column[:, rows].T

    def audit(self, work: Work) -> Audit:
        """Which algorithm ran. The library's machine code is not ours to hold against anything."""
        algorithm = config(self.plan.lib, self.algorithm)
        m, n, k = (self.params[name] for name in "mnk")
        size = f"{m}x{n}x{k} {self.params['layout']}"
        return Audit(
            instruction="cuBLASLt",
            note=f"{size}, {algorithm}; {NOT_AUDITED}",
            facts={
                "library": f"cuBLASLt {version(self.plan.lib)}",
                "algorithm": asdict(algorithm),
                "workspace_bytes": self.algorithm.workspace_bytes,
            },
        )


@cache
def _codes(dtype: str, number: int, operands: str) -> np.ndarray:
    """The repeating part of an operand as bytes of memory: every round asks for it again."""
    return packed(gemm_work.element(dtype), gemm_work.tile(dtype, number, operands), np.uint8)
