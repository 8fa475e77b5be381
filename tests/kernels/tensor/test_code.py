"""Every matrix instruction, compiled for every architecture that has it and held against its work,
with no GPU.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kernels.base import Audit, Work
from kernels.cuda import disassembly, sass
from kernels.tensor import cuda as tensor_cuda
from kernels.tensor import ptx as tensor_ptx
from kernels.tensor import work as tensor_work
from kernels.tensor.table import Instruction, choose
from tests.devices import COMPILE_ONLY, SINCE_VOLTA, gpu

EVERY_SHAPE = ("7.2", "7.5", "9.0")  # wmma's three shapes differ in nothing but their fragments


def audited(arch: str, row: Instruction, work: Work | None = None, **changed: Any) -> Audit:
    device = gpu(arch)
    params = (
        tensor_work.launch_shape(row, arch.replace(".", ""))
        | {"blocks": 100, "operands": "random"}
        | changed
    )
    of_row = tensor_cuda.WarpgroupKernel if row.warpgroup else tensor_cuda.WarpKernel
    kernel = of_row(row, device, row.dtype, params)
    return kernel.inspect(kernel.cubin, work or kernel.work())


def rows(arch: str) -> list[Instruction]:
    have = [row for row in choose(arch) if not row.missing(arch)]
    return [
        r
        for r in have
        if r.path != "wmma" or arch in EVERY_SHAPE or r.shape not in ("m32n8k16", "m8n32k16")
    ]


def row(arch: str, tag: str) -> Instruction:
    return next(r for r in choose(arch) if r.tag == f"compute/{tag}")


@pytest.mark.parametrize("arch", SINCE_VOLTA)
def test_every_path_does_its_work(arch: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(rows(arch), pool.map(lambda r: audited(arch, r), rows(arch)), strict=True))
    number = arch.replace(".", "")
    assert {f"{r.tag} {r.shape}": a.problem for r, a in found.items() if a.problem} == {}
    for instruction, audit in found.items():
        if arch in COMPILE_ONLY:
            assert audit.note == f"not audited: nvdisasm refuses sm_{number}"
            continue
        emulated = instruction.emulated(number)
        assert ("emulated" in audit.note, audit.emulated) == (
            emulated,
            emulated,
        ), instruction.tag
        assert "not audited" not in audit.note
        assert audit.instruction.startswith(
            instruction.opcode(number).strip("~").replace("CALL", "")
        ), instruction.tag


def test_opcodes_are_what_the_hardware_calls_them() -> None:
    names = {r.tag[8:]: audited("9.0", r).instruction for r in rows("9.0")}
    assert names["fp16/mma-fp32"] == "HMMA.16816.F32"
    assert names["int8/mma_sp-int32"] == "IMMA.SP.16864.S8.S8"
    assert names["fp16/wgmma-fp32"].startswith("HGMMA.64")
    assert names["fp8/wgmma_sp-fp32"].startswith("QGMMA.SP.64")
    assert names["int4/mma-int32"] == "IMMA.16832.S8.S8"


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
    assert (
        "operations a repetition, not"
        in audited(arch, instruction, whole, steps=params["steps"] // 2).problem
    )


def test_identical_chains_of_an_emulation_would_be_merged_and_that_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instruction, defines = row("9.0", "fp8/mma-fp32"), tensor_ptx.defines

    def without(*args: Any) -> dict[str, object]:
        return {name: value for name, value in defines(*args).items() if name != "EMULATED"}

    monkeypatch.setattr(tensor_ptx, "defines", without)
    assert "operations a repetition, not" in audited("9.0", instruction).problem


def test_too_many_accumulators_spill_and_that_is_caught() -> None:
    problem = audited("8.0", row("8.0", "fp16/wmma-fp32"), chains=32, steps=8).problem
    assert "spills registers to local memory" in problem


def test_a_short_loop_has_too_much_overhead() -> None:
    assert (
        "more than 3.0%" in audited("8.0", row("8.0", "fp16/mma-fp32"), chains=2, steps=8).problem
    )


def test_an_emulation_is_named_even_where_nothing_can_disassemble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    for tag in ("int4/mma-int32", "fp8/mma-fp32"):
        found = audited(
            "9.0", row("9.0", tag), warps=4
        )  # a kernel of its own, that no audit has seen
        assert found.note == f"emulated with other instructions; {sass.NOT_AUDITED}"
    assert audited("9.0", row("9.0", "fp16/mma-fp32"), warps=4).note == sass.NOT_AUDITED
