"""A .cu file becomes machine code for one architecture, with no GPU, no driver and no headers.

NVIDIA's runtime compiler is called directly, so that any installed version serves any architecture
it knows: Volta needs NVRTC 12, Thor needs 13. The kernels write PTX inline and include only files
beside them, or beside this one.
"""

from __future__ import annotations

import ctypes
import hashlib
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

SHARED = Path(__file__).parent
"""Where headers lie that kernels of several folders include."""
INSTALL = "pip install -e '.[cu13]' (or '.[cu12]')"
SYSTEM_FOLDERS = (
    "usr/local/cuda*/lib64",
    "usr/local/cuda*/targets/*/lib",
    "usr/lib/*-linux-gnu",
    "opt/cuda/lib64",
)


@dataclass(frozen=True)
class Cubin:
    """Machine code for ``arch`` in a file named by its content, and the compiler it came from."""

    path: Path
    source: str
    arch: str
    compiler: str


@dataclass(frozen=True)
class Compiler:
    """One NVRTC library: its version and the architectures it names (``90``; variants such as
    ``90a`` unlisted).
    """

    path: Path
    version: tuple[int, int]
    archs: tuple[int, ...]

    def load(self) -> ctypes.CDLL:
        """The loaded library."""
        return ctypes.CDLL(str(self.path))

    @property
    def name(self) -> str:
        """``NVRTC 12.9``."""
        return f"NVRTC {self.version[0]}.{self.version[1]}"

    def knows(self, arch: str) -> bool:
        """Whether this compiler builds for ``arch``: its number is listed, and suffixes came with
        12.0 (90a).
        """
        return int(arch.rstrip("af")) in self.archs and (arch.isdigit() or self.version >= (12, 0))


@cache
def compilers() -> tuple[Compiler, ...]:
    """Every NVRTC found in the Python packages and the system's usual places, newest first."""
    found = {}
    for path in libraries("libnvrtc"):
        compiler = _open(path)
        if compiler and compiler.version not in found:
            found[compiler.version] = compiler
    return tuple(sorted(found.values(), key=lambda c: c.version, reverse=True))


def libraries(stem: str) -> Iterator[Path]:
    """Files ``<stem>.so.<major>`` of CUDA in the Python packages, then in the system's usual
    places.
    """
    packages = [lib for folder in sys.path if folder for lib in Path(folder).glob("nvidia/*/lib")]
    named = [
        Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if folder
    ]
    usual = [lib for pattern in SYSTEM_FOLDERS for lib in sorted(Path("/").glob(pattern))]
    for folder in (*packages, *named, Path(sys.prefix, "lib"), *usual):
        yield from sorted(
            p for p in folder.glob(f"{stem}.so.*") if re.fullmatch(rf"{stem}\.so\.\d+", p.name)
        )


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
    """The newest compiler that knows ``arch`` and whose code the driver (CUDA ``newest_major``) can
    load.

    A cubin loads on any driver of the same CUDA major version or a later one. Raises KernelError.
    """
    known = [c for c in compilers() if c.knows(arch)]
    fitting = [c for c in known if newest_major is None or c.version[0] <= newest_major]
    if fitting:
        return fitting[0]
    if known:
        needed = ", ".join(c.name for c in known)
        raise KernelError(
            f"the driver supports CUDA {newest_major}, but only {needed} builds for "
            f"sm_{arch}: {INSTALL}"
        )
    have = ", ".join(c.name for c in compilers()) or "none"
    raise KernelError(f"no NVRTC that compiles for sm_{arch} (found: {have}): {INSTALL}")


def compile_cubin(
    source: Path,
    arch: str,
    defines: Mapping[str, object] | None = None,
    newest_major: int | None = None,
) -> Cubin:
    """Compile ``source`` for ``arch`` with these macros, or take it from the cache. Raises
    KernelError.
    """
    compiler = compiler_for(arch, newest_major)
    options = [
        f"-arch=sm_{arch}",
        "-std=c++17",
        *(f"-D{k}={v}" for k, v in sorted((defines or {}).items())),
    ]
    text = expanded(source)
    key = hashlib.sha256("\0".join([compiler.name, *options, text]).encode()).hexdigest()[:32]

    def built() -> bytes:
        return _COMPILERS.submit(_build, compiler, source.name, text, options).result()

    path = cubins.kept(f"{source.stem}-{arch}-{key}", built)
    return Cubin(path, source.name, arch, compiler.name)


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_COMPILERS = ThreadPoolExecutor(processors(), "compile")
"""However many threads ask: every thread that compiles takes a processor, and keeps tens of MB for
its next time.
"""


def expanded(source: Path) -> str:
    """The text of a kernel with what it includes of ours in its place: one text is all that is
    compiled.
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
