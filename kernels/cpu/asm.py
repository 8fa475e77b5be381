"""Read the assembly of a CPU kernel and hold it against the work it claims: does the hot loop
really do it?

A chain that the compiler removed, halved or turned into narrower instructions shows here, before
any clock.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from kernels.base import Audit, Work

_LABEL = re.compile(r"^(\.?L\w+):")
_JUMP = re.compile(r"^\s+(?:j[a-z]+|b(?:\.[a-z]+)?|cbn?z|tbn?z)\s+(?:#?\w+,\s*)*(\.?L\w+)\s*$")
_CALL = re.compile(r"^\s+(?:callq?|blr?)\s+(\S+)")
_COMMENT = re.compile(r"//.*|#+(\s.*|$)")  # Arm's numbers begin with # too, without a space
_WIDTHS = (("zmm", 512), ("ymm", 256), ("xmm", 128))
# Arm writes the lanes into the register name: v3.2d, v3.4s, v3.8h, v3.16b.
_NEON = re.compile(r"\bv\d+\.(2d|4s|8h|16b)\b")


@dataclass(frozen=True)
class Spec:
    """What to look for: a pattern of mnemonics, operations a matching instruction does per 128
    bits, and how often the declared work runs the loop body (all threads together). per_128 0: only
    name the instruction."""

    pattern: str
    per_128: float = 0.0
    bodies: float = 1.0


def loops(assembly: str) -> list[list[str]]:
    """Instruction lines of every innermost loop: from a label to the jump back to it, no loop
    inside.
    """
    lines = [_COMMENT.sub("", line).rstrip() for line in assembly.splitlines()]
    seen: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        if label := _LABEL.match(line):
            seen[label[1]] = number
        elif (jump := _JUMP.match(line)) and jump[1] in seen:
            spans.append((seen[jump[1]], number))
    inner = [s for s in spans if not any(s[0] <= t[0] and t[1] <= s[1] and t != s for t in spans)]
    return [[text for text in lines[a:b] if re.match(r"^\s+[a-z]", text)] for a, b in inner]


def instruction(line: str) -> tuple[str, int]:
    """Mnemonic with its register class, and the vector width in bits: (``vfmadd231pd zmm``,
    512).
    """
    mnemonic = line.split()[0]
    for name, bits in _WIDTHS:
        if f"%{name}" in line:
            return f"{mnemonic} {name}", bits
    if lanes := _NEON.search(line):
        return f"{mnemonic} .{lanes[1]}", 128
    return mnemonic, 0


def audit(assembly: str, spec: Spec, work: Work) -> Audit:
    """Find the hot loop of a kernel and count. The problem names both numbers if they differ by
    over 0.1 %.

    A loop that calls a function is none of ours: it stands in for an instruction that the compiler
    does not use.
    """
    wanted = re.compile(spec.pattern)
    inner = loops(assembly)
    calls = [call[1] for body in inner for line in body if (call := _CALL.match(line))]
    if calls:
        return Audit(
            problem=f"a loop of the machine code calls {calls[0]}: no instruction does this here"
        )
    found = [
        [instruction(line) for line in body if wanted.match(line.split()[0])] for body in inner
    ]
    best = max(found, key=len, default=[])
    if not best:
        return Audit(
            problem=(
                f"no loop of the machine code holds {spec.pattern}: the compiler removed the work"
            )
        )
    names = "+".join(name for name, _ in Counter(best))
    done = sum(bits / 128 * spec.per_128 for _, bits in best) * spec.bodies
    if spec.per_128 and abs(done - work.flops) > 1e-3 * work.flops:
        return Audit(
            names, f"the machine code does {done:.6g} operations a repetition, not {work.flops:.6g}"
        )
    return Audit(names)
