"""Bulk copies from global into shared memory, of one block or of all blocks of a cluster."""

from __future__ import annotations

from typing import Any

from kernels.base import Kernel
from kernels.bulk import cuda
from kernels.bulk.work import reference, work
from kernels.cuda.kernel import CompiledBackend


def _footprint(dtype: str, set_bytes: float, **_: Any) -> float:
    return set_bytes


_RAW = CompiledBackend(cuda.BulkKernel)
READ = Kernel(
    "bulk_read",
    work,
    reference,
    {"raw": _RAW},
    check_repeat=3,
    footprint=_footprint,
    prepare=_RAW.prepare,
)
"""Brings ``set_bytes`` into the shared memory of the ``cluster`` blocks that share each copy."""
