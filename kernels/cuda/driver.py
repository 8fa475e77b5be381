"""Calls of the CUDA driver that CuPy has not, or whose addresses native code needs."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from kernels.base import KernelError

LIBRARIES = ("libcuda.so.1", "libcuda.so")
"""Names of the driver's library."""


@cache
def library() -> ctypes.CDLL:
    """The loaded driver. Raises KernelError where there is none."""
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise KernelError(f"no NVIDIA driver: {LIBRARIES[0]} is not found")


def call(name: str, *arguments: Any) -> None:
    """Call a function of the driver. Raises KernelError with the code of its error."""
    function = getattr(library(), name, None)
    if function is None:
        raise KernelError(f"this NVIDIA driver has no {name}: install a newer one")
    if status := function(*arguments):
        raise KernelError(f"the CUDA driver answers {status} to {name}: see CUresult")
