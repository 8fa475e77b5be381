"""The instructions of matrix units, one row each: a new shape or type is one more row.

Paths are the ways to the unit: wmma and mma (one warp, registers), mma_sp (A 2:4 sparse), wgmma and
wgmma_sp (four warps, shared memory, Hopper). Sparse rows count the logical 2 m n k. Shapes and
types: PTX ISA, "Warp-level matrix instructions" and "Asynchronous warpgroup level matrix
instructions". Opcodes: what NVRTC 13.5 makes of them, disassembled.
"""

from __future__ import annotations

from dataclasses import dataclass

FRACTION_BITS = {"fp64": 52, "fp32": 23, "fp16": 10, "int32": 31}
"""Bits an accumulator keeps behind its first. Units truncate rather than round: Fasi et al.,
"Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 2021."""
# DeepSeek-V3 Technical Report (2024), section 3.3.2: FP8 products add up in about 14 bits
HOPPER_FP8_BITS = 13

Opcodes = tuple[tuple[int, str], ...]
"""The machine instruction from an architecture on: ``((75, "HMMA.1688.F32"), (80,
"HMMA.16816.F32"))``. A leading ``~`` marks an emulation by other instructions, ``CALL`` by a
software routine, ``-`` one that is of no use."""


@dataclass(frozen=True)
class Instruction:
    """One PTX instruction."""

    path: str
    """The way to the unit: wmma, mma, mma_sp, wgmma or wgmma_sp."""
    dtype: str
    """Type of the operands, as in tags."""
    accumulator: str
    """Type of the accumulator."""
    shape: str
    """Its logical shape: ``m16n8k16``."""
    since: float
    """First compute capability that has it."""
    opcodes: Opcodes
    """What it becomes."""
    element: str = ""
    """Format of the operands, where a type has several."""
    only: str = ""
    """The compute capability that it is limited to, if it is."""
    bits: int = 0
    """Bits of the accumulator's fraction, where they are not those of its type."""

    @property
    def mnk(self) -> tuple[int, int, int]:
        """Rows, columns and depth."""
        m, _, rest = self.shape[1:].partition("n")
        n, _, k = rest.partition("k")
        return int(m), int(n), int(k)

    @property
    def m(self) -> int:
        """Rows of A."""
        return self.mnk[0]

    @property
    def n(self) -> int:
        """Columns of B."""
        return self.mnk[1]

    @property
    def k(self) -> int:
        """Columns of A, zeros included."""
        return self.mnk[2]

    @property
    def format(self) -> str:
        """Name of the operands' format in ``kernels.formats.FORMATS``."""
        return self.element or self.dtype

    @property
    def fraction_bits(self) -> int:
        """Bits of the accumulator's fraction, by which random operands are checked."""
        return self.bits or FRACTION_BITS[self.accumulator]

    @property
    def sparse(self) -> bool:
        """Whether A is 2:4 sparse."""
        return self.path.endswith("_sp")

    @property
    def warpgroup(self) -> bool:
        """Whether four warps issue it together."""
        return self.path.startswith("wgmma")

    @property
    def slices(self) -> int:
        """How many parts of k are ready at once: one in registers, four in shared memory."""
        return 4 if self.warpgroup else 1

    @property
    def copies(self) -> int:
        """Products one instruction makes: Volta's m8n8k4 makes one for each of four quad pairs."""
        return 4 if self.shape == "m8n8k4" and self.dtype == "fp16" else 1

    @property
    def operations(self) -> int:
        """Operations of one instruction."""
        return 2 * self.m * self.n * self.k * self.copies

    @property
    def tag(self) -> str:
        """``compute/fp16/mma-fp32``; an accumulator of the operands' own wide type is not named."""
        suffix = "" if self.dtype == "fp64" else f"-{self.accumulator}"
        variant = "/e5m2" if self.element == "e5m2" else ""
        return f"compute/{self.dtype}/{self.path}{suffix}{variant}"

    def opcode(self, arch: str) -> str:
        """The machine instruction on ``arch`` (``90a``)."""
        number = int(arch.rstrip("af"))
        return next(
            (code for since, code in reversed(self.opcodes) if since <= number), self.opcodes[0][1]
        )

    def emulated(self, arch: str) -> bool:
        """Whether ``arch`` does it with other instructions."""
        return self.opcode(arch).startswith(("~", "CALL"))

    def missing(self, capability: str) -> str:
        """Why a device of this compute capability (``8.6``) does not have it, or nothing."""
        name = f"{self.format} {'sparse ' if self.sparse else ''}{self.path.removesuffix('_sp')}"
        if self.only and capability != self.only:
            return (
                f"sm_{capability.replace('.', '')} has no {name} "
                f"(sm_{self.only.replace('.', '')} only)"
            )
        if float(capability) < self.since:
            return (
                f"sm_{capability.replace('.', '')} has no {name} (since sm_{self.since * 10:.0f})"
            )
        if self.opcode(capability.replace(".", "")) == "-":
            return f"sm_{capability.replace('.', '')} has no {name} in hardware"
        return ""


