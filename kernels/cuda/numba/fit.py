"""Tell whether Numba's CUDA target can work with the NumPy beside it.

It names functions that a newer NumPy may have dropped.

It does so as it is imported, or as its first kernel is compiled. Imports neither Numba nor CUDA.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

import numpy as np

from kernels.base import Unavailable, one_line

OF_NUMPY = re.compile(r"\bnumpy\b|`np\.", re.IGNORECASE)
PACKAGES = ("numba-cuda", "numba")
NO_LIBRARY = ("NvvmSupportError", "DynamicLibNotFoundError")
"""Types of errors where a library of CUDA cannot be loaded, as in a JetPack without CUDA."""


@contextmanager
def numba_that_fits() -> Iterator[None]:
    """Turn errors about what Numba finds here into Unavailable, for a skipped row.

    NumPy may be too new, or a library of CUDA may be missing.
    """
    try:
        yield
    except Exception as error:
        if type(error).__name__ in NO_LIBRARY:  # classes of whichever package brings the target
            why = f"{_numba()} lacks a library of CUDA: {one_line(error)}"
            raise Unavailable(f"{why}; set CUDA_HOME to the folder of CUDA's toolkit") from None
        if not isinstance(error, (AttributeError, ImportError)) or not OF_NUMPY.search(str(error)):
            raise
        why = f"{_numba()} does not take NumPy {np.__version__}: {one_line(error)}"
        raise Unavailable(f"{why}; pip install 'numpy<2.5', or a newer numba-cuda") from None


def _numba() -> str:
    """The package that brings Numba's CUDA target, with its version."""
    for name in PACKAGES:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "Numba"
