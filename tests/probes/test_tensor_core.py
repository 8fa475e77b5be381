"""Paths to matrix units: which of them a plain run asks with zeros, too."""

from __future__ import annotations

import pytest

from probes import tensor_core
from probes.records.tag import ZEROS
from tests.devices import CPU, gpu


def paths(arch: str, full: bool) -> set[str]:
    """Paths whose zeros a plain run asks, or only a full one."""
    return {
        case.tag.path
        for case in tensor_core.cases(gpu(arch))
        if ZEROS in case.tag.variants and case.full == full and not case.skip
    }


@pytest.mark.parametrize(
    ("arch", "plain", "full"),
    [
        ("7.0", "mma-fp32 mma-fp16", "wmma-fp32 wmma-fp16"),
        ("9.0", "wgmma-fp16 wgmma-fp32 wgmma-int32 wgmma_sp-fp32 mma mma-int32", "mma_sp-int32"),
        ("12.0", "mma-fp16 mma-fp32 mma_sp-fp16 mma_sp-fp32", "wmma-fp32 wmma-int32"),
    ],
)
def test_zeros_of_a_path_that_another_outruns_are_of_a_full_run(
    arch: str, plain: str, full: str
) -> None:
    assert set(plain.split()) <= paths(arch, full=False)
    assert set(full.split()) <= paths(arch, full=True)


def test_a_path_with_random_operands_is_in_every_run() -> None:
    cases = list(tensor_core.cases(gpu("9.0")))
    assert not any(case.full for case in cases if ZEROS not in case.tag.variants)
    random = [case.kernel.name for case in cases if ZEROS not in case.tag.variants]
    assert len(cases) == 2 * len(random)
    assert list(tensor_core.cases(CPU)) == []
