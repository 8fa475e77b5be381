"""One load and k multiply-adds: NumPy's sums, and machine code that does the declared work."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels.base import KernelError, Work
from kernels.cuda import kernel as cuda_kernel
from kernels.cuda.disassembly import disassemble
from kernels.intensity import MIXED
from kernels.intensity import cpu as intensity_cpu
from kernels.intensity import cuda as intensity_cuda
from kernels.intensity import work as intensity_work
from kernels.intensity.cuda import MixedKernel
from probes import intensity
from probes.harness.check import difference
from probes.harness.clocks.team import Team
from tests.devices import COMPILE_ONLY, CPU, GPU, ONE_A_GENERATION, gpu
from tests.kernels.audits import read_at_once
from tests.kernels.made_up_cuda import Queue, Runtime, installed

THREADS = 2
SHAPES = [(1, 8), (1, 2), (1, 1), (2, 1), (33, 1), (121, 1)]
"""(multiply-adds of an element, of how many registers one gets them), as params k and every."""
CPU_TILES = 150  # the data repeat after 61: they are met twice, and some of them a third time
COMPILED_ELEMENTS = 1 << 24  # of an array that no GPU reads here: machine code is all that matters
NEAREST_POWER = 0.7  # at worst, the nearest power of 2 is 1/√2 of a number
TILES_OF_A_THREAD = 1024  # to which intensity_work.UNMATCHED says that sums stay exact


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    cpus = sorted(os.sched_getaffinity(0)) * THREADS  # enough, even where there is just one
    crew = Team(cpus[:THREADS])
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def host() -> Any:
    from probes.harness.devices import cpu

    return replace(CPU, features=cpu.detect().features)


def cpu_params(host: Any, dtype: str, k: int, every: int) -> dict[str, Any]:
    """Params of a launch on this CPU: k multiply-adds on each every-th register."""
    shape = intensity_cpu.shape(host.features, dtype, every)
    return shape | {"n": CPU_TILES * shape["tile"], "k": k, "every": every, "threads": THREADS}


@pytest.mark.parametrize(("k", "every"), SHAPES)
@pytest.mark.parametrize("dtype", ["fp64", "fp32"])
def test_the_cpu_computes_what_numpy_computes(
    team: Team, host: Any, dtype: str, k: int, every: int
) -> None:
    params = cpu_params(host, dtype, k, every)
    launch = MIXED.backends["cpu"](host, dtype, params, team)
    for repeat in (1, 3):
        launch.run(repeat)
        expected = intensity_work.reference(dtype, repeat, **params)
        assert not difference(launch.result(), expected, 0.0)
    of_four_passes = intensity_work.reference(dtype, 4, **params)
    assert difference(launch.result(), of_four_passes, 0.0), "a pass too few shows"
    work = intensity_work.work(dtype, **params)
    assert not launch.audit(work).problem
    assert "not" in launch.audit(Work(2 * work.flops)).problem
    launch.close()


def points_of(host: Any, dtype: str) -> list[tuple[int, int]]:
    """(k, every) of each point that the probe measures on this CPU."""
    return intensity.points(dtype, intensity.ridge(host, dtype))


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("dtype", ["fp64", "fp32"])
def test_the_loops_of_every_point_do_the_declared_work(
    team: Team, host: Any, dtype: str, wide: bool
) -> None:
    """On this core's own unit, and on a narrower one where it has both."""
    narrow = tuple(name for name in host.features if not name.startswith("avx512"))
    device = host if wide else replace(host, features=narrow)
    for k, every in points_of(device, dtype):
        params = cpu_params(device, dtype, k, every)
        launch = MIXED.backends["cpu"](device, dtype, params, team)
        assert launch.audit(intensity_work.work(dtype, **params)).problem == "", (k, every)
        launch.close()


