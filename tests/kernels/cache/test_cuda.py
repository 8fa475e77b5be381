"""Working sets and chases: each byte is read as often as declared, and each hop is made.

This holds on the CPU here, and in the machine code of every GPU.
"""

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
from tests.kernels.audits import read_at_once
from tests.kernels.made_up_cuda import Queue, installed

THREADS_OF_LARGE_BLOCKS = 1024


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    crew = Team([0, 0])  # two threads, on one processor where there is no second
    yield crew
    crew.close()


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
    lines = 1000
    order = chase_work.cycle(lines)
    assert sorted(order) == list(range(lines))
    neighbours = np.diff(order) == 1
    assert np.abs(neighbours).mean() < 0.01  # by chance, one hop of a thousand goes to the next


def test_words_sum_to_their_total_at_any_length() -> None:
    for count in (1, 1000, cache_work.WORD_LENGTH, 2 * cache_work.WORD_LENGTH + 5):
        assert cache_work.word_total(count) == int(cache_work.words(count).sum(dtype=np.uint64))


def params_by_mode(arch: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Params of each kernel that is compiled, one for each pair of a mode and a number.

    The number tells the kernels of one mode apart: lanes that share a bank, or loads of a thread
    in a small set; 0 in a larger one.
    """
    params_of = {}
    for params, _ in cache_cuda.points(replace(GPU, arch=arch)):
        if params["mode"] == "banks":
            number = params["ways"]
        else:
            number = _loads_in_a_small_set(params)
        params_of[params["mode"], number] = params
    return params_of


def _loads_in_a_small_set(params: dict[str, Any]) -> int:
    """Loads that a thread has under way in a set so small that its block is; otherwise 0."""
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
    probe_cases = [("cache", case) for case in cases(replace(GPU, arch="7.5"))]
    plan = chosen(probe_cases, full=False, quick=quick)
    sizes = [case.x or 0 for _, case in plan if case.ceiling == tag]
    smallest_l1 = 64 << 10
    # a set of just its size may miss some of its lines, so it does not count
    assert len([size for size in sizes if size < smallest_l1]) >= 3
    assert sizes[-1] > 512 << 10, "more than any L1 holds"


@pytest.mark.parametrize("arch", ["5.0", "6.1", "7.0", "7.5", "8.0", "8.7", "9.0", "10.0", "12.0"])
def test_the_hot_loop_holds_the_declared_loads_on_every_architecture(arch: str) -> None:
    device = replace(GPU, arch=arch)
    by_mode = params_by_mode(arch)
    kernels = {key: kernel_of(device, params) for key, params in by_mode.items()}
    opcodes_of_chases = {"global": "LDG", "shared": "LDS", "near": "LDG"}
    chases = {
        mode: chase_cuda.ChaseKernel(device, "int64", {"mode": mode}) for mode in opcodes_of_chases
    }
    with read_at_once([*kernels.values(), *chases.values()]):
        for (mode, number), kernel in kernels.items():
            audit = kernel.audit(cache.READ.work("int32", **by_mode[mode, number]))
            assert not audit.problem, (mode, number, audit.problem)
            opcode = "STG" if mode == "write" else "LD"
            assert audit.note or opcode in audit.instruction
        for mode, opcode in opcodes_of_chases.items():
            audit = chases[mode].audit(Work())
            assert not audit.problem
            assert audit.note or opcode in audit.instruction


def test_a_copy_moves_whole_visits_of_both_halves_and_checks_the_target() -> None:
    for params, _ in cache_cuda.points(GPU):
        if params["mode"] in cache_cuda.MOVES:
            visit = params["block"] * cache_cuda.VECTOR * params["unroll"] * params["visits"]
            assert params["set_bytes"] % (visit * cache_work.ARRAYS[params["mode"]]) == 0
    target = cache.COPY.reference("fp64", 1, **params_by_mode("9.0")["copy", 0])
    assert np.array_equal(target[:64], pattern.values("fp64", 0, np.arange(64)))
    written = cache.WRITE.reference("fp64", 1, **params_by_mode("9.0")["write", 0])
    assert set(written) == {pattern.WRITTEN}


SMALLEST_L2 = 256 << 10
POWERS_OF_TWO = [SMALLEST_L2 << doublings for doublings in range(11)]  # to 256 MiB
THIRDS = [size // 3 for size in POWERS_OF_TWO[2:]]  # no such L2 is smaller than the smallest


@pytest.mark.parametrize("l2", sorted(POWERS_OF_TWO + THIRDS))
def test_an_l2_of_any_size_is_swept_with_sets_of_some_bytes_each_once(l2: int) -> None:
    sets = []
    for params, _ in cache_cuda.points(replace(GPU, last_cache_bytes=l2)):
        if params["mode"] in ("sm", "grid", *cache_cuda.MOVES):
            sets.append((params["mode"], params["set_bytes"]))
    assert len(sets) == len(set(sets))
    for mode in ("grid", *cache_cuda.MOVES):
        sizes = [size for mode_of_set, size in sets if mode_of_set == mode]
        assert sizes == sorted(sizes)
        assert sizes[0] > 0
        assert sizes[-1] > 2 * l2


def test_each_multiprocessor_has_a_set_of_its_own() -> None:
    params = params_by_mode("9.0")["sm", 0]
    assert params["copies"] == params["readers"] == params["blocks"]
    all_sets = params["set_bytes"] * params["blocks"]
    assert cache.READ.memory_bytes("int32", params) == all_sets == params["pass_bytes"]


def words_at(address: int, count: int) -> np.ndarray:
    """Memory at an address as an array of 32-bit words, which can be written."""
    return np.ctypeslib.as_array((ctypes.c_uint32 * count).from_address(address))


def test_a_multiprocessor_that_reads_the_set_of_another_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = installed(monkeypatch)
    reads_another = False

    def kernel(
        grid: tuple[int],
        block: tuple[int],
        arguments: tuple[Any, ...],
        shared_mem: int,
        stream: Queue,
    ) -> None:
        array_address, sums_address, _, reads, chunks = map(int, arguments)
        (blocks,) = grid
        (threads,) = block
        set_words = chunks * threads * params["unroll"] * 4  # a thread loads 4 words at once
        words = words_at(array_address, blocks * set_words).reshape(blocks, set_words)
        thread_sums = words_at(sums_address, blocks * threads)
        thread_sums[:] = 0
        block_sums = words.sum(axis=1, dtype=np.uint64) * (reads // chunks) % 2**32
        # a block's first thread stands for all of them
        thread_sums[::threads] = block_sums[0] if reads_another else block_sums

    monkeypatch.setattr(cuda_kernel, "function", lambda path, name, shared: kernel)
    device = replace(GPU, units=3)
    all_params = [params for params, _ in cache_cuda.points(device) if params["mode"] == "sm"]
    params = next(params for params in all_params if params["block"] == THREADS_OF_LARGE_BLOCKS)
    launch = cache.READ.backends["raw"](device, "int32", params, Queue(runtime))
    tag = parse_tag("sweep/bandwidth/working-set/read-per-sm")
    case = Case(cache.READ, "int32", "raw", tag, params)
    check(case, launch)
    reads_another = True
    with pytest.raises(Failure):
        check(case, launch)
    launch.close()


def test_a_load_too_few_shows() -> None:
    params = params_by_mode("9.0")["sm", 0]
    halved = kernel_of(GPU, {**params, "unroll": params["unroll"] // 2}).build()
    whole = kernel_of(GPU, params)
    assert "operations a repetition" in whole.inspect(halved, whole.work()).problem


def test_sets_are_whole_chunks_and_stay_in_the_memory_there_is() -> None:
    for free in (1 << 30, 64 << 30):
        device = replace(GPU, memory_free_bytes=free)
        for params, _ in cache_cuda.points(device):
            if params["mode"] in ("sm", "grid", *cache_cuda.MOVES):
                chunk_bytes = params["block"] * cache_cuda.VECTOR * params["unroll"]
                assert params["set_bytes"] % chunk_bytes == 0
                assert params["set_bytes"] * params["copies"] <= free // 4
        assert max(params["set_bytes"] for params, _ in chase_cuda.points(device)) <= free // 4
    sizes = [size for size, _ in cache_cuda.grid_sizes(GPU)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] < (GPU.last_cache_bytes or 0) < sizes[-1] / 3
