"""Memory for CPU kernels, aligned as they need it."""

from __future__ import annotations

import contextlib
import mmap
from typing import Any

import numpy as np

PAGE = 2 << 20  # bytes of a large page
LINE = 64  # bytes of a cache line


def on_large_pages(size: int) -> np.ndarray:
    """Bytes on large pages where the system gives them, so that a level is measured and not the
    reach of the TLB.
    """
    held = mmap.mmap(-1, -(-size // PAGE) * PAGE + PAGE)
    with contextlib.suppress(AttributeError, OSError):
        held.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(held, np.uint8)
    skip = -raw.ctypes.data % PAGE
    return raw[skip : skip + size]


def aligned(count: int, kind: Any) -> np.ndarray:
    """``count`` elements that begin with a cache line. No page of them is touched: who touches it
    first has it near.
    """
    size = count * np.dtype(kind).itemsize
    raw = np.empty(size + LINE, np.uint8)
    skip = -raw.ctypes.data % LINE
    return raw[skip : skip + size].view(kind)
