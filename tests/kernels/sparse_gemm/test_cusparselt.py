"""The 2:4 product: its operands, what the library is asked, and on a GPU its numbers."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from kernels.base import KernelError
from kernels.sparse_gemm import SPARSE_GEMM, cusparselt, work
from probes.harness.devices.choose import choose
from probes.records.measurement import RidgelineError
from tests.devices import gpu as made_up_gpu
from tests.kernels import made_up_cuda

SIZE = {"m": 32, "n": 16, "k": 64}

MADE_BY = frozenset(
    f"cusparseLt{what}"
    for what in ("Init", "StructuredDescriptorInit", "DenseDescriptorInit", "MatmulPlanInit")
)
"""Calls that make a structure, and those that destroy one."""
DESTROYED_BY = frozenset(
    f"cusparseLt{what}" for what in ("Destroy", "MatDescriptorDestroy", "MatmulPlanDestroy")
)


class Library:
    """A made-up cuSPARSELt that multiplies FP16 in the host's memory; its structures stay empty."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Names, in order."""
        self.matrices: list[tuple[int, ...]] = []
        """Rows, columns and type of each."""
        self.open = 0
        """Structures that were made and not destroyed."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cusparseLt"):
            raise AttributeError(name)

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            self.open += name in MADE_BY
            self.open -= name in DESTROYED_BY
            action = getattr(self, f"_{name.removeprefix('cusparseLt')}", None)
            return int(action(*arguments) or 0) if action else 0

        return call

    def _GetProperty(self, which: int, value: Any) -> None:
        value._obj.value = (0, 8)[which]

    def _StructuredDescriptorInit(self, *arguments: Any) -> None:
        self._matrix(arguments)

    def _DenseDescriptorInit(self, *arguments: Any) -> None:
        self._matrix(arguments)

    def _matrix(self, arguments: tuple[Any, ...]) -> None:
        rows, columns, step, alignment = (each.value for each in arguments[2:6])
        assert step == columns and alignment == 16
        self.matrices.append((rows, columns, arguments[6]))

    def _SpMMACompressedSize(self, handle: Any, plan: Any, size: Any, meanwhile: Any) -> None:
        size._obj.value, meanwhile._obj.value = 2 * SIZE["m"] * SIZE["k"], 64

    def _SpMMAPruneCheck(
        self, handle: Any, description: Any, dense: Any, valid: Any, stream: Any
    ) -> None:
        groups = read(dense, SIZE["m"], SIZE["k"]).reshape(-1, 4)
        is_wrong = bool(((groups != 0).sum(axis=1) > 2).any())
        ctypes.c_int32.from_address(valid.value).value = is_wrong

    def _SpMMACompress(
        self, handle: Any, plan: Any, dense: Any, compressed: Any, scratch: Any, stream: Any
    ) -> None:
        ctypes.memmove(compressed.value, dense.value, 2 * SIZE["m"] * SIZE["k"])

    def _MatmulGetWorkspace(self, handle: Any, plan: Any, size: Any) -> None:
        size._obj.value = 128

    def _MatmulSearch(self, *arguments: Any) -> None:
        self._Matmul(*arguments)

    def _Matmul(
        self,
        handle: Any,
        plan: Any,
        one: Any,
        first: Any,
        second: Any,
        zero: Any,
        added: Any,
        product: Any,
        workspace: Any,
        streams: Any,
        count: Any,
    ) -> None:
        assert (one._obj.value, zero._obj.value, count.value) == (1.0, 0.0, 1)
        m, n, k = SIZE["m"], SIZE["n"], SIZE["k"]
        result = read(first, m, k) @ read(second, n, k).T
        out = result.astype(np.float16)
        ctypes.memmove(product.value, out.ctypes.data, out.nbytes)


def read(pointer: Any, rows: int, columns: int) -> np.ndarray:
    """FP16 numbers at an address."""
    block = (ctypes.c_char * (2 * rows * columns)).from_address(pointer.value)
    return np.frombuffer(bytes(block), np.float16).reshape(rows, columns).astype(np.float64)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made_up = Library()
    monkeypatch.setattr(cusparselt, "library", lambda: made_up)
    return made_up


def test_each_four_neighbours_keep_two_and_all_six_pairs_occur() -> None:
    operand = work.sparse_operand("int8", 64, 128)
    kept = work._kept(64, 128).reshape(-1, 4)
    assert (kept.sum(axis=1) == 2).all()
    assert len(np.unique(kept, axis=0)) == 6
    assert not operand.reshape(-1, 4)[~kept].any()


def test_the_work_counts_zeros_and_the_bytes_do_not() -> None:
    counted = work.work("fp16", m=512, n=256, k=1024)
    assert counted.flops == 2 * 512 * 256 * 1024
    dense_bytes = 2 * (512 * 1024 + 256 * 1024 + 512 * 256)
    spared = 512 * 1024 * 2 - 512 * 1024 / 2 * 2.25
    assert counted.bytes == dense_bytes - spared


def test_the_product_is_that_of_the_reference(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = made_up_cuda.installed(monkeypatch)
    queue = made_up_cuda.Queue(runtime)
    build = SPARSE_GEMM.backends["cusparselt"]
    launch = build(made_up_gpu("9.0"), "fp16", SIZE, queue)
    launch.run(2)
    expected = SPARSE_GEMM.reference("fp16", 2, **SIZE)
    result = launch.result()
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= 2e-3 * np.abs(expected).max()
    assert library.matrices == [(32, 64, 2), (16, 64, 2), (32, 16, 2)]
    assert "cuSPARSELt 0.8" in launch.audit(SPARSE_GEMM.work("fp16", **SIZE)).note
    launch.close()
    assert not library.open and not runtime.allocations
    assert library.calls.count("cusparseLtMatmul") == 2


def test_an_operand_that_the_library_does_not_take_is_an_error_and_all_is_given_back(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = made_up_cuda.installed(monkeypatch)
    monkeypatch.setattr(work, "sparse_operand", lambda dtype, m, k: np.ones((m, k)))
    build = SPARSE_GEMM.backends["cusparselt"]
    with pytest.raises(KernelError, match="not 2:4 sparse"):
        build(made_up_gpu("9.0"), "fp16", SIZE, made_up_cuda.Queue(runtime))
    assert not library.open and not runtime.allocations


def test_structures_are_aligned_as_the_library_wants() -> None:
    for _ in range(20):
        address = cusparselt.Opaque().pointer.value
        assert address is not None and address % 16 == 0


def test_what_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sm_75 has no unit" in cusparselt.missing(made_up_gpu("7.5"), "fp16")
    monkeypatch.setattr(cusparselt, "library", lambda: None)
    assert "pip install" in cusparselt.missing(made_up_gpu("8.6"), "fp16")
    monkeypatch.setattr(cusparselt, "library", Library)
    assert not cusparselt.missing(made_up_gpu("8.6"), "fp16")
    assert "fp64" in cusparselt.missing(made_up_gpu("8.6"), "fp64")
    assert "multiples of 16" in work.misfit("fp16", 30, 16, 64)
    assert "multiple of 8" in work.misfit("fp16", 32, 4, 64)
    assert not work.misfit("fp16", **SIZE)
    assert work.misfit("int8", 16, 16, 64)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "int8"])
@pytest.mark.parametrize("size", [(256, 3136, 64), (512, 784, 4608), (1024, 16, 2048)])
def test_the_library_multiplies_right(dtype: str, size: tuple[int, int, int]) -> None:
    from probes.harness.clocks.sampling import CudaClock

    try:
        device = choose("0")[0]
    except RidgelineError as reason:
        pytest.skip(str(reason))
    if missing := cusparselt.missing(device, dtype):
        pytest.skip(missing)
    params = dict(zip("mnk", size, strict=True))
    clock = CudaClock(device)
    launch = SPARSE_GEMM.backends["cusparselt"](device, dtype, params, clock.queue)
    launch.run(1)
    result, expected = launch.result(), SPARSE_GEMM.reference(dtype, 1, **params)
    launch.close()
    clock.close()
    assert np.abs(result - expected).max() <= work.TOLERANCE[dtype] * np.abs(expected).max()
