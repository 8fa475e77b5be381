"""Working sets and chases: each byte read as often as declared, each hop made, on the CPU here and
in the machine code of every GPU."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels import cache, pattern
from kernels.base import Work
from kernels.cache import cuda as cache_cuda
from kernels.cache import work as cache_work
from kernels.chase import CHASE
from kernels.chase import cuda as chase_cuda
from kernels.chase import work as chase_work
from kernels.cuda import kernel as cuda_kernel
from kernels.cuda.kernel import CudaKernel
from kernels.device import Device
from probes.cache import cases
from probes.harness.case import Case
from probes.harness.check import Failure, check
from probes.harness.clocks.team import Team
from probes.harness.devices import cpu
from probes.harness.plan import chosen
from probes.records.tag import parse_tag
from tests.devices import GPU
from tests.kernels.made_up_cuda import Queue, installed


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    made = Team([0, 0])
    yield made
    made.close()


@pytest.mark.parametrize("size", [4096, 5632, 100_352])
@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("repeat", [1, 7])
def test_every_reader_adds_its_whole_set_each_time(
    team: Team, size: int, readers: int, repeat: int
) -> None:
    params = {
        "set_bytes": size,
        "readers": readers,
        "copies": readers,
        "pass_bytes": size * readers,
    }
    launch = cache.READ.backends["cpu"](cpu.detect(), "fp64", params, team)
    launch.run(repeat)
    assert np.array_equal(launch.result(), cache.READ.reference("fp64", repeat, **params))
    assert not launch.audit(cache.READ.work("fp64", **params)).problem
    launch.close()


@pytest.mark.parametrize("hops", [1, 8, 63, 64, 1000])
def test_a_chase_makes_just_the_hops_it_is_asked(team: Team, hops: int) -> None:
    params = {"set_bytes": 64 * 64, "line": 64}
    launch = CHASE.backends["cpu"](cpu.detect(), "int64", params, team)
    launch.run(hops)
    assert np.array_equal(launch.result(), CHASE.reference("int64", hops, **params))
    assert not launch.audit(Work()).problem
    launch.close()


def test_a_cycle_visits_every_line_once_in_no_order() -> None:
    order = chase_work.cycle(1000)
    assert sorted(order) == list(range(1000))
    assert np.abs(np.diff(order) == 1).mean() < 0.01


def test_words_sum_to_their_total_at_any_length() -> None:
    for count in (1, 1000, cache_work.WORD_LENGTH, 2 * cache_work.WORD_LENGTH + 5):
        assert cache_work.word_total(count) == int(cache_work.words(count).sum(dtype=np.uint64))


def kinds(arch: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Params of each kernel that is compiled, by mode, and lanes of a bank or loads of a small
    set.
    """
    points = [params for params, _ in cache_cuda.points(replace(GPU, arch=arch))]
    return {(p["mode"], p["ways"] if p["mode"] == "banks" else _small(p)): p for p in points}


def _small(params: dict[str, Any]) -> int:
    return int(params["unroll"]) if params["block"] == cache_cuda.SMALL_BLOCK else 0


def kernel_of(device: Device, params: dict[str, Any]) -> CudaKernel:
    """The kernel of a GPU that a case of these params runs."""
    mode = params["mode"]
    if mode == "shared":
        return cache_cuda.SharedKernel(device, "int32", params)
    if mode == "banks":
        return cache_cuda.BanksKernel(device, "int32", params)
    op = mode if mode in cache_cuda.MOVES else "read"
    return cache_cuda.SetKernel(op, device, "int32", params)


@pytest.mark.parametrize("quick", [False, True], ids=["plain", "quick"])
def test_the_smallest_l1_holds_three_points(quick: bool) -> None:
    tag = "sweep/bandwidth/working-set/read-per-sm"
    asked = chosen(
        [("cache", case) for case in cases(replace(GPU, arch="7.5"))], full=False, quick=quick
    )
    sizes = [case.x or 0 for _, case in asked if case.ceiling == tag]
    assert len([size for size in sizes if size < 64 << 10]) >= 3, (
        "one of just its size may miss some of its lines"
    )
    assert sizes[-1] > 512 << 10


@pytest.mark.parametrize("arch", ["5.0", "6.1", "7.0", "7.5", "8.0", "8.7", "9.0", "10.0", "12.0"])
def test_the_hot_loop_holds_the_declared_loads_on_every_architecture(arch: str) -> None:
    device = replace(GPU, arch=arch)
    for kind, params in kinds(arch).items():
        found = kernel_of(device, params).audit(cache.READ.work("int32", **params))
        assert not found.problem, (kind, found.problem)
        assert found.note or ("STG" if kind[0] == "write" else "LD") in found.instruction
    for mode, opcode in {"global": "LDG", "shared": "LDS", "near": "LDG"}.items():
        audit = chase_cuda.ChaseKernel(device, "int64", {"mode": mode}).audit(Work())
        assert not audit.problem
        assert audit.note or opcode in audit.instruction


