"""Paths to matrix units: which of them a plain run asks with zeros, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import tensor_core
from probes.records.tag import ZEROS, Tag
from tests.devices import CPU, gpu


def tags(arch: str, full: bool) -> Iterator[Tag]:
    """What a plain run asks, or only a full one."""
    for case in tensor_core.cases(gpu(arch)):
        if case.full == full and not case.skip:
            assert isinstance(case.tag, Tag)
            yield case.tag


def paths_with_zeros(arch: str, full: bool) -> set[str]:
    """Paths that are asked with zeros."""
    return {tag.path for tag in tags(arch, full) if ZEROS in tag.variants}


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
    assert set(plain.split()) <= paths_with_zeros(arch, full=False)
    assert set(full.split()) <= paths_with_zeros(arch, full=True)


def test_a_path_with_random_operands_is_in_every_run() -> None:
    assert all(ZEROS in tag.variants for tag in tags("9.0", full=True))
    random = {str(tag) for tag in tags("9.0", full=False) if ZEROS not in tag.variants}
    outrun = {f"compute/{dtype}/wmma-fp32" for dtype in ("fp16", "bf16", "tf32")}
    assert outrun <= random
    assert list(tensor_core.cases(CPU)) == []
