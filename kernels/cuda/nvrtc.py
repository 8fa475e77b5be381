"""A .cu file becomes machine code for one architecture, with no GPU, no driver and no headers.

NVIDIA's runtime compiler is called directly, so that any installed version serves any architecture
it knows: Volta needs NVRTC 12, Thor needs 13. The kernels write PTX inline and include only files
beside them, or beside this one.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kernels.base import KernelError
from kernels.cuda import cubins
from kernels.processors import processors

SHARED = Path(__file__).parent
"""Where headers lie that kernels of several folders include."""
INSTALL = "pip install -e '.[cu13]' (or '.[cu12]'; on a Jetson, JetPack's own CUDA has it)"
SYSTEM_FOLDERS = (
    "usr/local/cuda*/lib64",
    "usr/local/cuda*/targets/*/lib",
    "usr/lib/*-linux-gnu",
    "opt/cuda/lib64",
)


@dataclass(frozen=True)
class Cubin:
    """Machine code for one architecture."""

    path: Path
    """Its file, named by its content."""
    source: str
    """Name of the .cu file."""
    arch: str
    """The architecture: ``90a``."""
    compiler: str
    """Name and version of what compiled it."""


@dataclass(frozen=True)
class Compiler:
    """One NVRTC library."""

    path: Path
    """Its file."""
    version: tuple[int, int]
    """Major and minor."""
    archs: tuple[int, ...]
    """Architectures it names, as 90; variants such as 90a are not among them."""

    def load(self) -> ctypes.CDLL:
        """The loaded library."""
        return ctypes.CDLL(str(self.path))

    @property
    def name(self) -> str:
        """``NVRTC 12.9``."""
        return f"NVRTC {self.version[0]}.{self.version[1]}"

    def knows(self, arch: str) -> bool:
        """True if this compiler builds for ``arch``; suffixes (90a) came with version 12.0."""
        listed = int(arch.rstrip("af")) in self.archs
        return listed and (arch.isdigit() or self.version >= (12, 0))


@cache
def compilers() -> tuple[Compiler, ...]:
    """Every NVRTC found in the Python packages and the system's usual places, newest first."""
    by_version: dict[tuple[int, int], Compiler] = {}
    for path in libraries("libnvrtc"):
        compiler = _open(path)
        if compiler:
            by_version.setdefault(compiler.version, compiler)
    return tuple(by_version[version] for version in sorted(by_version, reverse=True))


def libraries(stem: str) -> Iterator[Path]:
    """Files ``<stem>.so.<major>`` of CUDA, those of Python packages before the system's.

    CUDA 11 has a second number in some of its names: ``libnvrtc.so.11.2`` from 11.2 to 11.8.
    """
    folders: list[Path] = []
    for place in filter(None, sys.path):
        folders += Path(place).glob("nvidia/*/lib")
    search_path = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    folders += map(Path, filter(None, search_path))
    folders.append(Path(sys.prefix, "lib"))
    for pattern in SYSTEM_FOLDERS:
        folders += sorted(Path("/").glob(pattern))
    name = re.compile(rf"{stem}\.so\.\d+(\.\d+)?")
    for folder in folders:
        yield from sorted(path for path in folder.glob(f"{stem}.so.*") if name.fullmatch(path.name))


def _open(path: Path) -> Compiler | None:
    try:
        lib = ctypes.CDLL(str(path))
        major, minor, count = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        lib.nvrtcGetNumSupportedArchs(ctypes.byref(count))
        archs = (ctypes.c_int * count.value)()
        lib.nvrtcGetSupportedArchs(archs)
    except (OSError, AttributeError):
        return None
    return Compiler(path, (major.value, minor.value), tuple(archs))


def compiler_for(arch: str, newest_major: int | None = None) -> Compiler:
    """The newest compiler that knows ``arch`` and whose code the driver can load.

    A cubin loads on any driver of the same CUDA major version or a later one. Raises KernelError.
    """
    able = [compiler for compiler in compilers() if compiler.knows(arch)]
    for compiler in able:
        if newest_major is None or compiler.version[0] <= newest_major:
            return compiler
    if able:
        needed = ", ".join(compiler.name for compiler in able)
        raise KernelError(
            f"the driver supports CUDA {newest_major}, but only {needed} builds for "
            f"sm_{arch}: {INSTALL}"
        )
    installed = ", ".join(compiler.name for compiler in compilers()) or "none"
    raise KernelError(f"no NVRTC that compiles for sm_{arch} (found: {installed}): {INSTALL}")


def compile_cubin(
    source: Path,
    arch: str,
    defines: Mapping[str, object] | None = None,
    newest_major: int | None = None,
) -> Cubin:
    """Compile ``source`` for ``arch`` with these macros, or take it from the cache.

    newest_major: of the CUDA versions whose code may be made. Raises KernelError.
    """
    compiler = compiler_for(arch, newest_major)
    options = [f"-arch=sm_{arch}", "-std=c++17"]
    options += [f"-D{name}={value}" for name, value in sorted((defines or {}).items())]
    text = expanded(source)
    key = cubins.digest("\0".join([compiler.name, *options, text]).encode())

    def built() -> bytes:
        return _COMPILERS.submit(_build, compiler, source.name, text, options).result()

    path = cubins.kept(f"{source.stem}-{arch}-{key}", built)
    return Cubin(path, source.name, arch, compiler.name)


_COMPILERS = ThreadPoolExecutor(processors(), "compile")
"""The threads that compile, however many ask: each takes a processor, and keeps tens of MB for its
next time."""


def expanded(source: Path) -> str:
    """The text of a kernel with its includes in their places: one text is all that is compiled.

    An include lies beside the kernel, or in SHARED.
    """
    text = source.read_text(encoding="utf-8")
    for name in re.findall(r'^#include "(.+)"$', text, re.MULTILINE):
        line = text[: text.index(f'#include "{name}"')].count("\n") + 1
        beside = source.parent / name
        header = beside if beside.exists() else SHARED / name
        inside = f'#line 1 "{name}"\n{expanded(header)}\n#line {line + 1} "{source.name}"'
        text = text.replace(f'#include "{name}"', inside)
    return text


def _build(compiler: Compiler, name: str, text: str, options: Sequence[str]) -> bytes:
    lib, program = compiler.load(), ctypes.c_void_p()
    lib.nvrtcCreateProgram(ctypes.byref(program), text.encode(), name.encode(), 0, None, None)
    try:
        array = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
        if lib.nvrtcCompileProgram(program, len(options), array):
            raise KernelError(_first_error(name, _text(lib, program), options[0]))
        size = ctypes.c_size_t()
        lib.nvrtcGetCUBINSize(program, ctypes.byref(size))
        data = ctypes.create_string_buffer(size.value)
        lib.nvrtcGetCUBIN(program, data)
        return data.raw
    finally:
        lib.nvrtcDestroyProgram(ctypes.byref(program))


def _text(lib: ctypes.CDLL, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    data = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetProgramLog(program, data)
    return data.value.decode(errors="replace")


def _first_error(name: str, log: str, arch: str) -> str:
    """``fma.cu line 12: identifier "x" is undefined (-arch=sm_90)`` from the compiler's log."""
    found = re.search(r"\((\d+)\): error:? *(.*)", log) or re.search(
        r"line (\d+);?[^:]*: *error *: *(.*)", log
    )
    if found:
        return f"{name} line {found[1]}: {found[2].strip()} ({arch})"
    lines = [line.strip() for line in log.splitlines() if "error" in line.lower()]
    return f"{name}: {(lines or [log.strip() or 'unknown error'])[0]} ({arch})"
