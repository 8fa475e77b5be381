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
from tests.kernels.made_up_cuda import Queue, Runtime, installed

THREADS = 2
SHAPES = [(1, 8), (1, 2), (1, 1), (2, 1), (33, 1), (121, 1)]


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    cpus = sorted(os.sched_getaffinity(0)) * 2
    crew = Team(cpus[:THREADS])
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def host() -> Any:
    from probes.harness.devices import cpu

    return replace(CPU, features=cpu.detect().features)


def cpu_params(host: Any, dtype: str, k: int, every: int) -> dict[str, Any]:
    shape = intensity_cpu.shape(host.features, dtype, every)
    return shape | {"n": 150 * shape["tile"], "k": k, "every": every, "threads": THREADS}


@pytest.mark.parametrize(("k", "every"), SHAPES)
@pytest.mark.parametrize("dtype", ["fp64", "fp32"])
def test_the_cpu_computes_what_numpy_computes(
    team: Team, host: Any, dtype: str, k: int, every: int
) -> None:
    params = cpu_params(host, dtype, k, every)
    launch = MIXED.backends["cpu"](host, dtype, params, team)
    for repeat in (1, 3):
        launch.run(repeat)
        assert not difference(
            launch.result(), intensity_work.reference(dtype, repeat, **params), 0.0
        )
    assert difference(launch.result(), intensity_work.reference(dtype, 4, **params), 0.0), (
        "a pass too few shows"
    )
    work = intensity_work.work(dtype, **params)
    assert not launch.audit(work).problem
    assert "not" in launch.audit(Work(2 * work.flops)).problem
    launch.close()


def points_of(host: Any, dtype: str) -> list[tuple[int, int]]:
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
    whole = intensity_work.reference("fp32", 1, n=150 * 1920, **params)
    less = intensity_work.reference("fp32", 1, n=149 * 1920, **params)
    sums = 1 if every == 1 else 2
    assert (whole != less)[:sums].all()


def test_a_part_tile_is_refused(team: Team, host: Any) -> None:
    params = cpu_params(host, "fp32", 1, 1)
    with pytest.raises(KernelError, match="take a multiple of"):
        MIXED.backends["cpu"](host, "fp32", params | {"n": params["n"] + 1}, team)


def test_a_repetition_goes_on_where_the_last_one_ended() -> None:
    shape = {"tile": 1920, "lanes": 1, "regs": 1, "block": 1, "vecs": 8}
    held, n = 128 * 1920, 120 * 1920
    data = np.resize(intensity_work.period("fp32", 1920), held)
    read = np.take(data, np.arange(3 * n), mode="wrap")
    assert intensity_work.reference("fp32", 3, n=n, held=held, k=1, **shape)[0] == -read.sum()
    total, words = intensity_work.reference("fp32", 3, n=n, held=held, k=1, every=8, **shape)
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
    in_order = np.arange(1024)
    by_chance = np.random.default_rng(1).integers(0, intensity_work.TILES, 1024)
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
    held = array["held"] // params["tile"]
    read = array["n"] // params["tile"]
    assert held & (held - 1) == 0
    assert read % params["blocks"] == 0
    assert held - params["blocks"] < read <= held
    assert 0.7 * tiles <= held


def test_the_reference_is_the_plain_sum() -> None:
    """Against a loop over elements that says what each thread of a GPU does."""
    shape = intensity_cuda.shape(GPU, "fp32")
    params = shape | {"n": 70 * shape["tile"]}
    data = np.tile(intensity_work.period("fp32", shape["tile"]), 2)[: params["n"]]
    assert intensity_work.reference("fp32", 2, k=3, **params)[0] == 2 * (-((1 - (1 - data)).sum()))
    # tile, vector of a thread, thread, element
    vectors = data.reshape(-1, shape["vecs"], shape["block"], 4)
    total, words = intensity_work.reference("fp32", 1, k=1, every=8, **params)
    assert total == -vectors[:, ::2, :, 0].sum()
    assert words == sum_of_words(data)


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "fp16", "bf16", "int32"])
@pytest.mark.parametrize("arch", ONE_A_GENERATION)
def test_the_gpu_does_the_declared_work_on_every_architecture(arch: str, dtype: str) -> None:
    device = gpu(arch)
    if reason := intensity_cuda.missing(device, dtype):
        assert dtype == "bf16", reason
        return
    for k, every in ((1, 4), (1, 1), (33, 1), (121, 1)):
        params = intensity_cuda.shape(device, dtype) | {"n": 1 << 24, "k": k, "every": every}
        kernel = MixedKernel(device, dtype, params)
        found = kernel.audit(kernel.work())
        assert found.problem == ""
        assert bool(found.instruction) != (arch in COMPILE_ONLY)


