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


@contextmanager
def numba_that_fits() -> Iterator[None]:
    """Turn Numba's errors about what NumPy lacks into Unavailable, for a skipped row."""
    try:
        yield
    except (AttributeError, ImportError) as error:
        if not OF_NUMPY.search(str(error)):
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
