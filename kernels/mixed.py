"""One load, ``k`` multiply-adds: a kernel whose operational intensity is chosen, so that it walks along the roofline.

Each element is read once and becomes ``x = x * m + c``, ``k - 1`` times; the last multiply-add brings it into an
accumulator, so ``k`` of them are done and nothing else is computed. Below one multiply-add per element only every
``every``-th register gets one. All registers are then also added up as integers: not counted, but checked, so that
no load can be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from kernels.base import ITEMSIZE, Kernel, Launch, Work

STEPS, PRODUCT_STEPS = 24, 16
"""Most multiply-adds of an element written out; more are a loop, or the code would outgrow the instruction cache."""
FEW = 8  # rounds, up to which they may be shorter than STEPS and yet of one length
TILES = 61  # data repeat after so many tiles: a prime, so that a tile read in place of another shows
M = -1  # the values alternate between x and C - x: exact in every type, and for ever
C = {"fp64": 1, "fp32": 1, "fp16": 1, "bf16": 0, "int32": 1}
KEPT = 2  # periods: points of one precision follow each other, with an odd or an even number of steps
LARGEST = {"fp64": 1024, "fp32": 1024, "fp16": 4, "bf16": 1, "int32": 1024}  # so that sums stay exact
BFLOAT_SHIFT = 16  # a bfloat16 is the upper half of a float


def most(columns: int) -> int:
    """Steps of a round at most; a product of matrices is several instructions."""
    return STEPS if columns == 1 else PRODUCT_STEPS


def split(k: int, columns: int = 1) -> tuple[int, int]:
    """(trips, steps): ``k - 1`` multiply-adds as ``trips`` rounds of ``steps``; one round where all are written out."""
    trips = max(1, -(-(k - 1) // most(columns)))
    return trips, (k - 1) // trips


def looped_share(k: int) -> float:
    """Share of the multiply-adds that a loop holds: all but the one into the accumulator."""
    return (k - 1) / k


def possible(k: float, columns: int = 1) -> int:
    """The number of multiply-adds nearest to ``k`` that ``split`` divides without a rest, into even rounds where signs
    alternate."""
    wanted, steps = max(1, round(k)) - 1, most(columns)
    if wanted > FEW * steps:
        return round(wanted / steps) * steps + 1
    return min(filter(lambda n: _even(n, columns), range(FEW * steps + 1)), key=lambda n: abs(n - wanted)) + 1


def _even(looped: int, columns: int) -> bool:
    """Whether so many multiply-adds are whole rounds, and of an even number where signs alternate."""
    trips, steps = split(looped + 1, columns)
    return trips * steps == looped and (columns == 1 or steps % 2 == 0)


def work(dtype: str, n: int, k: int, every: int = 1, columns: int = 1, **_: Any) -> Work:
    """``k`` multiply-adds, in each column, on every ``every``-th of ``n`` elements, all of them read."""
    return Work(2.0 * k * columns * n / every, n * ITEMSIZE[dtype])


@lru_cache(KEPT)
def period(dtype: str, tile: int) -> np.ndarray:
    """What the array holds, again and again: TILES tiles of ``tile`` small random integers."""
    most = LARGEST[dtype]
    return np.random.default_rng(0).integers(-most, most, TILES * tile, endpoint=True).astype(np.float64)


@lru_cache(KEPT)
def elements(dtype: str, tile: int) -> np.ndarray:
    """The period as memory holds it; bfloat16 by its bits."""
    values = period(dtype, tile)
    if dtype == "bf16":
        return (values.astype(np.float32).view(np.uint32) >> BFLOAT_SHIFT).astype(np.uint16)
    kinds = {"fp64": np.float64, "fp32": np.float32, "fp16": np.float16, "int32": np.int32}
    return values.astype(kinds[dtype])


def reference(
    dtype: str, repeat: int, n: int, k: int, tile: int, every: int = 1, columns: int = 1, **shape: Any
) -> np.ndarray:
    """[sum of the accumulators, sum of all 32-bit words modulo 2**32 (0 where every element is computed on)].

    Signs alternate in a matrix product: of an odd number of steps one is left, in each of its ``columns``.
    """
    last = period(dtype, tile) * columns if columns > 1 else _last(dtype, tile, (k - 1) % 2)
    if every == 1:
        return np.array([repeat * _over(last, n), 0.0])
    chosen = _selected(every, **shape)
    ends = (last.reshape(-1, chosen.size) * chosen).ravel()
    bits = elements(dtype, tile).view(np.uint32).astype(np.int64)
    words = int(_over(bits, n * ITEMSIZE[dtype] // 4)) * repeat % 2**32
    return np.array([repeat * _over(ends, n), words], np.float64)


@lru_cache(KEPT)
def _last(dtype: str, tile: int, steps: int) -> np.ndarray:
    """The period after so many steps and the last one; of more, two undo each other, as m is -1."""
    x = period(dtype, tile)
    for _step in range(steps):
        x = x * M + C[dtype]
    return x * M


def _selected(every: int, lanes: int, regs: int, block: int, vecs: int, **_: Any) -> np.ndarray:
    """Whether each element that a block loads at once gets multiply-adds: by its register's number in its thread.

    A register holds ``lanes`` elements, a vector ``regs`` registers; a thread's ``vecs`` vectors lie ``block`` apart.
    """
    register = np.arange(lanes * regs * block * vecs) // lanes
    vector = register // regs // block
    return np.asarray((vector * regs + register % regs) % every == 0)


def _over(values: np.ndarray, n: int) -> Any:
    """Sum over ``n`` numbers that repeat ``values``."""
    whole, rest = divmod(n, len(values))
    return whole * values.sum() + values[:rest].sum()


def _builder(backend: str) -> Callable[..., Launch]:
    def build(device: Any, dtype: str, params: Any, queue: Any) -> Launch:
        if backend == "cpu":
            from kernels import mixed_cpu

            return mixed_cpu.build(device, dtype, params, queue)
        from kernels import mixed_cuda

        return mixed_cuda.raw(device, dtype, params, queue)

    return build


def _prepare(device: Any, dtype: str, params: Any) -> None:
    from kernels import mixed_cuda

    mixed_cuda.prepare(device, dtype, params)


MIXED = Kernel("mixed", work, reference, {name: _builder(name) for name in ("raw", "cpu")}, prepare=_prepare)
