"""Which weights of a layer become zero: single ones, blocks, vectors, or two of every four.

Magnitude decides: what has the smallest absolute values goes first. Weights are looked at as an
array of three axes, (row, place, column). A row is an output channel. A place is one of the window
of a convolution; a product has one. A column is an input channel, so that neighbours along it are
summed up one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GROUP, KEPT_OF_GROUP = 4, 2
"""2:4 keeps two of each four neighbours along the columns (PTX ISA, "Sparse matrix storage")."""


@dataclass(frozen=True)
class Pattern:
    """A rule that says which weights can only become zero together."""

    name: str
    """As tables hold it: ``2:4``, ``4x4``."""
    meaning: str
    """What it is, in words."""
    rows: int = 1
    """Output channels of one block."""
    columns: int = 1
    """Input channels of one block."""
    in_groups: bool = False
    """True for 2:4: every group of four keeps two, so that the share of zeros is not free."""


TWO_OF_FOUR = Pattern("2:4", "two of every four neighbours are zero", in_groups=True)
UNSTRUCTURED = Pattern("unstructured", "any weight may be zero")
PATTERNS = (
    TWO_OF_FOUR,
    UNSTRUCTURED,
    Pattern("1x8", "eight neighbours of one output channel are zero together", columns=8),
    Pattern("8x1", "one input is zero for eight output channels together", rows=8),
    Pattern("4x4", "blocks of 4 by 4 are zero together", rows=4, columns=4),
    Pattern("16x16", "blocks of 16 by 16 are zero together", rows=16, columns=16),
)
"""All that are tried. A pattern is one row here."""
SHARES = (0.5, 0.75, 0.9)
"""Shares of zeros that are tried of patterns that leave them free."""


@dataclass(frozen=True)
class Trial:
    """One pattern with one share of zeros."""

    pattern: Pattern
    """The rule."""
    share: float
    """Share of the weights that are to be zero."""

    @property
    def name(self) -> str:
        """``2:4``, ``4x4 75 %``."""
        if self.pattern.in_groups:
            return self.pattern.name
        return f"{self.pattern.name} {100 * self.share:.0f} %"


def trials(patterns: Sequence[Pattern] = PATTERNS) -> list[Trial]:
    """Every pattern with every share of zeros that it can have."""
    every = []
    for pattern in patterns:
        shares = (1 - KEPT_OF_GROUP / GROUP,) if pattern.in_groups else SHARES
        every += [Trial(pattern, share) for share in shares]
    return every


def mask(weights: np.ndarray, trial: Trial) -> np.ndarray:
    """Which weights are kept: an array of booleans like ``weights`` (row, place, column).

    Blocks at an edge may be smaller. They are ranked by the mean of their magnitudes, so that a
    small one is not thought to be of little weight.
    """
    magnitudes = np.abs(np.asarray(weights, np.float32))
    if trial.pattern.in_groups:
        return _two_of_four(magnitudes)
    merits = _block_means(magnitudes, trial.pattern)
    kept_blocks = _largest(merits, round((1 - trial.share) * merits.size))
    rows, places, columns = magnitudes.shape
    kept = np.repeat(kept_blocks, trial.pattern.rows, axis=0)[:rows]
    kept = np.repeat(kept, trial.pattern.columns, axis=2)
    return np.ascontiguousarray(kept[:, :places, :columns])


def _two_of_four(magnitudes: np.ndarray) -> np.ndarray:
    """The two largest of each four columns; a last group of fewer keeps two, too."""
    columns = magnitudes.shape[2]
    missing = -columns % GROUP
    padded = np.pad(magnitudes, ((0, 0), (0, 0), (0, missing)), constant_values=-1.0)
    groups = padded.reshape(-1, GROUP)
    # of equal ones the first stay: a stable order makes the same mask everywhere
    order = np.argsort(-groups, axis=1, kind="stable")
    kept = np.zeros(groups.shape, bool)
    np.put_along_axis(kept, order[:, :KEPT_OF_GROUP], True, axis=1)
    return np.ascontiguousarray(kept.reshape(padded.shape)[:, :, :columns])


def _block_means(magnitudes: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Mean magnitude of each block, by (block row, place, block column)."""
    rows, _, columns = magnitudes.shape
    row_starts = np.arange(0, rows, pattern.rows)
    column_starts = np.arange(0, columns, pattern.columns)
    sums = np.add.reduceat(magnitudes, row_starts, axis=0)
    sums = np.add.reduceat(sums, column_starts, axis=2)
    heights = np.diff(np.append(row_starts, rows))
    widths = np.diff(np.append(column_starts, columns))
    return np.asarray(sums / heights[:, None, None] / widths)


def _largest(merits: np.ndarray, count: int) -> np.ndarray:
    """True for so many of the largest numbers."""
    chosen = np.zeros(merits.size, bool)
    if count:
        # a sort would take ten times as long, of networks with millions of weights
        chosen[np.argpartition(merits, merits.size - count, axis=None)[-count:]] = True
    return chosen.reshape(merits.shape)


def share_of_zeros(kept: np.ndarray) -> float:
    """Share of the weights that a mask makes zero."""
    return 1 - int(np.count_nonzero(kept)) / max(1, kept.size)


def l1_kept(weights: np.ndarray, kept: np.ndarray) -> float:
    """Share of the sum of magnitudes that a mask keeps; 1 of weights that are all zero."""
    magnitudes = np.abs(weights)
    total = magnitudes.sum(dtype=np.float64)
    if not total:
        return 1.0
    return float(magnitudes.sum(dtype=np.float64, where=kept) / total)


@dataclass(frozen=True)
class Counts:
    """What a mask keeps, as far as the bytes to store it depend on it."""

    values: int
    """Weights that are kept."""
    blocks: int
    """Blocks of which some weight is kept; of single weights, those weights."""
    block_rows: int
    """Rows of blocks, empty ones included."""
    block_values: int
    """Weights that blocks with some weight hold, those added at an edge included."""


def counts(kept: np.ndarray, pattern: Pattern) -> Counts:
    """What a mask (row, place, column) keeps."""
    rows, places, columns = kept.shape
    values = int(np.count_nonzero(kept))
    size = pattern.rows * pattern.columns
    if size == 1:
        return Counts(values, values, rows, values)
    padded = np.pad(kept, ((0, -rows % pattern.rows), (0, 0), (0, -columns % pattern.columns)))
    block_rows = padded.shape[0] // pattern.rows
    across = padded.shape[2] // pattern.columns
    by_block = padded.reshape(block_rows, pattern.rows, places, across, pattern.columns)
    blocks = int(np.count_nonzero(by_block.any(axis=(1, 4))))
    return Counts(values, blocks, block_rows, blocks * size)
