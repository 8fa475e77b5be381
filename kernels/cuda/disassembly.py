"""The machine code of compiled kernels, instruction by instruction.

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
"""A line of nvdisasm's listing: ``/*0040*/ @P0 BRA 0x80 ;``."""
_TARGET = re.compile(r"\b0x([0-9a-f]+)$")
"""The address at the end of a branch's operands."""
SECONDS = 60
"""What the disassembler may take, and one more for each kernel."""


@dataclass(frozen=True)
class Instruction:
    """One instruction."""

    opcode: str
    """With its modifiers: ``HMMA.16816.F32``."""
    predicated: bool = False
    """True if it is done on a condition only."""
    at: int = 0
    """Its place in the code, in bytes."""
    target: int | None = None
    """Where a branch leads, likewise; None of other instructions."""


@cache
def disassembler() -> str | None:
    """Path of nvdisasm in the Python packages, the CUDA toolkit or the PATH; None without one."""
    places = [shutil.which("nvdisasm") or "", "/usr/local/cuda/bin/nvdisasm"]
    for folder in filter(None, sys.path):
        places += map(str, sorted(Path(folder).glob("nvidia/*/bin/nvdisasm*")))
    for place in reversed(places):
        if place and os.access(place, os.X_OK):
            return place
    return None


_ASKED: list[tuple[Cubin, Future[Code]]] = []
"""The cubins that wait to be read, each with the future that is to get its instructions."""
_GUARD = threading.Lock()
"""Held while _ASKED is read or changed."""
_TURN = threading.Lock()
"""Held by the one thread that runs nvdisasm; meanwhile the others ask."""


def disassemble(cubin: Cubin) -> Code:
    """The instructions of ``cubin`` in order.

    Raises OSError or subprocess.SubprocessError where the disassembler is missing or refuses the
    file (sm_70, sm_72).
    """
    code: Future[Code] = Future()
    with _GUARD:
        _ASKED.append((cubin, code))
    with _TURN:  # one thread reads for all that wait, which then find their answers here
        if not code.done():
            with _GUARD:
                asked = list(_ASKED)
                _ASKED.clear()
            by_arch: dict[str, list[tuple[Path, Future[Code]]]] = {}
            for waiting, future in asked:
                by_arch.setdefault(waiting.arch, []).append((waiting.path, future))
            for arch, asked_of_arch in by_arch.items():
                _answer(arch, asked_of_arch)
    return code.result()


def _answer(arch: str, asked: Sequence[tuple[Path, Future[Code]]]) -> None:
    """Set each future to the code of its file, or to what went wrong."""
    try:
        codes = read(arch, [path for path, _ in asked])
    except BaseException as error:  # an interrupt, too: nobody may wait for ever
        if isinstance(error, OSError) and len(asked) > 1:
            # one of the files may be damaged: read apart, the others still get their code
            for path, future in asked:
                _answer(arch, [(path, future)])
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
    """The instructions of codes that lie one behind another, each counted from its own beginning.

    lengths: of the codes, in bytes.
    """
    instructions = iter(listing)
    following = next(instructions, None)
    begin = 0
    for length in lengths:
        code = []
        while following and following.at < begin + length:
            target = None if following.target is None else following.target - begin
            code.append(replace(following, at=following.at - begin, target=target))
            following = next(instructions, None)
        yield code
        begin += length


def parse(lines: Iterable[str]) -> Iterator[Instruction]:
    """Instructions from nvdisasm's listing of bare code."""
    for line in lines:
        if parts := _LINE.search(line):
            place, predicate, opcode, operands = parts.groups()
            address = _TARGET.search(operands.strip()) if opcode.startswith("BRA") else None
            target = int(address[1], 16) if address else None
            yield Instruction(opcode, bool(predicate), int(place, 16), target)


def bare(elf: bytes) -> bytes:
    """The code sections of a cubin (ELF64, little-endian), one behind another.

    Raises OSError where it is none.
    """
    try:
        return b"".join(_sections(elf))
    except (struct.error, IndexError):
        raise OSError("the cubin is damaged") from None


def _sections(elf: bytes) -> Iterator[bytes]:
    """The sections named ``.text.*``. Fields and offsets are those of elf.h."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)  # e_shoff
    # e_shentsize, e_shnum, e_shstrndx: the last is the section that holds the names of all
    header_bytes, count, names_index = struct.unpack_from("<HHH", elf, 0x3A)
    # sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size
    headers = [struct.unpack_from("<IIQQQQ", elf, table + header_bytes * k) for k in range(count)]
    names_at = headers[names_index][4]
    for name_offset, _, _, _, at, length in headers:
        name = elf[names_at + name_offset :].split(b"\0", 1)[0]
        if name.startswith(b".text."):
            yield elf[at : at + length]
