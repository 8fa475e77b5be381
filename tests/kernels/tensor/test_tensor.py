"""Operands, work and reference of matrix instructions, and which device is offered which."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels.formats import rounded
from kernels.tensor import work as tensor_work
from kernels.tensor.table import TABLE, Instruction, choose
from probes import tensor_core
from tests.devices import CPU, GPU


def row_id(row: Instruction) -> str:
    """What tells the rows of the table apart."""
    tag = row.tag.removeprefix("compute/")
    return f"{tag}-{row.shape}"


with_each_row = pytest.mark.parametrize("row", TABLE, ids=row_id)


def launch_params(row: Instruction, operands: str) -> dict[str, Any]:
    """Params of a small launch with these operands."""
    return tensor_work.launch_shape(row) | {"blocks": 4, "operands": operands}


@with_each_row
def test_whole_numbers_stay_exact_in_every_accumulator(row: Instruction) -> None:
    params = launch_params(row, "integers")
    largest = np.abs(tensor_work.reference(row, 1, **params)).max()
    one_step = np.abs(tensor_work.operands(row, "integers").product(row, 1)).max()
    assert 0 < largest + one_step * row.slices < 2.0 ** (row.fraction_bits + 1)


@with_each_row
def test_no_two_rows_or_columns_of_whole_numbers_are_alike(row: Instruction) -> None:
    """Else a fragment in the wrong place would go unseen."""
    product = tensor_work.operands(row, "integers").product(row, 2 * row.slices)
    assert len({tuple(line) for line in product}) == row.m
    assert len({tuple(line) for line in product.T}) == row.n


@with_each_row
def test_random_operands_bring_accumulators_back(row: Instruction) -> None:
    operands = tensor_work.operands(row, "random")
    assert (operands.product(row, 2 * row.slices) == 0).all()
    assert np.abs(operands.product(row, row.slices)).max() > 1
    assert (rounded(row.format, operands.a) == operands.a).all()
    assert (rounded(row.format, operands.b) == operands.b).all()
    assert tensor_work.launch_shape(row)["steps"] % (2 * row.slices) == 0


@with_each_row
def test_the_reference_is_a_sum_of_products(row: Instruction) -> None:
    params = launch_params(row, "independent") | {"steps": 2 * row.slices, "chains": 2, "warps": 8}
    operands = tensor_work.operands(row, "independent")
    a = operands.logical_a(row)
    out = tensor_work.reference(row, 3, **params)
    line, column = row.m - 1, row.n - 2  # of the element that is added up by hand
    total = 0.0
    for which in (0, 1):
        for part in range(row.slices):
            for i in range(row.k):
                total += float(a[which, part, line, i] * operands.b[part, column, i])
    groups = 2 if row.warpgroup else 8  # of the 8 warps, four to a warpgroup
    assert out.shape == (2, groups * 2, row.m, row.n)
    assert out[0, 0, line, column] == pytest.approx(1 + 3 * total)
    assert out[1, 1, line, column] == pytest.approx(2 + 3 * total)


@with_each_row
def test_sparse_operands_keep_two_of_four(row: Instruction) -> None:
    operands = tensor_work.operands(row, "random")
    if not row.sparse:
        assert operands.kept is None
        return
    stored = np.ones_like(operands.a)
    full = tensor_work.expanded(stored, operands.kept, row)  # type: ignore[arg-type]
    group = 2 if row.format == "tf32" else 4
    assert full.shape[-1] == row.k
    assert (full.reshape(-1, group).sum(axis=1) == group / 2).all()


def test_work_counts_every_product_of_every_warp() -> None:
    by_name = {(row.path, row.format, row.accumulator, row.shape): row for row in TABLE}
    params = {"chains": 2, "steps": 10, "warps": 8, "blocks": 3}
    dense = by_name["mma", "fp16", "fp32", "m16n8k16"]
    assert tensor_work.work(dense, **params).flops == 2 * 16 * 8 * 16 * 2 * 10 * 8 * 3
    sparse = by_name["mma_sp", "fp16", "fp32", "m16n8k32"]
    assert tensor_work.work(sparse, **params).flops == 2 * 16 * 8 * 32 * 2 * 10 * 8 * 3
    volta = by_name["mma", "fp16", "fp32", "m8n8k4"]
    assert tensor_work.work(volta, **params).flops == 4 * 2 * 8 * 8 * 4 * 2 * 10 * 8 * 3
    group = by_name["wgmma", "fp16", "fp32", "m64n256k16"]
    assert tensor_work.work(group, **params).flops == 2 * 64 * 256 * 16 * 2 * 10 * 2 * 3


def shapes(capability: str) -> dict[str, list[str]]:
    """The shapes of a device's instructions, by tag."""
    by_tag: dict[str, list[str]] = {}
    for row in choose(capability):
        if not row.missing(capability):
            by_tag.setdefault(row.tag, []).append(row.shape)
    return by_tag


def test_each_device_is_given_the_widest_shape_it_has() -> None:
    assert shapes("7.0")["compute/fp16/mma-fp32"] == ["m8n8k4"]
    assert shapes("7.5")["compute/fp16/mma-fp32"] == ["m16n8k8"]
    assert shapes("8.6")["compute/fp16/mma-fp32"] == ["m16n8k16"]
    assert shapes("9.0")["compute/fp64/mma"] == ["m16n8k16"]
    assert shapes("8.0")["compute/fp64/mma"] == ["m8n8k4"]
    assert shapes("8.0")["compute/fp16/wmma-fp32"] == ["m16n16k16", "m32n8k16", "m8n32k16"]
    assert "compute/fp8/wgmma-fp32/e5m2" in shapes("9.0")
    assert not any("wgmma" in tag for tag in shapes("10.0"))


def test_what_a_device_lacks_is_a_row_with_its_reason() -> None:
    def reasons(arch: str) -> dict[str, str]:
        cases = tensor_core.cases(replace(GPU, arch=arch))
        return {case.ceiling: case.skip for case in cases if case.skip}

    assert reasons("7.5")["compute/bf16/mma-fp32"] == "sm_75 has no bf16 mma (since sm_80)"
    assert reasons("8.0")["compute/fp16/wgmma-fp32"] == "sm_80 has no fp16 wgmma (sm_90 only)"
    assert reasons("9.0") == {
        "compute/fp8/mma_sp-fp32": "sm_90 has no e4m3 sparse mma in hardware",
        "compute/fp8/mma_sp-fp32/zeros": "sm_90 has no e4m3 sparse mma in hardware",
    }
    assert all(case.skip for case in tensor_core.cases(replace(GPU, arch="6.1")))
    assert list(tensor_core.cases(CPU)) == []


def test_a_case_checks_whole_numbers_exactly_and_its_twin_random_ones() -> None:
    cases = {case.ceiling: case for case in tensor_core.cases(GPU) if not case.skip}
    main = cases["compute/fp16/mma-fp32"]
    zeros = cases["compute/fp16/mma-fp32/zeros"]
    assert main.params["operands"] == "random"
    assert zeros.params["operands"] == "zeros"
    assert main.kernel.check_params == {"operands": "integers"}
    assert main.kernel.tolerance == {}
    assert zeros.kernel.check_params == {"operands": "independent"}
    assert 0 < zeros.kernel.tolerance["fp16"] < 1e-4
    narrow = cases["compute/fp8/wgmma-fp32/zeros"].kernel.tolerance["fp8"]
    assert narrow > 500 * zeros.kernel.tolerance["fp16"]