def test_a_copy_moves_whole_visits_of_both_halves_and_checks_the_target() -> None:
    for params, _ in cache_cuda.points(GPU):
        if params["mode"] in cache_cuda.MOVES:
            visit = params["block"] * cache_cuda.VECTOR * params["unroll"] * params["visits"]
            assert params["set_bytes"] % (visit * cache_work.ARRAYS[params["mode"]]) == 0
    target = cache.COPY.reference("fp64", 1, **kinds("9.0")["copy", 0])
    assert np.array_equal(target[:64], pattern.values("fp64", 0, np.arange(64)))
    assert set(cache.WRITE.reference("fp64", 1, **kinds("9.0")["write", 0])) == {pattern.WRITTEN}


@pytest.mark.parametrize(
    "l2", [(256 << 10) * 2**k // d for k in range(11) for d in (1, 3) if 2**k >= d]
)
def test_an_l2_of_any_size_is_swept_with_sets_of_some_bytes_each_once(l2: int) -> None:
    asked = [
        (p["mode"], p["set_bytes"])
        for p, _ in cache_cuda.points(replace(GPU, last_cache_bytes=l2))
        if p["mode"] in ("sm", "grid", *cache_cuda.MOVES)
    ]
    assert len(asked) == len(set(asked))
    for mode in ("grid", *cache_cuda.MOVES):
        sizes = [size for of, size in asked if of == mode]
        assert sizes == sorted(sizes)
        assert sizes[0] > 0
        assert sizes[-1] > 2 * l2


def test_each_multiprocessor_has_a_set_of_its_own() -> None:
    params = kinds("9.0")["sm", 0]
    assert params["copies"] == params["readers"] == params["blocks"]
    assert (
        cache.READ.memory_bytes("int32", params)
        == params["set_bytes"] * params["blocks"]
        == params["pass_bytes"]
    )


def test_a_multiprocessor_that_reads_the_set_of_another_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime, wrong = installed(monkeypatch), list[bool]()

    def kernel(
        grid: tuple[int],
        block: tuple[int],
        arguments: tuple[Any, ...],
        shared_mem: int,
        stream: Queue,
    ) -> None:
        held, sums, _, reads, chunks = map(int, arguments)
        size = chunks * block[0] * params["unroll"] * 4
        words = np.ctypeslib.as_array(
            (ctypes.c_uint32 * (size * grid[0])).from_address(held)
        ).reshape(grid[0], size)
        out = np.ctypeslib.as_array((ctypes.c_uint32 * (grid[0] * block[0])).from_address(sums))
        out[:] = 0
        own = words.sum(axis=1, dtype=np.uint64) * (reads // chunks) % 2**32
        out[:: block[0]] = own[0] if wrong else own

    monkeypatch.setattr(cuda_kernel, "function", lambda path, name, shared: kernel)
    few = replace(GPU, units=3)
    params = next(p for p, _ in cache_cuda.points(few) if p["mode"] == "sm" and p["block"] == 1024)
    launch = cache.READ.backends["raw"](few, "int32", params, Queue(runtime))
    case = Case(
        cache.READ, "int32", "raw", parse_tag("sweep/bandwidth/working-set/read-per-sm"), params
    )
    check(case, launch)
    wrong.append(True)
    with pytest.raises(Failure):
        check(case, launch)
    launch.close()


def test_a_load_too_few_shows() -> None:
    params = kinds("9.0")["sm", 0]
    halved = kernel_of(GPU, {**params, "unroll": params["unroll"] // 2}).build()
    whole = kernel_of(GPU, params)
    assert "operations a repetition" in whole.inspect(halved, whole.work()).problem


def test_sets_are_whole_chunks_and_stay_in_the_memory_there_is() -> None:
    for free in (1 << 30, 64 << 30):
        device = replace(GPU, memory_free_bytes=free)
        for params, _ in cache_cuda.points(device):
            if params["mode"] in ("sm", "grid", *cache_cuda.MOVES):
                assert (
                    params["set_bytes"] % (params["block"] * cache_cuda.VECTOR * params["unroll"])
                    == 0
                )
                assert params["set_bytes"] * params["copies"] <= free // 4
        assert max(p["set_bytes"] for p, _ in chase_cuda.points(device)) <= free // 4
    sizes = [size for size, _ in cache_cuda.grid_sizes(GPU)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] < (GPU.last_cache_bytes or 0) < sizes[-1] / 3
