"""What is asked of the vendor's sparse product, beside the dense one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.gemm import cublaslt
from kernels.sparse_gemm import cusparselt
from probes import sparse_gemm as probe
from probes.records.tag import Tag
from probes.sparse_gemm import Size
from tests.devices import CPU, GPU

H100 = replace(GPU, arch="9.0")


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if both were installed."""
    monkeypatch.setattr(cublaslt, "library", lambda: object())
    monkeypatch.setattr(cusparselt, "library", lambda: object())


def test_each_size_is_asked_dense_and_sparse_and_their_tags_differ() -> None:
    asked = list(probe.cases(H100))
    assert len(asked) == 2 * len(probe.DTYPES) * len(probe.SIDES)
    assert not any(case.skip for case in asked)
    dense = [case for case in asked if case.backend == "cublaslt"]
    sparse = [case for case in asked if case.backend == "cusparselt"]
    assert len(dense) == len(sparse)
    assert not {case.ceiling for case in dense} & {case.ceiling for case in sparse}


def test_both_rates_count_the_same_operations() -> None:
    dense, sparse = probe.of_layers(H100, "net", [Size("conv", 256, 3136, 576)], ["fp16"])
    works = [case.kernel.work(case.dtype, **case.params) for case in (dense, sparse)]
    assert works[0].flops == works[1].flops == 2 * 256 * 3136 * 576
    assert works[1].bytes < works[0].bytes
    assert isinstance(sparse.tag, Tag) and sparse.tag.is_sparse
    assert isinstance(dense.tag, Tag) and not dense.tag.is_sparse
    assert sparse.params["layer"] == "conv" and sparse.params["network"] == "net"


def test_a_size_that_the_library_does_not_take_is_skipped_with_the_reason() -> None:
    dense, sparse = probe.of_layers(H100, "net", [Size("first", 64, 12544, 147)], ["fp16"])
    assert not dense.skip
    assert "64 x 147" in sparse.skip and "multiples of 16" in sparse.skip


def test_a_cpu_is_asked_nothing_and_an_old_gpu_says_what_it_lacks() -> None:
    assert not list(probe.cases(CPU))
    assert not list(probe.of_layers(CPU, "net", [Size("conv", 256, 64, 576)]))
    skips = {
        case.skip for case in probe.cases(replace(GPU, arch="7.5")) if case.backend != "cublaslt"
    }
    assert skips == {"sm_75 has no unit for 2:4 (since sm_80)"}