@pytest.mark.parametrize("every", [1, 8])
def test_a_tile_left_out_shows(every: int) -> None:
    params = {"tile": 1920, "lanes": 16, "regs": 1, "block": 1, "vecs": 8, "k": 1, "every": every}
    whole = intensity_work.reference("fp32", 1, n=CPU_TILES * 1920, **params)
    less = intensity_work.reference("fp32", 1, n=(CPU_TILES - 1) * 1920, **params)
    sums = 1 if every == 1 else 2  # the second one is 0 where every element is computed on
    assert (whole != less)[:sums].all()


def test_a_part_tile_is_refused(team: Team, host: Any) -> None:
    params = cpu_params(host, "fp32", 1, 1)
    with pytest.raises(KernelError, match="take a multiple of"):
        MIXED.backends["cpu"](host, "fp32", params | {"n": params["n"] + 1}, team)


def test_a_repetition_goes_on_where_the_last_one_ended() -> None:
    tile = 1920
    in_memory = 128 * tile
    a_repetition = 120 * tile
    params = {"n": a_repetition, "held": in_memory, "k": 1, "tile": tile}
    params |= {"lanes": 1, "regs": 1, "block": 1, "vecs": 8}
    data = np.resize(intensity_work.period("fp32", tile), in_memory)
    read = np.take(data, np.arange(3 * a_repetition), mode="wrap")
    assert intensity_work.reference("fp32", 3, **params)[0] == -read.sum()
    total, words = intensity_work.reference("fp32", 3, every=8, **params)
    assert total == -read[::8].sum()
    assert words == sum_of_words(read)


def sum_of_words(values: np.ndarray) -> int:
    """Sum of the values' bits as FP32, modulo 2**32."""
    return int(values.astype(np.float32).view(np.uint32).sum(dtype=np.uint64)) % 2**32


@pytest.mark.parametrize(("dtype", "counts_to"), [("fp16", 2048), ("bf16", 256)])
def test_sums_stay_exact_whichever_tiles_a_thread_meets(dtype: str, counts_to: int) -> None:
    """Also where a large cache and few multiprocessors let each thread meet a thousand tiles."""
    shape = intensity_cuda.shape(GPU, dtype)
    numbers = 2 * shape["vecs"]  # of a tile, that each lane of a register adds up
    values = intensity_work.period(dtype, shape["tile"]).reshape(intensity_work.TILES, numbers, -1)
    within = np.abs(np.cumsum(values, axis=1)).max()
    in_order = np.arange(TILES_OF_A_THREAD)
    by_chance = np.random.default_rng(1).integers(0, intensity_work.TILES, TILES_OF_A_THREAD)
    for tiles in (in_order, by_chance):
        sums = np.zeros(values.shape[2])
        for tile in values.sum(axis=1)[tiles % intensity_work.TILES]:
            sums += tile
            assert np.abs(sums).max() + within < counts_to
    assert sums.any(), "or the check would see nothing"


@pytest.mark.parametrize("tiles", [100, 6144, 8533])
def test_every_block_of_a_gpu_gets_as_many_tiles(tiles: int) -> None:
    params = intensity_cuda.shape(GPU, "fp32")
    array = intensity_cuda.array(params, tiles)
    tiles_held = array["held"] // params["tile"]
    tiles_read = array["n"] // params["tile"]
    assert tiles_held & (tiles_held - 1) == 0, "a power of 2"
    assert tiles_read % params["blocks"] == 0
    assert tiles_held - params["blocks"] < tiles_read <= tiles_held
    assert NEAREST_POWER * tiles <= tiles_held


def test_the_reference_is_the_plain_sum() -> None:
    """Against a loop over elements that says what each thread of a GPU does."""
    shape = intensity_cuda.shape(GPU, "fp32")
    params = shape | {"n": 70 * shape["tile"]}
    data = np.tile(intensity_work.period("fp32", shape["tile"]), 2)[: params["n"]]
    after_two_steps = 1 - (1 - data)
    expected = 2 * -after_two_steps.sum()
    assert intensity_work.reference("fp32", 2, k=3, **params)[0] == expected
    # tile, vector of a thread, thread, element
    vectors = data.reshape(-1, shape["vecs"], shape["block"], 4)
    total, words = intensity_work.reference("fp32", 1, k=1, every=8, **params)
    assert total == -vectors[:, ::2, :, 0].sum()
    assert words == sum_of_words(data)


