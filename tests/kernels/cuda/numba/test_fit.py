"""A NumPy that Numba's CUDA target does not take is a reason to skip its rows, not their error."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kernels import fma, stream
from kernels.base import Unavailable
from kernels.cuda.numba.fit import numba_that_fits
from tests.devices import GPU
from tests.kernels import made_up_cuda

ERRORS = [
    AttributeError("module 'numpy' has no attribute 'row_stack'"),
    AttributeError("`np.row_stack` was removed in the NumPy 2.5 release. Use `np.vstack` instead."),
    ImportError("Numba needs NumPy 2.4 or less. Got NumPy 2.5."),
]
PARAMS: dict[str, dict[str, Any]] = {
    "fma": {"chains": 4, "steps": 3, "block": 32, "threads": 64, "m": -0.99, "c": 0.7},
    "stream": {"n": 1 << 10, "block": 32, "vecs": 1},
}


def launch_of(name: str, queue: Any) -> Any:
    """A launch of a kernel that is written in Numba."""
    if name == "fma":
        return fma.NUMBA(GPU, "fp32", PARAMS["fma"], queue)
    return stream.COPY.backends["numba"](GPU, "fp32", PARAMS["stream"], queue)


@pytest.mark.parametrize("error", ERRORS, ids=str)
@pytest.mark.parametrize("name", ["fma", "stream"])
@pytest.mark.parametrize("when", ["imported", "compiled"])
def test_it_is_the_reason_of_a_skipped_row(
    name: str, when: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise error

    class Kernel:
        """A kernel that its first launch compiles."""

        def __getitem__(self, _: Any) -> Any:
            return fails

    make_kernel = fails if when == "imported" else lambda *_: Kernel()
    names_of_modules = {
        "kernels.cuda.numba.launch": {"stream": lambda queue: queue},
        "kernels.fma.jit": {"chains": make_kernel},
        "kernels.stream.jit": {"streams": make_kernel},
    }
    for path, names in names_of_modules.items():
        module = ModuleType(path)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, path, module)
        monkeypatch.setattr(path, module, raising=False)
    queue = made_up_cuda.Queue(made_up_cuda.installed(monkeypatch))
    with pytest.raises(Unavailable) as caught:
        launch_of(name, queue).run(1)
    reason = str(caught.value)
    assert f"does not take NumPy {np.__version__}: {error}" in reason
    assert reason.endswith("pip install 'numpy<2.5', or a newer numba-cuda")


class NvvmSupportError(ImportError):
    """As Numba's CUDA target names it."""


class DynamicLibNotFoundError(RuntimeError):
    """As the package cuda-pathfinder names it."""


@pytest.mark.parametrize("kind", [NvvmSupportError, DynamicLibNotFoundError])
def test_a_missing_library_is_the_reason_of_a_skipped_row(kind: type[Exception]) -> None:
    reason = "lacks a library of CUDA: not found; set CUDA_HOME"
    with pytest.raises(Unavailable, match=reason), numba_that_fits():
        raise kind("not found")


@pytest.mark.parametrize(
    "error", [AttributeError("no attribute 'x'"), ImportError("no driver"), ValueError("numpy")]
)
def test_any_other_error_is_its_own(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, numba_that_fits():
        raise error
    assert caught.value is error
