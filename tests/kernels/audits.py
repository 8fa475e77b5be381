"""Audits of many kernels at once: the disassembler takes a third of a second to start."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernels.cuda import disassembly, sass
from kernels.cuda.disassembly import Code
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.nvrtc import Cubin
from kernels.processors import processors


@contextmanager
def read_at_once(kernels: Iterable[CudaKernel]) -> Iterator[None]:
    """Compile these kernels and read their machine code, once for each architecture.

    Audits within it find the code there, or hear of the refusal that was met.
    """
    with ThreadPoolExecutor(processors()) as pool:
        cubins = list(pool.map(lambda kernel: kernel.cubin, kernels))
    codes, refusals = read_by_arch(cubins)

    def code_of(cubin: Cubin) -> Code:
        """The machine code as it was read, or read now."""
        if cubin.arch in refusals:
            raise refusals[cubin.arch]
        return codes.get(cubin.path) or disassembly.disassemble(cubin)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(sass, "disassemble", code_of)
        yield


def read_by_arch(
    cubins: Iterable[Cubin],
) -> tuple[dict[Path, Code], dict[str, subprocess.CalledProcessError]]:
    """(instructions of each file by its path, refusals of the disassembler by architecture)."""
    by_arch: dict[str, dict[Path, None]] = {}
    for cubin in cubins:
        by_arch.setdefault(cubin.arch, {})[cubin.path] = None
    codes: dict[Path, Code] = {}
    refusals: dict[str, subprocess.CalledProcessError] = {}
    for arch, paths in by_arch.items():
        try:
            codes |= zip(paths, disassembly.read(arch, list(paths)), strict=True)
        except subprocess.CalledProcessError as refusal:
            refusals[arch] = refusal
    return codes, refusals
