"""What kernels for 2:4 want of a layer, by the documents of those who make them.

Three makers: TensorRT, cuSPARSELt (as PyTorch calls it) and, where it has none, ONNX Runtime.
"""

from __future__ import annotations

from probes.records.patterns import PatternRow

WORTHWHILE_CHANNELS = 256
"""Input channels times the window, and output channels, from which TensorRT's sparse convolutions
are faster than its dense ones: its makers in TensorRT#3849 ("C and K are large enough (>256)", a
3x3 window counts nine times) and TensorRT#4065 ("256 or above")."""
GROUPS_REFUSED = "TensorRT has no sparse kernel for groups (TensorRT#4054)"
"""Why a grouped convolution stays dense there."""
MULTIPLES = {"fp16": 16, "bf16": 16, "int8": 32, "fp8": 32}
"""What rows and columns of the sparse matrix must be multiples of for cuSPARSELt: PyTorch's check
(torch/sparse/semi_structured.py, SparseSemiStructuredTensorCUSPARSELT)."""
ONE_OF_TWO = ("tf32", "fp32")
"""Types for which the units want one of two, not two of four (PTX ISA, "Sparse matrix storage";
cuSPARSELt, cusparseLtSparsity_t)."""
WITHOUT_KERNELS = ("cpu", "cuda")
"""Providers of ONNX Runtime that have no kernel for 2:4: they multiply by the zeros. That of
TensorRT has an option, ``trt_sparsity_enable``."""


def refused(row: PatternRow, precision: str) -> str:
    """Why a sparse kernel would not take this layer, or not be faster; empty if nothing is known
    against it.
    """
    if row.groups > 1:
        return GROUPS_REFUSED
    multiple = MULTIPLES.get(precision)
    if multiple and (row.rows % multiple or row.columns % multiple):
        return f"{row.rows} x {row.columns} are no multiples of {multiple}, as cuSPARSELt wants"
    fewest = min(row.rows, row.columns)
    if fewest < WORTHWHILE_CHANNELS:
        return (
            f"{fewest} channels: sparse kernels are faster from about {WORTHWHILE_CHANNELS} on "
            "(TensorRT#3849)"
        )
    return ""