@pytest.mark.parametrize("arch", ["8.0", "8.9", "9.0", "10.0", "12.0"])
def test_tensor_cores_do_the_declared_work_on_every_architecture(arch: str) -> None:
    device = gpu(arch)
    for k, every in ((1, 4), (1, 1), (5, 1), (33, 1)):
        params = intensity_cuda.shape(device, "fp16", intensity_cuda.MMA) | {
            "n": 1 << 24,
            "k": k,
            "every": every,
        }
        kernel = MixedKernel(device, "fp16", params)
        found = kernel.audit(kernel.work())
        assert (found.problem, found.instruction) == ("", "HMMA.16816.F32")


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
    params = intensity_cuda.shape(GPU, dtype, path) | {"n": 1 << 24, "k": k}
    code = disassemble(MixedKernel(GPU, dtype, params).build())
    opcode = {"fp32": "FFMA", "fp64": "DFMA", "fp16": "HMMA" if path else "HFMA2"}[dtype]
    names = [instruction.opcode.split(".")[0] for instruction in code]
    order = [name for name in names if name in ("LDG", opcode)]
    loads = [at for at, name in enumerate(order) if name == "LDG"]
    assert len(loads) == 3 * params["vecs"], (
        "the first even tile, then an odd and an even one in each trip"
    )
    one_tile = order.count(opcode) / 2
    odd = loads[2 * params["vecs"] - 1]
    even = loads[2 * params["vecs"]]
    assert order[:odd].count(opcode) < one_tile / 4, (
        "the odd tile is asked for before the even one is computed"
    )
    assert order[odd:even].count(opcode) > one_tile / 2
    assert order[loads[-1] :].count(opcode) > one_tile / 2, (
        "and the next even one before the odd one is"
    )


def test_a_lost_multiply_add_is_caught() -> None:
    params = intensity_cuda.shape(GPU, "fp32") | {"n": 1 << 24, "k": 17}
    fewer = MixedKernel(GPU, "fp32", params | {"k": 13}).build()
    kernel = MixedKernel(GPU, "fp32", params)
    assert "operations a repetition, not" in kernel.inspect(fewer, kernel.work()).problem


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("k", [*range(1, 140), 22.6, 512, 1000, 2600, 10_000])
def test_every_possible_count_splits_without_a_rest(k: float, even: bool) -> None:
    near = intensity_work.possible(k, even)
    trips, steps = intensity_work.split(near)
    assert trips * steps + 1 == near
    assert abs(near - k) <= (min(intensity_work.STEPS) / 2 if k > intensity_work.FEW else even)
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
            counter.value = 7  # as if so many tiles were taken
        calls.append((count, *map(int, arguments[5:8])))

    monkeypatch.setattr(cuda_kernel, "function", lambda path, name, shared: kernel)
    params = intensity_cuda.shape(replace(GPU, units=1), "fp32")
    params |= intensity_cuda.array(params, 4) | {"k": 13, "equal": equal}
    launch = MixedKernel(GPU, "fp32", params)
    launch.ready(Queue(runtime))
    for repeat in (1, 3):
        launch.run(repeat)
    assert calls == [(0, 4, 3, 1), (0, 12, 3, 1)], (
        "tiles to compute, number of the last one, rounds"
    )
    assert bool(equal) == (launch.taken.download()[0] != 7)
    launch.close()
    assert not runtime.held


@pytest.mark.parametrize(("n", "held"), [(1, 4.5), (3, 3), (0, 0), (2.5, 4)])
def test_part_tiles_on_a_gpu_and_numbers_that_no_mask_fits_are_refused(
    n: float, held: float
) -> None:
    params = intensity_cuda.shape(GPU, "fp32") | {"k": 1}
    params |= {"n": int(n * params["tile"]), "held": int(held * params["tile"])}
    with pytest.raises(KernelError, match="times a power of 2"):
        MIXED.backends["raw"](GPU, "fp32", params, Queue(Runtime()))
