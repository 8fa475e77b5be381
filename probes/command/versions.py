"""Versions of what a measurement depends on, for ``run.json``: a new compiler moves numbers."""

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
    "nvidia-cuda-nvrtc-cu11",
    "onnxruntime",
    "onnxruntime-gpu",
)


def versions() -> dict[str, str]:
    """Versions of Python, of the system's kernel, and of every installed package of PACKAGES."""
    versions_by_name = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
    for name in PACKAGES:
        try:
            versions_by_name[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions_by_name
