"""Hold the assembly of a CPU kernel against the work it claims: does the hot loop really do it?

A chain that the compiler removed, halved or turned into narrower instructions shows here, before
any clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernels.base import Audit, Work

_LABEL = re.compile(r"^(\.?L\w+):")
_JUMP = re.compile(r"^\s+(?:j[a-z]+|b(?:\.[a-z]+)?|cbn?z|tbn?z)\s+(?:#?\w+,\s*)*(\.?L\w+)\s*$")
_CALL = re.compile(r"^\s+(?:callq?|blr?)\s+(\S+)")
_INSTRUCTION = re.compile(r"^\s+[a-z]")
_COMMENT = re.compile(r"//.*|#+(\s.*|$)")  # Arm's numbers begin with # too, without a space
_X86_BITS = {"zmm": 512, "ymm": 256, "xmm": 128}  # of a register, by its name
# Arm writes the lanes into the register name: v3.2d, v3.4s, v3.8h, v3.16b.
_NEON = re.compile(r"\bv\d+\.(2d|4s|8h|16b)\b")
_NEON_BITS = 128
_SVE = re.compile(r"\bz\d+\.([bhsd])\b")  # how long they are, the assembly does not tell
_TOLERANCE = 1e-3  # of the declared work


@dataclass(frozen=True)
class Spec:
    """What to look for in the hot loop."""

    pattern: str
    """Regular expression of the mnemonics that do the work."""
    per_128: float = 0.0
    """Operations a matching instruction does in each 128 bits; 0: only name the instruction."""
    bodies: float = 1.0
    """How often the declared work runs the loop body, all threads together."""
    sve_bits: int = 0
    """Of a register of SVE, where the code is written for those."""


def loops(assembly: str) -> list[list[str]]:
    """Instruction lines of every innermost loop: from a label to a jump back, no loop inside."""
    lines = [_COMMENT.sub("", line).rstrip() for line in assembly.splitlines()]
    line_of_label: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        label = _LABEL.match(line)
        jump = _JUMP.match(line)
        if label:
            line_of_label[label[1]] = number
        elif jump and jump[1] in line_of_label:
            spans.append((line_of_label[jump[1]], number))
    bodies = []
    for first, last in spans:
        inside = [span for span in spans if first <= span[0] and span[1] <= last]
        if all(span == (first, last) for span in inside):
            bodies.append([line for line in lines[first:last] if _INSTRUCTION.match(line)])
    return bodies


def instruction(line: str, sve_bits: int = 0) -> tuple[str, int]:
    """Mnemonic with its register class, and the width in bits: (``vfmadd231pd zmm``, 512).

    The width is 0 where the line names no vector register. sve_bits: of a register of SVE.
    """
    mnemonic = line.split()[0]
    for register, bits in _X86_BITS.items():
        if f"%{register}" in line:
            return f"{mnemonic} {register}", bits
    if lanes := _NEON.search(line):
        return f"{mnemonic} .{lanes[1]}", _NEON_BITS
    if element := _SVE.search(line):
        return f"{mnemonic} z.{element[1]}", sve_bits
    return mnemonic, 0


def audit(assembly: str, spec: Spec, work: Work) -> Audit:
    """Find the hot loop of a kernel and count its operations.

    The problem names both numbers if they differ from the work by over 0.1 %. A loop that calls a
    function is a problem, too: the function stands in for an instruction that the compiler does
    not use.
    """
    bodies = loops(assembly)
    for body in bodies:
        for line in body:
            if call := _CALL.match(line):
                return Audit(
                    problem=f"a loop of the machine code calls {call[1]}: "
                    "no instruction does this here"
                )
    mnemonics = re.compile(spec.pattern)
    matching = [_matching(body, mnemonics, spec.sve_bits) for body in bodies]
    hot = max(matching, key=len, default=[])
    if not hot:
        return Audit(
            problem=f"no loop of the machine code holds {spec.pattern}: the compiler removed the "
            "work"
        )
    names = "+".join(dict.fromkeys(name for name, _ in hot))
    operations_a_body = sum(bits / 128 * spec.per_128 for _, bits in hot)
    operations = operations_a_body * spec.bodies
    if spec.per_128 and abs(operations - work.flops) > _TOLERANCE * work.flops:
        return Audit(
            names,
            f"the machine code does {operations:.6g} operations a repetition, not {work.flops:.6g}",
        )
    return Audit(names)


def _matching(body: list[str], mnemonics: re.Pattern[str], sve_bits: int) -> list[tuple[str, int]]:
    """``instruction`` of each line whose mnemonic matches."""
    return [instruction(line, sve_bits) for line in body if mnemonics.match(line.split()[0])]
