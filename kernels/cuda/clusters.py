"""Clusters of blocks, which reach one another's shared memory: what a launch of them needs."""

from __future__ import annotations

import ctypes
from typing import Any

from kernels.base import Unavailable
from kernels.cuda import driver
from kernels.device import Device

CLUSTERS_SINCE = 9.0
"""First compute capability with clusters and bulk copies: PTX ISA, "Cluster of CTAs"."""
PORTABLE = 8
"""Blocks of a cluster that every such GPU can hold; more must be allowed (CUDA C++ Programming
Guide, "Thread Block Clusters")."""
ALLOW_MORE = 14
"""CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED."""


class _Launch(ctypes.Structure):
    """The driver's CUlaunchConfig."""

    _fields_ = (
        *((name, ctypes.c_uint) for name in ("grid_x", "grid_y", "grid_z")),
        *((name, ctypes.c_uint) for name in ("block_x", "block_y", "block_z")),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("attribute_count", ctypes.c_uint),
    )


def missing(device: Device) -> str:
    """Why this device has neither clusters nor bulk copies, or nothing."""
    if float(device.arch) >= CLUSTERS_SINCE:
        return ""
    return f"compute capability {device.arch} has no clusters and bulk copies: from 9.0 on"


def allow(function: Any, size: int) -> None:
    """Let a kernel of CuPy have clusters of ``size`` blocks."""
    if size > PORTABLE:
        pointer = ctypes.c_void_p(function.kernel.ptr)
        driver.call("cuFuncSetAttribute", pointer, ALLOW_MORE, 1)


def resident(function: Any, size: int, threads: int, shared_bytes: int) -> int:
    """Clusters that the device holds at once, of so many blocks of so many threads.

    function: a kernel of CuPy that was compiled for clusters of this size.
    Raises Unavailable where it holds none.
    """
    launch = _Launch(size, 1, 1, threads, 1, 1, shared_bytes)
    count = ctypes.c_int()
    pointer = ctypes.c_void_p(function.kernel.ptr)
    driver.call("cuOccupancyMaxActiveClusters", ctypes.byref(count), pointer, ctypes.byref(launch))
    if not count.value:
        raise Unavailable(f"this GPU has no place for a cluster of {size} blocks")
    return count.value
