"""Hold the machine code of a GPU kernel against the work, and the unit, that it claims.

The field's benchmarks print rates of chains that the compiler removed, and of instructions that
became other ones. The disassembler of the cubin that will be timed tells both, with no GPU.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Mapping
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
"""Threads of a warp."""


@dataclass(frozen=True)
class Spec:
    """What a launch must do in one repetition."""

    pattern: str
    """Opcodes that do the work, as a regular expression."""
    per_warp: float
    """Operations that one such instruction does for a warp."""
    warps: float
    """How often the loop body runs in a repetition, all warps together."""
    overhead: float = 1.0
    """Largest share of the loop's instructions that may be something else."""
    has_routine: bool = False
    """True if the loop may call a routine, for operands that are rare."""


@lru_cache(maxsize=64)
def code_of(cubin: Cubin) -> Code:
    """The instructions, kept for the next question.

    Points of a sweep share a kernel, and each asks for its own count.
    """
    return disassemble(cubin)


def loops(code: Code) -> list[Code]:
    """The innermost loops: each from where a branch leads back to, to the branch."""
    spans = [(i.target, i.at) for i in code if i.target is not None and i.target <= i.at]
    innermost: list[Code] = []
    for begin, end in spans:
        others = (span for span in spans if span != (begin, end))
        holds_another = any(begin <= first and last <= end for first, last in others)
        if not holds_another:
            innermost.append([i for i in code if begin <= i.at <= end])
    return innermost


def audit(cubin: Cubin, spec: Spec, work: Work) -> Audit:
    """Count the hot loop of ``cubin`` and hold it against ``spec`` and the declared work."""
    return kept_answer(
        cubin, json.dumps([asdict(spec), work.flops]), lambda code: inspect(code, spec, work)
    )


def bytes_moved(cubin: Cubin, opcode: str, load_bytes: int, loads: int, work: Work) -> Audit:
    """Hold the hot loop against the declared bytes, which are its operations.

    opcode: of what moves them, as a regular expression. load_bytes: of a thread's load or store.
    loads: loads and stores of a trip, all of them declared.
    """
    per_warp = load_bytes * WARP
    trips = work.bytes / (loads * per_warp)
    return audit(cubin, Spec(opcode, per_warp, trips), Work(flops=work.bytes))


def whole_code(cubin: Cubin, expected: Mapping[str, int]) -> Audit:
    """Count instructions in the whole code, for kernels whose loops wait inside for barriers.

    expected: how many there should be, by a regular expression of their opcodes.
    """
    return kept_answer(cubin, json.dumps(dict(expected)), lambda code: _counted(code, expected))


def wide_access(cubin: Cubin, loads: int, stores: int, bits: int = 128) -> Audit:
    """Count the loads and stores of a thread that are ``bits`` wide: a stream's whole vectors.

    None may spill.
    """
    question = f"{loads} loads, {stores} stores of {bits} bits"
    return kept_answer(cubin, question, lambda code: _vectors(code, loads, stores, bits))


def kept_answer(cubin: Cubin, question: str, look: Callable[[Code], Audit]) -> Audit:
    """The answer kept beside the cubin, or a new one.

    That there is no disassembler is a note, not a problem, and is not kept.
    """
    path, key = cubin.path.with_suffix(".sass.json"), f"{audit_version()} {question}"
    with alone(path):
        stored = answers(path)
        if key in stored:
            return Audit(**stored[key])
        try:
            answer = look(code_of(cubin))
        except (OSError, subprocess.SubprocessError) as error:
            return Audit(note=why_not(cubin, error))
        with contextlib.suppress(KernelError):  # the cache only saves time
            keep_answers(path, {**stored, key: asdict(answer)})
    return answer


@cache
def audit_version() -> str:
    """A hash of the code that looks, and of the answer's type: a changed audit looks again."""
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

    def working(loop: Code) -> list[str]:
        return [i.opcode for i in loop if wanted.match(i.opcode)]

    body = max(loops(code), key=lambda loop: len(working(loop)), default=[])
    counted = working(body)
    name = "+".join(sorted(set(counted)))
    return Audit(name, _problem(code, body, counted, spec, work), operations=spec.per_warp)


def _problem(code: Code, body: Code, counted: list[str], spec: Spec, work: Work) -> str:
    if not counted:
        return f"no loop of the machine code holds {spec.pattern}: the compiler removed the work"
    if spill := _spill(code):
        return spill
    # A predicated CALL is how some architectures leave a long loop; a routine is called every time.
    calls = any(i.opcode.startswith("CALL") and not i.predicated for i in body)
    if calls and not spec.has_routine:
        return "the loop calls a software routine"
    done = len(counted) * spec.per_warp * spec.warps
    if abs(done - work.flops) > 1e-3 * work.flops:
        return f"the machine code does {done:.6g} operations a repetition, not {work.flops:.6g}"
    issued = [i for i in body if i.opcode not in _NO_ISSUE]
    share = 1 - len(counted) / len(issued)
    if share > spec.overhead:
        return (
            f"{share:.1%} of the loop's instructions are not {spec.pattern}, more than "
            f"{spec.overhead:.1%}"
        )
    return ""


def _spill(code: Code) -> str:
    opcode = next((i.opcode for i in code if i.opcode.startswith(_LOCAL)), "")
    return f"the machine code spills registers to local memory ({opcode})" if opcode else ""


def _vectors(code: Code, loads: int, stores: int, bits: int) -> Audit:
    wide = [i.opcode for i in code if f".{bits}" in i.opcode]
    wide_loads = [opcode for opcode in wide if opcode.startswith("LDG")]
    wide_stores = [opcode for opcode in wide if opcode.startswith("STG")]
    name = "+".join(sorted({*wide_loads, *wide_stores}))
    problem = _spill(code)  # what spills is traffic that the work does not declare
    if not problem and (len(wide_loads), len(wide_stores)) != (loads, stores):
        problem = (
            f"{len(wide_loads)} loads and {len(wide_stores)} stores of {bits} bits a thread, not "
            f"{loads} and {stores}"
        )
    return Audit(name, problem)


def _counted(code: Code, expected: Mapping[str, int]) -> Audit:
    names: set[str] = set()
    problem = _spill(code)
    for pattern, count in expected.items():
        opcodes = [i.opcode for i in code if re.match(pattern, i.opcode)]
        names.update(opcodes)
        if not problem and len(opcodes) != count:
            problem = f"the machine code holds {len(opcodes)} of {pattern}, not {count}"
    return Audit("+".join(sorted(names)), problem)
