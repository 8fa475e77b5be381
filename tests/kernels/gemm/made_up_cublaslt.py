"""A made-up cuBLASLt that multiplies in NumPy, on device memory that is the host's own."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.formats import packed, unpacked
from kernels.gemm.algorithm import ALGORITHM_BYTES, HEURISTIC_BYTES

FORMATS = {0: "fp32", 1: "fp64", 2: "fp16", 3: "int8", 10: "int32", 14: "bf16", 28: "e4m3"}
"""Of ``cudaDataType_t``."""
NOT_SUPPORTED = 15
TILE_128X256, STAGES_64X4, CLUSTER_2X1 = 23, 16, 3
CONFIG = {1: TILE_128X256, 2: 1, 6: STAGES_64X4, 8: CLUSTER_2X1}
"""What every algorithm is set to, by attribute; attribute 0 is its number."""
FIRST_NUMBER = 60
"""Of the first algorithm that the heuristic names."""


@dataclass
class Library:
    """Functions of the library by name. A handle is a number; what it stands for is kept."""

    count: int = 3
    """How many algorithms the heuristic names."""
    refused: frozenset[int] = frozenset()
    """Places of those that do not run when they are asked to."""
    idle: frozenset[int] = frozenset()
    """Places of those that write nothing."""
    layouts: frozenset[str] = frozenset(("TN", "NN", "NT", "TT"))
    """Those for which there are algorithms."""
    open_handles: dict[int, Any] = field(default_factory=dict)
    """What was created and not yet destroyed."""
    ran: list[int] = field(default_factory=list)
    """Places of the algorithms that ran, in order."""
    next_handle: int = 1

    def __getattr__(self, name: str) -> Any:
        if name.endswith("Create"):
            return self._create
        if name.endswith("Destroy"):
            return self._destroy
        raise AttributeError(name)

    def _create(self, handle: Any, *facts: Any) -> int:
        handle._obj.value = self.next_handle
        self.open_handles[self.next_handle] = {"facts": facts}
        self.next_handle += 1
        return 0

    def _destroy(self, handle: ctypes.c_void_p) -> int:
        del self.open_handles[handle.value or 0]
        return 0

    def cublasLtGetVersion(self) -> int:
        return 131000

    def cublasLtMatmulDescSetAttribute(
        self, handle: ctypes.c_void_p, attribute: int, value: Any, size: ctypes.c_size_t
    ) -> int:
        self.open_handles[handle.value or 0][attribute] = value._obj.value
        return 0

    cublasLtMatmulPreferenceSetAttribute = cublasLtMatmulDescSetAttribute

    def cublasLtMatmulAlgoGetHeuristic(self, handle: Any, description: Any, *rest: Any) -> int:
        *_, asked, results, count = rest
        if self._letters(description) not in self.layouts:
            return NOT_SUPPORTED
        count._obj.value = min(self.count, asked)
        for place in range(count._obj.value):
            start = place * HEURISTIC_BYTES
            results[start] = bytes([place])
            results[start + ALGORITHM_BYTES] = b"\x20"
        return 0

    def cublasLtMatmulAlgoConfigGetAttribute(
        self, algorithm: Any, attribute: int, value: Any, size: Any, written: Any
    ) -> int:
        number = FIRST_NUMBER + algorithm.raw[0]
        value._obj.value = number if attribute == 0 else CONFIG[attribute]
        return 0

    def cublasLtMatmul(self, handle: Any, description: Any, one: Any, *rest: Any) -> int:
        first, first_layout, second, second_layout, _, _, _, product, product_layout = rest[:9]
        algorithm = rest[9]
        place = algorithm.raw[0]
        if place in self.refused:
            return NOT_SUPPORTED
        self.ran.append(place)
        if place in self.idle:
            return 0
        a, b = self._matrix(first, first_layout), self._matrix(second, second_layout)
        letters = self._letters(description)
        a = a.T if letters[0] == "T" else a
        b = b.T if letters[1] == "T" else b
        result = a @ b
        name, _, _ = self._shape(product_layout)
        codes = packed(name, np.ascontiguousarray(result.T), np.uint8).tobytes()
        ctypes.memmove(product.value, codes, len(codes))
        return 0

    def _letters(self, description: ctypes.c_void_p) -> str:
        """The layout, such as ``TN``."""
        attributes = self.open_handles[description.value or 0]
        return "".join("NT"[attributes[number]] for number in (3, 4))

    def _shape(self, layout: ctypes.c_void_p) -> tuple[str, int, int]:
        element, rows, columns, _ = self.open_handles[layout.value or 0]["facts"]
        return FORMATS[element], rows.value, columns.value

    def _matrix(self, address: ctypes.c_void_p, layout: ctypes.c_void_p) -> np.ndarray:
        """A matrix that lies column by column, in double precision."""
        name, rows, columns = self._shape(layout)
        size = packed(name, np.zeros(8), np.uint8).nbytes // 8 * rows * columns
        codes = np.frombuffer(ctypes.string_at(address.value or 0, size), np.uint8)
        return unpacked(name, codes).reshape(columns, rows).T
