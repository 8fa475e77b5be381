"""What the Numba CUDA kernels of one type call.

Intrinsics provide it on a device, and Python functions in Numba's simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WIDTH = {"fp32": 4, "fp64": 2}  # elements of a 16-byte vector


@dataclass(frozen=True)
class Pieces:
    """What the kernels of one type call: intrinsics, or Python functions in the simulator."""

    starts: Callable[[int], Any]
    advance: Callable[[int, int], Any]
    put: Callable[[int], Any]
    put_clock: Any
    cycles: Any
    nanoseconds: Any
    load: Any
    store: Any
    put_sum: Any
    scaled: Any
    added: Any
    summed: Any
    same: Any
