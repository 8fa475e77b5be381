"""Versions of what a measurement depends on, for ``run.json``: a compiler or driver change moves
numbers.
"""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "numba-cuda",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "cupy-cuda11x",
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-nvrtc-cu12",
    "onnxruntime",
    "onnxruntime-gpu",
)


def versions() -> dict[str, str]:
    """Python, the kernel of the operating system, and every installed package of PACKAGES."""
    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
