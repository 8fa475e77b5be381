"""The vendor's matrix product on a made-up library that really multiplies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels import gemm
from kernels.base import KernelError, Selective, Unavailable
from kernels.gemm import cublaslt
from kernels.gemm import work as gemm_work
from probes.harness.case import Case
from probes.harness.check import Failure, check
from probes.records.tag import parse_tag
from tests.devices import GPU
from tests.kernels.gemm.made_up_cublaslt import Library
from tests.kernels.made_up_cuda import Queue, Runtime, installed

TAG = parse_tag("compute/fp16/gemm")
SIZE = {"m": 96, "n": 64, "k": 80}
LAYOUTS = ("TN", "NN", "NT", "TT")


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """The made-up runtime, in the place of CuPy's."""
    monkeypatch.setattr(gemm_work, "WORKSPACE_BYTES", 1 << 10)
    return installed(monkeypatch)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """The made-up library."""
    made_up = Library()
    monkeypatch.setattr(cublaslt, "library", lambda: made_up)
    return made_up


def params(**changed: Any) -> dict[str, Any]:
    """Params of a small product."""
    return {**SIZE, "layout": "TN", "operands": "random", **changed}


def launch_of(runtime: Runtime, dtype: str = "fp16", **changed: Any) -> Any:
    """A launch of a small product."""
    return gemm.GEMM.backends["cublaslt"](GPU, dtype, params(**changed), Queue(runtime))


@pytest.mark.parametrize("dtype", cublaslt.TYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_type_is_right_in_every_layout_and_all_is_given_back(
    dtype: str, layout: str, runtime: Runtime, library: Library
) -> None:
    launch = launch_of(runtime, dtype, layout=layout)
    check(Case(gemm.GEMM, dtype, "cublaslt", TAG, params(layout=layout)), launch)
    launch.close()
    assert not runtime.allocations
    assert not library.open_handles


def test_a_product_of_the_wrong_layout_is_found_out(runtime: Runtime, library: Library) -> None:
    launch = launch_of(runtime, layout="NT")
    with pytest.raises(Failure, match="values are wrong"):
        check(Case(gemm.GEMM, "fp16", "cublaslt", TAG, params(layout="TN")), launch)


@pytest.mark.parametrize(("operands", "entry"), [("zeros", 0.0), ("constant", 80.0)])
def test_operands_of_one_number(
    operands: str, entry: float, runtime: Runtime, library: Library
) -> None:
    launch = launch_of(runtime, operands=operands)
    launch.run(1)
    assert np.array_equal(launch.result(), np.full((48, 48), entry))


def test_its_ways_are_the_algorithms_that_the_heuristic_names(
    runtime: Runtime, library: Library
) -> None:
    launch = launch_of(runtime)
    assert isinstance(launch, Selective)
    ways = list(launch.ways())
    assert ways == [{"candidate": 0}, {"candidate": 1}, {"candidate": 2}]
    launch.run(1)
    launch.take(ways[2])
    launch.run(2)
    assert library.ran == [0, 2, 2]
    again = launch_of(runtime, **ways[1])
    again.run(1)
    assert library.ran[-1] == 1


def test_an_algorithm_that_writes_nothing_is_not_right_by_what_another_wrote(
    runtime: Runtime, library: Library
) -> None:
    library.idle = frozenset({1})
    case = Case(gemm.GEMM, "fp16", "cublaslt", TAG, params())
    launch = launch_of(runtime)
    check(case, launch)
    launch.take({"candidate": 1})
    with pytest.raises(Failure, match=r"is nan, should be"):
        check(case, launch)


def test_an_algorithm_that_is_not_there_and_one_that_does_not_run_say_so(
    runtime: Runtime, library: Library
) -> None:
    with pytest.raises(KernelError, match="cuBLASLt names 3 algorithms here, and not number 3"):
        launch_of(runtime, candidate=3)
    assert not runtime.allocations
    library.refused = frozenset({0})
    with pytest.raises(KernelError, match="cublasLtMatmul answers 15: this cuBLAS cannot"):
        launch_of(runtime).run(1)


def test_a_layout_without_algorithms_cannot_run_here(runtime: Runtime, library: Library) -> None:
    library.layouts = frozenset({"TN"})
    with pytest.raises(Unavailable, match="no algorithm for a int8 product of 96x64x80 NN here"):
        launch_of(runtime, "int8", layout="NN")
    assert not library.open_handles
    assert not runtime.allocations


def test_the_row_names_what_ran(runtime: Runtime, library: Library) -> None:
    audit = launch_of(runtime, candidate=1).audit(gemm_work.work("fp16", **SIZE))
    assert audit.instruction == "cuBLASLt"
    assert audit.note.startswith(
        "96x64x80 TN, algorithm 61, tile 128x256, stages 64x4, cluster 2x1; the library's own"
    )
    assert audit.facts == {
        "library": "cuBLASLt 13.10.0",
        "algorithm": {
            "number": 61,
            "tile": "128x256",
            "stages": "64x4",
            "cluster": "2x1",
            "split_k": 1,
        },
        "workspace_bytes": 32,
    }


def test_the_least_work_of_a_product() -> None:
    work = gemm_work.work("fp8", m=2, n=3, k=5, layout="TN", operands="random")
    assert work.flops == 2 * 2 * 3 * 5
    assert work.bytes == 5 * (2 + 3) + 2 * (2 * 3)
    assert gemm.GEMM.memory_bytes("fp8", SIZE) > gemm_work.work("fp8", **SIZE).bytes
