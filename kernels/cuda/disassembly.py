"""The machine code of compiled kernels, instruction by instruction: many kernels with one start of
the disassembler.

nvdisasm takes one file, a fifth of a second to start, and hardly more to read it. So the kernels
that several threads ask for meanwhile are put one behind another, as bare code, and told apart
again by their addresses.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kernels.cuda.nvrtc import Cubin

Code = Sequence["Instruction"]
_LINE = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+\s+)?([A-Z][A-Z0-9_.x]*)([^;]*);")
_TARGET = re.compile(r"\b0x([0-9a-f]+)$")
SECONDS = 60  # most that a disassembler may take, and one for each kernel


@dataclass(frozen=True)
class Instruction:
    """One instruction: opcode with modifiers (``HMMA.16816.F32``), and whether it has a predicate.

    at: its place in the code, in bytes; target: likewise where a branch leads, if it is one.
    """

    opcode: str
    predicated: bool = False
    at: int = 0
    target: int | None = None


@cache
def disassembler() -> str | None:
    """Path of nvdisasm from the Python packages, the PATH or the CUDA toolkit; None if there is
    none.
    """
    packaged = [
        path
        for folder in sys.path
        if folder
        for path in sorted(Path(folder).glob("nvidia/*/bin/nvdisasm*"))
    ]
    usual = [shutil.which("nvdisasm"), "/usr/local/cuda/bin/nvdisasm", *map(str, packaged)]
    return next((str(path) for path in reversed(usual) if path and os.access(path, os.X_OK)), None)


_GUARD, _TURN = threading.Lock(), threading.Lock()
_ASKED: list[tuple[Cubin, Future[Code]]] = []


def disassemble(cubin: Cubin) -> Code:
    """The instructions of ``cubin`` in order.

    Raises OSError or subprocess.SubprocessError where the disassembler is missing or refuses the
    file (sm_70, sm_72).
    """
    mine: Future[Code] = Future()
    with _GUARD:
        _ASKED.append((cubin, mine))
    with _TURN:  # one thread reads for all that wait, which then find their answers here
        if not mine.done():
            with _GUARD:
                asked, _ASKED[:] = list(_ASKED), []
            for arch in dict.fromkeys(cubin.arch for cubin, _ in asked):
                _answer(
                    arch, [(cubin.path, future) for cubin, future in asked if cubin.arch == arch]
                )
    return mine.result()


def _answer(arch: str, asked: Sequence[tuple[Path, Future[Code]]]) -> None:
    """Give each who asked the code of his file, or what went wrong."""
    try:
        codes = read(arch, [path for path, _ in asked])
    except BaseException as error:  # an interrupt, too: nobody may wait for ever
        if (
            isinstance(error, OSError) and len(asked) > 1
        ):  # one file may be damaged: then each alone
            for each in asked:
                _answer(arch, [each])
        else:
            for _, future in asked:
                future.set_exception(error)
    else:
        for (_, future), code in zip(asked, codes, strict=True):
            future.set_result(code)


def read(arch: str, paths: Sequence[Path]) -> list[Code]:
    """The instructions of each file. Raises as ``disassemble`` does."""
    tool = disassembler()
    if tool is None:
        raise FileNotFoundError("nvdisasm")
    codes = [bare(path.read_bytes()) for path in paths]
    with tempfile.NamedTemporaryFile(prefix="ridgeline-", suffix=".bin") as file:
        file.write(b"".join(codes))
        file.flush()
        command = [tool, "--binary", f"SM{arch}", file.name]
        text = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=SECONDS + len(paths)
        ).stdout
    return list(_apart(parse(text.splitlines()), [len(code) for code in codes]))


def _apart(listing: Iterable[Instruction], lengths: Iterable[int]) -> Iterator[Code]:
    """The instructions of each of several codes that lie one behind another, each counted from its
    own beginning.
    """
    waiting, begin = iter(listing), 0
    later = next(waiting, None)
    for length in lengths:
        code = []
        while later and later.at < begin + length:
            target = None if later.target is None else later.target - begin
            code.append(replace(later, at=later.at - begin, target=target))
            later = next(waiting, None)
        yield code
        begin += length


def parse(lines: Iterable[str]) -> Iterator[Instruction]:
    """Instructions from nvdisasm's listing of bare code."""
    for line in lines:
        if found := _LINE.search(line):
            leads = _TARGET.search(found[4].strip()) if found[3].startswith("BRA") else None
            yield Instruction(
                found[3], bool(found[2]), int(found[1], 16), int(leads[1], 16) if leads else None
            )


def bare(elf: bytes) -> bytes:
    """The code sections of a cubin, one behind another, as its section headers name them (ELF64,
    little-endian).

    Raises OSError where it is none.
    """
    try:
        return b"".join(_sections(elf))
    except (struct.error, IndexError):
        raise OSError("the cubin is damaged") from None


def _sections(elf: bytes) -> Iterator[bytes]:
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + size * k) for k in range(count)]
    label = lambda at: elf[headers[names][4] + at :].split(b"\0", 1)[0]  # noqa: E731
    yield from (
        elf[at : at + length]
        for name, *_, at, length in headers
        if label(name).startswith(b".text.")
    )
