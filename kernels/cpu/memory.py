"""Memory for CPU kernels, aligned as they need it."""

from __future__ import annotations

import contextlib
import mmap
from typing import Any

import numpy as np

PAGE = 2 << 20  # bytes of a large page
LINE = 64  # bytes of a cache line


def on_large_pages(size: int) -> np.ndarray:
    """``size`` bytes, uint8, on large pages where the system gives them.

    With small pages the reach of the TLB would be measured, and not a level of memory.
    """
    pages = -(-size // PAGE)
    mapping = mmap.mmap(-1, (pages + 1) * PAGE)  # one more, so that the array may begin a page
    with contextlib.suppress(AttributeError, OSError):
        mapping.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(mapping, np.uint8)
    skip = -raw.ctypes.data % PAGE
    return raw[skip : skip + size]


def aligned(count: int, kind: Any) -> np.ndarray:
    """``count`` elements that begin with a cache line.

    No page of them is touched yet: the thread that touches a page first has it near.
    """
    size = count * np.dtype(kind).itemsize
    raw = np.empty(size + LINE, np.uint8)
    skip = -raw.ctypes.data % LINE
    return raw[skip : skip + size].view(kind)
