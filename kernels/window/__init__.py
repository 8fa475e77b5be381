"""A window of memory that is read again and again while a stream passes."""

from __future__ import annotations

from typing import Any

from kernels.base import Kernel
from kernels.cuda.kernel import CompiledBackend
from kernels.window import cuda
from kernels.window.work import reference, work


def _footprint(dtype: str, window_bytes: float, stream_bytes: float, **_: Any) -> float:
    return window_bytes + stream_bytes


_RAW = CompiledBackend(cuda.WindowKernel)
WINDOW = Kernel(
    "window",
    work,
    reference,
    {"raw": _RAW},
    footprint=_footprint,
    prepare=_RAW.prepare,
)
"""Reads a stream of ``stream_bytes``, and as many bytes of a window of ``window_bytes``."""
