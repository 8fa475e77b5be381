"""Matrix products through cuBLASLt, called directly: one interface for every type from FP64 to FP8.

Constants are those of cublasLt.h, cublas_api.h and library_types.h, by name.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import kernels.gemm.work as gemm_work
from kernels.base import Audit, KernelError
from kernels.cuda import launch as cuda
from kernels.cuda.memory import Buffer, Stream
from kernels.cuda.nvrtc import libraries
from kernels.device import Device
from kernels.formats import packed, unpacked

R_32F, R_64F, R_16F, R_8I, R_32I, R_16BF, R_8F_E4M3 = 0, 1, 2, 3, 10, 14, 28
COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F, COMPUTE_32I = 68, 77, 70, 72
DESC_TRANSA, DESC_FAST_ACCUM, OP_T = 3, 25, 1
PREF_MAX_WORKSPACE_BYTES = 1
WORKSPACE_BYTES = 64 << 20
HEURISTIC_BYTES, ALGORITHM_BYTES = 96, 64


@dataclass(frozen=True)
class Type:
    """How the library names a type: of operands, product, arithmetic and scaling factors; since:
    compute capability.
    """

    operands: int
    product: int
    compute: int
    scale: int
    factor: Any
    since: float = 5.0


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
    return (
        f"sm_{cuda.sm(device)} has no {dtype} matrix product (since {since})"
        if float(device.arch) < since
        else ""
    )


@cache
def library() -> ctypes.CDLL | None:
    """The newest cuBLASLt that loads, with a handle's worth of initialisation left to the first
    call.
    """
    for path in sorted(
        libraries("libcublasLt"), key=lambda p: int(p.name.rpartition(".")[2]), reverse=True
    ):
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
        made = ctypes.c_void_p()
        self.call(name, ctypes.byref(made), *arguments)
        return made

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

    def close(self) -> None:
        """Destroy the handle; descriptors are plain memory."""
        self.lib.cublasLtDestroy(self.handle)  # type: ignore[union-attr]


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Stream) -> cuda.CudaLaunch:
    """A launch of A times B transposed, each of n rows of n elements."""
    n, plan = params["n"], Plan(dtype, params["n"])
    buffers = [_matrix(dtype, which, n, params["operands"], queue) for which in (0, 1)]
    product = Buffer(n * n * params["product_bytes"], np.uint8, queue)
    workspace = Buffer(WORKSPACE_BYTES, np.uint8, queue)
    product.poison()
    a, b, c, scratch = (ctypes.c_void_p(x.address) for x in (*buffers, product, workspace))
    stream = ctypes.c_void_p(queue.ptr)

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            # Column-major: the product comes out with the rows of B along memory, hence B first.
            plan.call(
                "cublasLtMatmul",
                plan.handle,
                plan.description,
                ctypes.byref(plan.one),
                b,
                plan.operand,
                a,
                plan.operand,
                ctypes.byref(plan.zero),
                c,
                plan.product,
                c,
                plan.product,
                plan.algorithm,
                scratch,
                ctypes.c_size_t(WORKSPACE_BYTES),
                stream,
            )

    note = Audit(
        instruction="cuBLASLt",
        note="the library's own kernel: numbers checked, machine code not audited",
    )
    held = [*buffers, product, workspace, _Closing(plan)]
    return cuda.CudaLaunch(
        queue, enqueue, held, lambda: _entries(dtype, n, product), lambda _: note
    )


class _Closing:
    """Lets a launch give a plan back with its buffers."""

    def __init__(self, plan: Plan) -> None:
        self.free = plan.close


def _matrix(dtype: str, which: int, n: int, operands: str, queue: Stream) -> Buffer:
    buffer = Buffer(n * n * gemm_work.itemsize(dtype), np.uint8, queue)
    buffer.repeat(_codes(dtype, which, operands))
    return buffer


@cache
def _codes(dtype: str, which: int, operands: str) -> np.ndarray:
    """The repeating part as bytes of memory: every round asks for it again."""
    return packed(gemm_work.element(dtype), gemm_work.tile(dtype, which, operands), np.uint8)


def _entries(dtype: str, n: int, product: Buffer) -> np.ndarray:
    """The entries of the product at the rows and columns looked at."""
    at, form = gemm_work.looked_at(n), gemm_work.OUTPUT[dtype]
    size = product.count // (n * n)
    rows = product.download_at(at * n * size, n * size).reshape(len(at), -1)
    return unpacked(form, rows)[:, at]
