"""The CUDA kernels again, written in Numba: their streams, and the machine code they became.

Kernels take addresses and numbers, no arrays, and touch memory through a few intrinsics that emit
one PTX instruction each; in Numba's simulator the same kernels run on arrays, with the intrinsics
in plain Python. Numba is imported at the top, so builders import this module late: the simulator
swaps ``cuda`` among a module's globals only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cuda

from kernels.base import Audit, Work
from kernels.cuda import cubins, sass
from kernels.cuda.memory import Stream
from kernels.cuda.nvrtc import Cubin

NOT_AUDITED = "not audited: this version of Numba gives no machine code"


@cache
def stream(queue: Stream) -> Any:
    """The harness's stream as Numba knows it."""
    return cuda.external_stream(queue.ptr)


def cubin_of(kernel: Any, arch: str) -> Cubin | None:
    """The machine code of a kernel already launched; None where this Numba hides it."""
    try:
        code = next(iter(kernel.overloads.values()))._codelibrary.get_cubin()
    except Exception:  # no public way to a cubin: it moves from version to version
        return None
    data = bytes(getattr(code, "code", code))
    return Cubin(cubins.kept(f"numba-{cubins.digest(data)}", lambda: data), "numba", arch, "Numba")


def audit(kernel: Any, spec: sass.Spec, work: Work, arch: str) -> Audit:
    """Hold the machine code Numba made against the declared work."""
    cubin = cubin_of(kernel, arch)
    return sass.audit(cubin, spec, work) if cubin else Audit(note=NOT_AUDITED)
