"""The pieces of a type: intrinsics on a GPU, plain Python in Numba's simulator."""

from __future__ import annotations

from functools import cache

from numba import config

from kernels.cuda.numba.native import native
from kernels.cuda.numba.pieces import Pieces
from kernels.cuda.numba.simulated import simulated


@cache
def pieces(dtype: str) -> Pieces:
    """The pieces for this type, native or simulated."""
    return simulated(dtype) if config.ENABLE_CUDASIM else native(dtype)