@pytest.mark.parametrize("arch", ONE_A_GENERATION)
def test_the_gpu_does_the_declared_work_on_every_architecture(arch: str) -> None:
    device = gpu(arch)
    kernels = []
    for dtype in ("fp64", "fp32", "fp16", "bf16", "int32"):
        if reason := intensity_cuda.missing(device, dtype):
            assert dtype == "bf16", reason
            continue
        for k, every in ((1, 4), (1, 1), (33, 1), (121, 1)):
            params = intensity_cuda.shape(device, dtype)
            params |= {"n": COMPILED_ELEMENTS, "k": k, "every": every}
            kernels.append(MixedKernel(device, dtype, params))
    with read_at_once(kernels):
        for kernel in kernels:
            audit = kernel.audit(kernel.work())
            assert audit.problem == "", (kernel.dtype, kernel.params)
            assert bool(audit.instruction) != (arch in COMPILE_ONLY), kernel.dtype


@pytest.mark.parametrize("arch", ["8.0", "8.9", "9.0", "10.0", "12.0"])
def test_tensor_cores_do_the_declared_work_on_every_architecture(arch: str) -> None:
    device = gpu(arch)
    kernels = []
    for k, every in ((1, 4), (1, 1), (5, 1), (33, 1)):
        params = intensity_cuda.shape(device, "fp16", intensity_cuda.MMA)
        params |= {"n": COMPILED_ELEMENTS, "k": k, "every": every}
        kernels.append(MixedKernel(device, "fp16", params))
    with read_at_once(kernels):
        for kernel in kernels:
            audit = kernel.audit(kernel.work())
            assert (audit.problem, audit.instruction) == ("", "HMMA.16816.F32")


def test_the_reference_of_tensor_cores_is_a_product_with_a_matrix_of_ones() -> None:
    shape = intensity_cuda.shape(GPU, "fp16", intensity_cuda.MMA)
    params = shape | {"n": 70 * shape["tile"]}
    data = np.tile(intensity_work.period("fp16", shape["tile"]), 2)[: params["n"]]
    columns = data.reshape(-1, 16) @ np.ones((16, 8))
    assert intensity_work.reference("fp16", 2, k=5, **params)[0] == 2 * columns.sum()
    # tile, vector of a thread, thread, element
    vectors = data.reshape(-1, shape["vecs"], shape["block"], 8)
    total = intensity_work.reference("fp16", 1, k=1, every=4, **params)[0]
    assert total == 8 * vectors[:, ::4].sum()


@pytest.mark.parametrize(
    ("k", "dtype", "path"),
    [
        (2, "fp32", ""),
        (5, "fp16", ""),
        (9, "fp64", ""),
        (25, "fp16", ""),
        (61, "fp32", ""),
        (3, "fp16", intensity_cuda.MMA),
        (9, "fp16", intensity_cuda.MMA),
    ],
)
def test_the_next_tile_is_on_its_way_while_this_one_is_computed(
    k: int, dtype: str, path: str
) -> None:
    """Between the loads of a tile and the next ones lies the work of the tile before."""
    params = intensity_cuda.shape(GPU, dtype, path) | {"n": COMPILED_ELEMENTS, "k": k}
    code = disassemble(MixedKernel(GPU, dtype, params).build())
    opcode = {"fp32": "FFMA", "fp64": "DFMA", "fp16": "HMMA" if path else "HFMA2"}[dtype]
    names = [instruction.opcode.split(".")[0] for instruction in code]
    order = [name for name in names if name in ("LDG", opcode)]
    loads = [place for place, name in enumerate(order) if name == "LDG"]
    # the first even tile, then an odd and an even one in each trip
    assert len(loads) == 3 * params["vecs"]
    work_of_a_tile = order.count(opcode) / 2
    last_of_odd = loads[2 * params["vecs"] - 1]
    first_of_even = loads[2 * params["vecs"]]
    # the odd tile is asked for before the even one is computed
    assert order[:last_of_odd].count(opcode) < work_of_a_tile / 4
    assert order[last_of_odd:first_of_even].count(opcode) > work_of_a_tile / 2
    # and the next even one before the odd one is
    assert order[loads[-1] :].count(opcode) > work_of_a_tile / 2


