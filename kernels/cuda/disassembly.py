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
_TARGET = re.compile(r"\b0x([0-9a-f]+)$")
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


_GUARD, _TURN = threading.Lock(), threading.Lock()
_ASKED: list[tuple[Cubin, Future[Code]]] = []


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
            for arch in dict.fromkeys(each.arch for each, _ in asked):
                _answer(arch, [(each.path, future) for each, future in asked if each.arch == arch])
    return code.result()


def _answer(arch: str, asked: Sequence[tuple[Path, Future[Code]]]) -> None:
    """Set each future to the code of its file, or to what went wrong."""
    try:
        codes = read(arch, [path for path, _ in asked])
    except BaseException as error:  # an interrupt, too: nobody may wait for ever
        if isinstance(error, OSError) and len(asked) > 1:
            for each in asked:  # one of the files may be damaged
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
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + size * k) for k in range(count)]
    labels = headers[names][4]
    for label, *_, at, length in headers:
        name = elf[labels + label :].split(b"\0", 1)[0]
        if name.startswith(b".text."):
            yield elf[at : at + length]
