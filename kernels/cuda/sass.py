"""Read the machine code of a GPU kernel and hold it against the work it claims: on the unit it
claims, all of it.

The field's benchmarks print rates of chains that the compiler removed, and of instructions that
became other ones. The disassembler of the cubin that will be timed tells both, with no GPU.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

from kernels import base
from kernels.base import Audit, KernelError, Work
from kernels.cuda import disassembly
from kernels.cuda.cubins import alone, answers, keep_answers
from kernels.cuda.disassembly import Code, disassemble
from kernels.cuda.nvrtc import Cubin

NOT_AUDITED = "not audited: no disassembler (pip install nvidia-cuda-nvdisasm)"
_NO_ISSUE = ("NOP",)
_LOCAL = ("LDL", "STL")
WARP = 32


@dataclass(frozen=True)
class Spec:
    """What a launch must do in one repetition.

    pattern: opcodes that do the work. per_warp: operations one such instruction does for a warp.
    warps: how often the loop body runs in a repetition, all warps together. overhead: largest share
    of the loop's instructions that may be something else.
    """

    pattern: str
    per_warp: float
    warps: float
    overhead: float = 1.0


@lru_cache(maxsize=64)
def _code(cubin: Cubin) -> Code:
    """Kept for the next question: points of a sweep share a kernel, and each asks for its own
    count.
    """
    return disassemble(cubin)


def loops(code: Code) -> list[Code]:
    """The innermost loops: from where a branch leads back to the branch, with no other loop
    inside.
    """
    spans = [(i.target, i.at) for i in code if i.target is not None and i.target <= i.at]
    inner = [s for s in spans if not any(s[0] <= t[0] and t[1] <= s[1] and t != s for t in spans)]
    return [[i for i in code if a <= i.at <= b] for a, b in inner]


def audit(cubin: Cubin, spec: Spec, work: Work) -> Audit:
    """Count the hot loop of ``cubin`` and hold it against ``spec`` and the declared work."""
    return _kept(
        cubin, json.dumps([asdict(spec), work.flops]), lambda code: inspect(code, spec, work)
    )


def wide_access(cubin: Cubin, loads: int, stores: int) -> Audit:
    """A stream must move whole 16-byte vectors: count the 128-bit loads and stores of a thread;
    none may spill.
    """
    return _kept(
        cubin, f"{loads} loads, {stores} stores", lambda code: _vectors(code, loads, stores)
    )


def _kept(cubin: Cubin, question: str, look: Callable[[Code], Audit]) -> Audit:
    """The answer kept beside the cubin, or a new one. No disassembler is a note, not a problem, and
    is not kept.
    """
    path, key = cubin.path.with_suffix(".sass.json"), f"{_version()} {question}"
    with alone(path):
        stored = answers(path)
        if key in stored:
            return Audit(**stored[key])
        try:
            found = look(_code(cubin))
        except (OSError, subprocess.SubprocessError) as error:
            return Audit(note=why_not(cubin, error))
        with contextlib.suppress(KernelError):  # the cache only saves time
            keep_answers(path, {**stored, key: asdict(found)})
    return found


@cache
def _version() -> str:
    """Of the code that looks, and of the answer it gives: a changed audit looks again."""
    sources = (Path(module) for module in (__file__, disassembly.__file__, base.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def why_not(cubin: Cubin, error: Exception) -> str:
    """What kept the disassembler from reading a cubin, as the note of its row."""
    if disassembly.disassembler() is None:
        return NOT_AUDITED
    if isinstance(error, subprocess.CalledProcessError):
        return f"not audited: nvdisasm refuses sm_{cubin.arch}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not audited: nvdisasm took longer than {error.timeout:g} s"
    return f"not audited: {(getattr(error, 'strerror', None) or str(error)).lower()}"


def inspect(code: Code, spec: Spec, work: Work) -> Audit:
    """Hold the code against ``spec`` and the declared work of one repetition."""
    wanted = re.compile(spec.pattern)
    body = max(
        loops(code), key=lambda loop: sum(bool(wanted.match(i.opcode)) for i in loop), default=[]
    )
    counted = [i.opcode for i in body if wanted.match(i.opcode)]
    name = "+".join(sorted(Counter(counted)))
    return Audit(name, _problem(code, body, counted, spec, work), operations=spec.per_warp)


def _problem(code: Code, body: Code, counted: list[str], spec: Spec, work: Work) -> str:
    if not counted:
        return f"no loop of the machine code holds {spec.pattern}: the compiler removed the work"
    if spill := _spill(code):
        return spill
    # A predicated CALL is how some architectures leave a long loop; a routine is called every time.
    if any(i.opcode.startswith("CALL") and not i.predicated for i in body):
        return "the loop calls a software routine"
    done = len(counted) * spec.per_warp * spec.warps
    if abs(done - work.flops) > 1e-3 * work.flops:
        return f"the machine code does {done:.6g} operations a repetition, not {work.flops:.6g}"
    issued = [i for i in body if i.opcode not in _NO_ISSUE]
    if (share := 1 - len(counted) / len(issued)) > spec.overhead:
        return (
            f"{share:.1%} of the loop's instructions are not {spec.pattern}, more than "
            f"{spec.overhead:.1%}"
        )
    return ""


def _spill(code: Code) -> str:
    opcode = next((i.opcode for i in code if i.opcode.startswith(_LOCAL)), "")
    return f"the machine code spills registers to local memory ({opcode})" if opcode else ""


def _vectors(code: Code, loads: int, stores: int) -> Audit:
    opcodes = [i.opcode for i in code]
    found = {
        kind: [op for op in opcodes if op.startswith(kind) and ".128" in op]
        for kind in ("LDG", "STG")
    }
    name = "+".join(sorted({op for ops in found.values() for op in ops}))
    have = len(found["LDG"]), len(found["STG"])
    wrong = have != (loads, stores)
    problem = (
        f"{have[0]} loads and {have[1]} stores of 128 bits a thread, not {loads} and {stores}"
        if wrong
        else ""
    )
    return Audit(
        name, _spill(code) or problem
    )  # what spills is traffic that the work does not declare
