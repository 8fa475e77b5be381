"""One load, ``k`` multiply-adds: a kernel of any operational intensity, to walk along the roofline.

Each element is read once and becomes ``x = x * m + c``, ``k - 1`` times; the last multiply-add
brings it into an accumulator, so ``k`` of them are done and nothing else is computed. Below one
multiply-add per element only every ``every``-th register gets one. All registers are then also
added up as integers: not counted, but checked, so that no load can be left out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from kernels.base import ITEMSIZE, Work

STEPS, FEW = (16, 12), 8
"""Multiply-adds of an element in each round of many, and in the one round of few. Longer rounds
would outgrow the instruction cache, shorter ones jump too often, and every further length would be
a kernel more to compile."""
# data repeat after so many tiles: a prime, so that a tile read in place of another shows
TILES = 61
WORD = 4  # bytes
M = -1  # the values alternate between x and C - x: exact in every type, and for ever
C = {"fp64": 1, "fp32": 1, "fp16": 0, "bf16": 0, "int32": 1}
# points of one precision follow each other, with an odd or an even number of steps
PERIODS_KEPT = 2
LARGEST_VALUE = {"fp64": 1024, "fp32": 1024, "fp16": 4, "bf16": 1, "int32": 1024}
UNMATCHED = 64  # one element of so many is not undone by its opposite in the other half of its tile
"""Sums of 16-bit numbers, which count to 2048 or to 256, stay exact whichever thread meets which
tiles, up to a thousand: ten times as many as on any GPU known."""
BFLOAT_SHIFT = 16  # a bfloat16 is the upper half of a float


def split(k: int) -> tuple[int, int]:
    """(trips, steps): ``k - 1`` multiply-adds as ``trips`` rounds of ``steps``."""
    looped = k - 1
    if looped <= FEW:
        return 1, looped
    steps = next(n for n in STEPS if looped % n == 0)
    return looped // steps, steps


def looped_share(k: int) -> float:
    """Share of the multiply-adds that a loop holds: all but the one into the accumulator."""
    return (k - 1) / k


def possible(k: float, even: bool = False) -> int:
    """The number of multiply-adds nearest to ``k`` that ``split`` divides without a rest.

    even: into even rounds.
    """
    wanted = max(0, round(k) - 1)
    few = range(0, FEW + 1, 2 if even else 1)
    many = [max(1, round(wanted / steps)) * steps for steps in STEPS]
    looped = min([*few, *many], key=lambda n: abs(n - wanted))
    return looped + 1


def work(dtype: str, n: int, k: int, every: int = 1, columns: int = 1, **_: Any) -> Work:
    """``k`` multiply-adds a column on each ``every``-th of ``n`` elements; all of them are read."""
    return Work(2.0 * k * columns * n / every, n * ITEMSIZE[dtype])


@lru_cache(PERIODS_KEPT)
def period(dtype: str, tile: int) -> np.ndarray:
    """What the array holds, again and again: TILES tiles of ``tile`` small random integers.

    Most elements of a tile's second half are C less those of its first: after any number of steps
    they add up to C.
    """
    random = np.random.default_rng(0)
    most = LARGEST_VALUE[dtype]
    values = random.integers(-most, most, (TILES, 2, tile // 2), endpoint=True).astype(np.float64)
    first_half, second_half = values[:, 0], values[:, 1]
    matched = random.integers(0, UNMATCHED, first_half.shape) > 0
    second_half[matched] = C[dtype] - first_half[matched]
    return values.ravel()


@lru_cache(PERIODS_KEPT)
def elements(dtype: str, tile: int) -> np.ndarray:
    """The period as memory holds it; bfloat16 by its bits."""
    values = period(dtype, tile)
    if dtype == "bf16":
        return (values.astype(np.float32).view(np.uint32) >> BFLOAT_SHIFT).astype(np.uint16)
    kinds = {"fp64": np.float64, "fp32": np.float32, "fp16": np.float16, "int32": np.int32}
    return values.astype(kinds[dtype])


def reference(
    dtype: str,
    repeat: int,
    n: int,
    k: int,
    tile: int,
    held: int = 0,
    every: int = 1,
    columns: int = 1,
    **shape: Any,
) -> np.ndarray:
    """The sum of the accumulators, and that of all 32-bit words modulo 2**32, shape (2,).

    The second is 0 where every element is computed on: then the first one says enough. held:
    elements in memory (0: ``n``); where more than ``n``, a repetition goes on where the last one
    ended. Signs alternate in a matrix product: of an odd number of steps one is left, in each of
    its ``columns``.
    """
    if columns > 1:
        last = period(dtype, tile) * columns
    else:
        last = _last(dtype, tile, (k - 1) % 2)
    read = repeat * n
    held = held or n
    if every == 1:
        return np.array([_over(last, read, held), 0.0])
    computed = _selected(every, **shape)
    ends = (last.reshape(-1, computed.size) * computed).ravel()
    words = elements(dtype, tile).view(np.uint32).astype(np.int64)
    words_per_element = ITEMSIZE[dtype] / WORD
    words_read, words_held = int(read * words_per_element), int(held * words_per_element)
    word_sum = int(_over(words, words_read, words_held)) % 2**32
    return np.array([_over(ends, read, held), word_sum], np.float64)


@lru_cache(PERIODS_KEPT)
def _last(dtype: str, tile: int, steps: int) -> np.ndarray:
    """The period after so many steps and the last one; of more, two undo each other, as m is -1."""
    x = period(dtype, tile)
    for _step in range(steps):
        x = x * M + C[dtype]
    return x * M


def _selected(every: int, lanes: int, regs: int, block: int, vecs: int, **_: Any) -> np.ndarray:
    """A flag for each element that a block loads at once: whether it gets multiply-adds.

    That goes by the number of its register in its thread. A register holds ``lanes`` elements, a
    vector ``regs`` registers; a thread's ``vecs`` vectors lie ``block`` apart.
    """
    register = np.arange(lanes * regs * block * vecs) // lanes
    vector = register // regs // block
    return np.asarray((vector * regs + register % regs) % every == 0)


def _over(values: np.ndarray, n: int, held: int) -> Any:
    """Sum over the first ``n`` numbers read in a circle from an array of ``held`` numbers.

    The array holds ``values`` again and again.
    """
    around, rest = divmod(n, held)
    return around * _sum(values, held) + _sum(values, rest)


def _sum(values: np.ndarray, n: int) -> Any:
    whole, rest = divmod(n, len(values))
    return whole * values.sum() + values[:rest].sum()


def footprint(dtype: str, n: int, held: int = 0, **_: Any) -> float:
    """Bytes of the array."""
    return float((held or n) * ITEMSIZE[dtype])
