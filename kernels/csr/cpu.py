"""The product by SciPy, which runs it on one core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.base import Audit, Unavailable, Work
from kernels.csr.work import activations
from kernels.device import Device
from kernels.layers.pruned import weights_with_zeros


class ScipyLaunch:
    """A product of ``scipy.sparse``."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        from scipy.sparse import csr_matrix

        rows, width = params["rows"], params["width"]
        self._sparse: Any = csr_matrix(weights_with_zeros(width, params["zeros"]).T)
        self._dense = activations(rows, width)
        self._product = np.zeros((width, rows), np.float32)

    def run(self, repeat: int) -> None:
        """One product after the other."""
        for _ in range(repeat):
            self._product = self._sparse @ self._dense

    def result(self) -> np.ndarray:
        """The last product, (width, rows)."""
        return self._product

    def clock_hz(self) -> float | None:
        """Not observed."""
        return None

    def audit(self, work: Work) -> Audit:
        """The library's machine code is not ours to hold against anything."""
        return Audit("csr_matvecs", note="SciPy's own kernel, on one core")

    def close(self) -> None:
        """Let the matrices go."""
        self._sparse = None


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Any) -> ScipyLaunch:
    """A launch; raises Unavailable without SciPy."""
    if reason := missing():
        raise Unavailable(reason)
    return ScipyLaunch(params)


def missing() -> str:
    """Why it cannot run here, or nothing."""
    try:
        import scipy.sparse  # noqa: F401
    except ImportError:
        return "scipy is not installed: pip install -e '.[plan]'"
    return ""