def _wmma() -> tuple[Instruction, ...]:
    """Every legal shape: they hold the same number of products."""
    types = (
        ("fp16", "fp32", 7.0, ((75, "HMMA.1688.F32"), (80, "HMMA.16816.F32"))),
        ("fp16", "fp16", 7.0, ((75, "HMMA.1688.F16"), (80, "HMMA.16816.F16"))),
        ("bf16", "fp32", 8.0, ((80, "HMMA.16816.F32.BF16"),)),
        ("int8", "int32", 7.2, ((75, "IMMA.8816.S8.S8"), (80, "IMMA.16816.S8.S8"))),
    )
    shapes = ("m16n16k16", "m32n8k16", "m8n32k16")
    return tuple(
        Instruction("wmma", d, acc, s, since, ops) for d, acc, since, ops in types for s in shapes
    )


_INT4_K32 = ((75, "IMMA.8832.S4.S4"), (90, "CALL"))
_E4M3 = (
    (89, "QMMA.16832.F32.E4M3.E4M3"),
    (90, "~HMMA.16816.F32"),
    (120, "QMMA.16832.F32.E4M3.E4M3"),
)
_E5M2 = (
    (89, "QMMA.16832.F32.E5M2.E5M2"),
    (90, "~HMMA.16816.F32"),
    (120, "QMMA.16832.F32.E5M2.E5M2"),
)
_E4M3_SPARSE = (
    (89, "QMMA.SP.16864.F32.E4M3.E4M3"),
    (90, "-"),
    (120, "QMMA.SP.16864.F32.E4M3.E4M3"),
)

