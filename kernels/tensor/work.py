"""Matrix units: the operands they are given, how much work that is, and what must come out.

The instructions stand in table.py; here each of them is a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kernels.base import Work
from kernels.formats import FORMATS, rounded
from kernels.tensor.table import Instruction

SEED = 20
PAIRS = (
    0b0100,
    0b1000,
    0b1100,
    0b1001,
    0b1101,
    0b1110,
)  # two of four elements, ascending, as 2-bit positions
TF32_PAIRS = (0b0100, 0b1110)  # one of two 32-bit elements, as the positions of its halves


@dataclass(frozen=True)
class Operands:
    """What the unit multiplies."""

    a: np.ndarray
    """Two A: (2, slices, m, k) or, sparse, (2, slices, m, k / 2) as they are stored."""
    b: np.ndarray
    """B by columns: (slices, n, k)."""
    kept: np.ndarray | None
    """Codes of the stored positions of a sparse A: (slices, m, groups); None of a dense one."""

    def product(self, row: Instruction, steps: int) -> np.ndarray:
        """What ``steps`` instructions add to an accumulator, (m, n), in double precision."""
        total = np.zeros((row.m, row.n))
        for (which, part), times in _visits(row.slices, steps).items():
            total += times * (self.logical_a(row)[which, part] @ self.b[part].T)
        return total

    def logical_a(self, row: Instruction) -> np.ndarray:
        """A with its zeros, (2, slices, m, k)."""
        return self.a if self.kept is None else expanded(self.a, self.kept, row)


def _visits(slices: int, steps: int) -> dict[tuple[int, int], int]:
    """How often a trip uses each (A, slice)."""
    order = [(s // slices % 2, s % slices) for s in range(steps)]
    return {pair: order.count(pair) for pair in set(order)}


def expanded(stored: np.ndarray, kept: np.ndarray, row: Instruction) -> np.ndarray:
    """Sparse A with its zeros put back.

    Each 4-bit code holds two 2-bit positions, in units of half words for TF32, where one of two
    elements is stored.
    """
    full = np.zeros((*stored.shape[:-1], row.k))
    group = np.arange(kept.shape[-1])
    for part in range(kept.shape[0]):
        for line in range(row.m):
            low, high = kept[part, line] & 3, kept[part, line] >> 2
            if row.format == "tf32":
                full[:, part, line, 2 * group + low // 2] = stored[:, part, line]
            else:
                full[:, part, line, 4 * group + low] = stored[:, part, line, 0::2]
                full[:, part, line, 4 * group + high] = stored[:, part, line, 1::2]
    return full


@cache
def operands(row: Instruction, kind: str) -> Operands:
    """Operands of this row, the same in every process.

    kind: ``zeros``; ``random``: normal numbers or uniform integers, the second A the negative of
    the first, so that accumulators return to where they were and stay finite; ``independent``: the
    same, but two unrelated A; ``integers``: small whole numbers, whose products and sums are exact
    on every unit.
    """
    rng = np.random.default_rng(SEED)
    stored_k = row.k // 2 if row.sparse else row.k
    a = _values(rng, row, kind, (2, row.slices, row.m, stored_k))
    b = _values(rng, row, kind, (row.slices, row.n, row.k))
    if kind == "random":
        a[1] = -a[0]
    return Operands(a, b, _kept(rng, row) if row.sparse else None)


def _values(
    rng: np.random.Generator, row: Instruction, kind: str, shape: tuple[int, ...]
) -> np.ndarray:
    form = FORMATS[row.format]
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "integers":
        return rng.integers(-2, 3, shape).astype(np.float64)
    if form.integer:
        largest = (1 << (form.bits - 1)) - 1
        return rng.integers(-largest, largest + 1, shape).astype(np.float64)
    return rounded(row.format, rng.standard_normal(shape))


def _kept(rng: np.random.Generator, row: Instruction) -> np.ndarray:
    pairs, width = (TF32_PAIRS, 2) if row.format == "tf32" else (PAIRS, 4)
    return rng.choice(np.array(pairs), (row.slices, row.m, row.k // width))


def teams(row: Instruction, warps: int) -> int:
    """How many groups of threads of a block issue instructions of their own."""
    return warps // 4 if row.warpgroup else warps


def work(row: Instruction, chains: int, steps: int, warps: int, blocks: int, **_: Any) -> Work:
    """One repetition: ``steps`` instructions on each chain of every warp or warpgroup."""
    return Work(flops=float(row.operations) * chains * steps * teams(row, warps) * blocks)


def reference(row: Instruction, repeat: int, **params: Any) -> np.ndarray:
    """Accumulators of the first and last block, (2, tiles, m, n); chain i starts from i + 1."""
    product = operands(row, params["operands"]).product(row, params["steps"])
    starts = np.tile(np.arange(params["chains"]) + 1.0, 2 * teams(row, params["warps"]))
    return (starts[:, None, None] + repeat * product).reshape(2, -1, row.m, row.n)


def tolerance(row: Instruction) -> float:
    """Largest error of a check with random operands, over the largest value.

    Every step may lose the last bit of the product and of the sum that the accumulator keeps. Sums
    of integers are exact.
    """
    return (
        0.0
        if FORMATS[row.accumulator].integer
        else 2.0 * launch_shape(row)["steps"] * 2.0**-row.fraction_bits
    )


def launch_shape(row: Instruction, arch: str = "") -> dict[str, Any]:
    """Accumulators a warp, instructions on each in a trip, warps a block, blocks an SM.

    Two warpgroups an SM saturate wgmma; a sparse A comes from registers, because with B it needs
    more than the 128 bytes a clock of shared memory. Emulations need registers of their own, hence
    their small loops.
    """
    if row.warpgroup:
        return {
            "chains": 1,
            "steps": 32,
            "warps": 8,
            "blocks_per_sm": 1,
            "a": "registers" if row.sparse else "shared",
        }
    chains, steps = (4, 8) if arch and row.emulated(arch) else (8, 32)
    return {"chains": chains, "steps": steps, "warps": 8, "blocks_per_sm": 1}
