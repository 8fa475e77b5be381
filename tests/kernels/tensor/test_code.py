"""Every matrix instruction is compiled for every architecture that has it, and does its work.

No GPU is needed for that.
"""

from __future__ import annotations

from typing import Any

import pytest

from kernels.base import Audit, Work
from kernels.cuda import disassembly, sass
from kernels.tensor import cuda as tensor_cuda
from kernels.tensor import ptx as tensor_ptx
from kernels.tensor import work as tensor_work
from kernels.tensor.table import Instruction, choose
from tests.devices import COMPILE_ONLY, SINCE_VOLTA, gpu
from tests.kernels.audits import read_at_once

EVERY_SHAPE = ("7.2", "7.5", "9.0")
"""Architectures for which all shapes of wmma are compiled: only their fragments differ."""
FURTHER_SHAPES = ("m32n8k16", "m8n32k16")  # of wmma, beside m16n16k16


def kernel_of(arch: str, row: Instruction, **changed: Any) -> tensor_cuda.TensorKernel:
    """The kernel of an instruction. changed: params other than those that are timed."""
    shape = tensor_work.launch_shape(row, arch.replace(".", ""))
    params = shape | {"blocks": 100, "operands": "random"} | changed
    build = tensor_cuda.WarpgroupKernel if row.warpgroup else tensor_cuda.WarpKernel
    return build(row, gpu(arch), row.dtype, params)


def audited(arch: str, row: Instruction, work: Work | None = None, **changed: Any) -> Audit:
    """The audit of an instruction's kernel, against its own work or another one.

    changed: params of the kernel other than those that are timed.
    """
    kernel = kernel_of(arch, row, **changed)
    return kernel.inspect(kernel.cubin, work or kernel.work())


def rows(arch: str) -> list[Instruction]:
    """The instructions that are compiled for an architecture here."""
    available = [row for row in choose(arch) if not row.missing(arch)]
    if arch in EVERY_SHAPE:
        return available
    return [row for row in available if row.path != "wmma" or row.shape not in FURTHER_SHAPES]


def row(arch: str, tag: str) -> Instruction:
    """The first instruction of an architecture with this tag."""
    return next(row for row in choose(arch) if row.tag == f"compute/{tag}")


@pytest.mark.parametrize("arch", SINCE_VOLTA)
def test_every_path_does_its_work(arch: str) -> None:
    instructions = rows(arch)
    kernels = [kernel_of(arch, instruction) for instruction in instructions]
    with read_at_once(kernels):
        audits = [kernel.audit(kernel.work()) for kernel in kernels]
    number = arch.replace(".", "")
    problems = {}
    for instruction, audit in zip(instructions, audits, strict=True):
        if audit.problem:
            problems[f"{instruction.tag} {instruction.shape}"] = audit.problem
    assert problems == {}
    for instruction, audit in zip(instructions, audits, strict=True):
        if arch in COMPILE_ONLY:
            assert audit.note == f"not audited: nvdisasm refuses sm_{number}"
            continue
        is_emulated = instruction.emulated(number)
        assert ("emulated" in audit.note) == is_emulated, instruction.tag
        assert audit.emulated == is_emulated, instruction.tag
        assert "not audited" not in audit.note
        opcode = instruction.opcode(number).strip("~").replace("CALL", "")
        assert audit.instruction.startswith(opcode), instruction.tag


def test_opcodes_are_what_the_hardware_calls_them() -> None:
    names = {}
    instructions = rows("9.0")
    kernels = [kernel_of("9.0", instruction) for instruction in instructions]
    with read_at_once(kernels):
        for instruction, kernel in zip(instructions, kernels, strict=True):
            tag = instruction.tag.removeprefix("compute/")
            names[tag] = kernel.audit(kernel.work()).instruction
    assert names["fp16/mma-fp32"] == "HMMA.16816.F32"
    assert names["int8/mma_sp-int32"] == "IMMA.SP.16864.S8.S8"
    assert names["fp16/wgmma-fp32"].startswith("HGMMA.64")
    assert names["fp8/wgmma_sp-fp32"].startswith("QGMMA.SP.64")
    assert names["int4/mma-int32"] == "IMMA.16832.S8.S8"


def test_metadata_is_called_ordered_only_where_the_compiler_knows_the_word() -> None:
    row = next(row for row in rows("8.7") if row.sparse)
    macro = tensor_ptx.text(tensor_ptx.multiply(row))
    assert macro.startswith(f'"mma.sp" {tensor_ptx.ORDERED} ".sync.aligned.')
    source = tensor_cuda.WarpKernel.source.read_text()
    assert f'#define {tensor_ptx.ORDERED} ""' in source
    assert f'#define {tensor_ptx.ORDERED} "::ordered_metadata"' in source


@pytest.mark.parametrize(
    ("arch", "tag"),
    [("8.0", "fp16/mma-fp32"), ("9.0", "fp16/wgmma-fp32"), ("8.0", "int8/wmma-int32")],
)
def test_a_wrong_count_of_operations_is_caught(arch: str, tag: str) -> None:
    instruction = row(arch, tag)
    params = tensor_work.launch_shape(instruction) | {"blocks": 100}
    twice = Work(flops=2 * tensor_work.work(instruction, **params).flops)
    assert "operations a repetition, not" in audited(arch, instruction, twice).problem


@pytest.mark.parametrize("arch", ["8.0", "9.0"])
def test_a_halved_loop_is_caught(arch: str) -> None:
    instruction = row(arch, "bf16/mma-fp32")
    params = tensor_work.launch_shape(instruction) | {"blocks": 100}
    whole = tensor_work.work(instruction, **params)
    halved = audited(arch, instruction, whole, steps=params["steps"] // 2)
    assert "operations a repetition, not" in halved.problem


def test_identical_chains_of_an_emulation_would_be_merged_and_that_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instruction = row("9.0", "fp8/mma-fp32")
    defines = tensor_ptx.defines

    def without(*args: Any) -> dict[str, object]:
        return {name: value for name, value in defines(*args).items() if name != "EMULATED"}

    monkeypatch.setattr(tensor_ptx, "defines", without)
    assert "operations a repetition, not" in audited("9.0", instruction).problem


def test_too_many_accumulators_spill_and_that_is_caught() -> None:
    problem = audited("8.0", row("8.0", "fp16/wmma-fp32"), chains=32, steps=8).problem
    assert "spills registers to local memory" in problem


def test_a_short_loop_has_too_much_overhead() -> None:
    problem = audited("8.0", row("8.0", "fp16/mma-fp32"), chains=2, steps=8).problem
    assert "more than 3.0%" in problem


def test_an_emulation_is_named_even_where_nothing_can_disassemble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    warps = 4  # of no other test: no audit has seen these kernels
    for tag in ("int4/mma-int32", "fp8/mma-fp32"):
        audit = audited("9.0", row("9.0", tag), warps=warps)
        assert audit.note == f"emulated with other instructions; {sass.NOT_AUDITED}"
    assert audited("9.0", row("9.0", "fp16/mma-fp32"), warps=warps).note == sass.NOT_AUDITED