TABLE = (
    *_wmma(),
    Instruction("wmma", "tf32", "fp32", "m16n16k8", 8.0, ((80, "HMMA.1684.F32.TF32"),)),
    Instruction("wmma", "int4", "int32", "m8n8k32", 7.5, _INT4_K32),
    Instruction("wmma", "fp64", "fp64", "m8n8k4", 8.0, ((80, "DMMA.884"), (90, "DMMA.8"))),
    # Of one type, the widest shape first.
    Instruction("mma", "fp16", "fp32", "m16n8k16", 8.0, ((80, "HMMA.16816.F32"),)),
    Instruction("mma", "fp16", "fp32", "m16n8k8", 7.5, ((75, "HMMA.1688.F32"),)),
    Instruction("mma", "fp16", "fp32", "m8n8k4", 7.0, ((70, "HMMA.884.F32.F32"), (80, "CALL"))),
    Instruction("mma", "fp16", "fp16", "m16n8k16", 8.0, ((80, "HMMA.16816.F16"),)),
    Instruction("mma", "fp16", "fp16", "m16n8k8", 7.5, ((75, "HMMA.1688.F16"),)),
    Instruction("mma", "fp16", "fp16", "m8n8k4", 7.0, ((70, "HMMA.884.F16.F16"), (80, "CALL"))),
    Instruction("mma", "bf16", "fp32", "m16n8k16", 8.0, ((80, "HMMA.16816.F32.BF16"),)),
    Instruction("mma", "tf32", "fp32", "m16n8k8", 8.0, ((80, "HMMA.1688.F32.TF32"),)),
    Instruction("mma", "int8", "int32", "m16n8k32", 8.0, ((80, "IMMA.16832.S8.S8"),)),
    Instruction(
        "mma",
        "int8",
        "int32",
        "m8n8k16",
        7.5,
        ((75, "IMMA.8816.S8.S8"), (100, "~IMMA.16816.S8.S8")),
    ),
    Instruction("mma", "int4", "int32", "m16n8k64", 8.0, ((80, "IMMA.16864.S4.S4"), (90, "CALL"))),
    Instruction("mma", "int4", "int32", "m8n8k32", 7.5, _INT4_K32),
    Instruction("mma", "fp64", "fp64", "m16n8k16", 9.0, ((90, "DMMA.16"), (100, "DMMA.8"))),
    Instruction("mma", "fp64", "fp64", "m8n8k4", 8.0, ((80, "DMMA.884"), (90, "DMMA.8"))),
    Instruction("mma", "fp8", "fp32", "m16n8k32", 8.9, _E4M3, "e4m3"),
    Instruction("mma", "fp8", "fp32", "m16n8k32", 8.9, _E5M2, "e5m2"),
    Instruction("mma_sp", "fp16", "fp32", "m16n8k32", 8.0, ((80, "HMMA.SP.16832.F32"),)),
    Instruction("mma_sp", "fp16", "fp16", "m16n8k32", 8.0, ((80, "HMMA.SP.16832.F16"),)),
    Instruction("mma_sp", "bf16", "fp32", "m16n8k32", 8.0, ((80, "HMMA.SP.16832.F32.BF16"),)),
    Instruction("mma_sp", "tf32", "fp32", "m16n8k16", 8.0, ((80, "HMMA.SP.16816.F32.TF32"),)),
    Instruction("mma_sp", "int8", "int32", "m16n8k64", 8.0, ((80, "IMMA.SP.16864.S8.S8"),)),
    Instruction("mma_sp", "fp8", "fp32", "m16n8k64", 8.9, _E4M3_SPARSE, "e4m3"),
    *(
        Instruction(
            path,
            dtype,
            accumulator,
            f"m64n256k{k * factor}",
            9.0,
            ((90, opcode),),
            element,
            "9.0",
            bits,
        )
        for path, factor in (("wgmma", 1), ("wgmma_sp", 2))
        for dtype, accumulator, k, unit, element, bits in (
            ("fp16", "fp32", 16, "HGMMA", "", 0),
            ("fp16", "fp16", 16, "HGMMA", "", 0),
            ("bf16", "fp32", 16, "HGMMA", "", 0),
            ("tf32", "fp32", 8, "HGMMA", "", 0),
            ("fp8", "fp32", 32, "QGMMA", "e4m3", HOPPER_FP8_BITS),
            ("fp8", "fp32", 32, "QGMMA", "e5m2", HOPPER_FP8_BITS),
            ("int8", "int32", 32, "IGMMA", "", 0),
        )
        for opcode in (f"{unit}.SP.64" if factor == 2 else f"{unit}.64",)
    ),
)


def choose(capability: str) -> list[Instruction]:
    """The rows that a device has, of each type the widest shape (wmma: every shape).

    For each tag that it lacks there is one row more, which says why (``missing``).
    """
    have = [row for row in TABLE if not row.missing(capability)]
    widest = {(row.tag, row.shape if row.path == "wmma" else ""): row for row in reversed(have)}
    kept = [row for row in have if row in widest.values()]
    lacking = {row.tag: row for row in TABLE if row.tag not in {k.tag for k in kept}}
    return kept + list(lacking.values())