def test_a_lost_multiply_add_is_caught() -> None:
    params = intensity_cuda.shape(GPU, "fp32") | {"n": COMPILED_ELEMENTS, "k": 17}
    fewer = MixedKernel(GPU, "fp32", params | {"k": 13}).build()
    kernel = MixedKernel(GPU, "fp32", params)
    assert "operations a repetition, not" in kernel.inspect(fewer, kernel.work()).problem


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("k", [*range(1, 140), 22.6, 512, 1000, 2600, 10_000])
def test_every_possible_count_splits_without_a_rest(k: float, even: bool) -> None:
    near = intensity_work.possible(k, even)
    trips, steps = intensity_work.split(near)
    assert trips * steps + 1 == near
    half_a_round = min(intensity_work.STEPS) / 2
    farthest = half_a_round if k > intensity_work.FEW else int(even)
    assert abs(near - k) <= farthest
    assert not even or steps % 2 == 0, "signs alternate within a round"


def test_a_curve_needs_few_kernels() -> None:
    all_steps = set()
    for k in range(10, 2000):
        _, steps = intensity_work.split(intensity_work.possible(k))
        all_steps.add(steps)
    assert all_steps == {intensity_work.FEW, *intensity_work.STEPS}


@pytest.mark.parametrize("equal", [0, 1])
def test_blocks_take_tiles_as_they_come_unless_shares_are_equal(
    equal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launch hands its kernel a counter, which is cleared before each launch, or none."""
    tiles_taken = 7  # what each launch leaves in the counter
    runtime = installed(monkeypatch)
    calls: list[tuple[Any, ...]] = []

    def kernel(
        grid: tuple[int],
        block: tuple[int],
        arguments: tuple[Any, ...],
        shared_mem: int,
        stream: Queue,
    ) -> None:
        count = 0
        if address := int(arguments[3]):
            counter = ctypes.c_uint32.from_address(address)
            count = counter.value
            counter.value = tiles_taken
        calls.append((count, *map(int, arguments[5:8])))

    monkeypatch.setattr(cuda_kernel, "function", lambda path, name, shared: kernel)
    params = intensity_cuda.shape(replace(GPU, units=1), "fp32")
    params |= intensity_cuda.array(params, 4) | {"k": 13, "equal": equal}
    launch = MixedKernel(GPU, "fp32", params)
    launch.ready(Queue(runtime))
    for repeat in (1, 3):
        launch.run(repeat)
    # the counter, tiles to compute, number of the last one, rounds
    assert calls == [(0, 4, 3, 1), (0, 12, 3, 1)]
    assert bool(equal) == (launch.taken.download()[0] != tiles_taken)
    launch.close()
    assert not runtime.allocations


@pytest.mark.parametrize(("tiles_read", "tiles_held"), [(1, 4.5), (3, 3), (0, 0), (2.5, 4)])
def test_part_tiles_on_a_gpu_and_numbers_that_no_mask_fits_are_refused(
    tiles_read: float, tiles_held: float
) -> None:
    params = intensity_cuda.shape(GPU, "fp32") | {"k": 1}
    tile = params["tile"]
    params |= {"n": int(tiles_read * tile), "held": int(tiles_held * tile)}
    with pytest.raises(KernelError, match="times a power of 2"):
        MIXED.backends["raw"](GPU, "fp32", params, Queue(Runtime()))
