"""What a run knows of zeros in a network's weights: a row of ``patterns.csv`` for each layer and
pattern, and one for the whole network. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from probes.records.measurement import FAILED, OK, SKIPPED, RidgelineError
from probes.records.precision import MOST_DB
from probes.records.stored import schema_problem
from probes.records.table import Limits, damage_sentences, read_table

PATTERNS_SCHEMA = 1
"""What this program writes; a higher one is refused."""
PATTERNS_FILE = "patterns.csv"
TWO_OF_FOUR = "2:4"
"""The pattern for which there is hardware."""


@dataclass(frozen=True, kw_only=True)
class PatternRow:
    """What is left of one layer whose weights become zero by a pattern: a row of ``patterns.csv``.

    What has the smallest magnitude goes first. Errors are computed exactly, on the CPU.
    """

    schema_version: int
    """Which columns there are, and what they mean."""
    network: str
    """Name of the network."""
    layer: str
    """Name of the node that multiplies by these weights."""
    op: str
    """What that does, by ONNX's name."""
    rows: int
    """Output channels."""
    columns: int
    """Weights of one output channel."""
    in_channels: int
    """Input channels that one output channel reads: neighbours along which patterns lie."""
    groups: int
    """Groups of a convolution; 1 of a product."""
    read_elements: int
    """Elements of the activations that it reads."""
    written_elements: int
    """Elements of the activation that it leaves."""
    flops: float | None
    """Operations of one run, zeros included; None is unknown."""
    l1: float
    """Sum of the magnitudes of its weights."""
    pattern: str
    """``2:4``, ``unstructured``, or rows and columns of its blocks: ``4x4``."""
    share_asked: float
    """Share of the weights that were to be zero."""
    block: int = 1
    """Weights that become zero together."""
    zeros: float | None = None
    """Share of the weights that are zero."""
    l1_kept: float | None = None
    """Share of the sum of magnitudes that is left."""
    values: int | None = None
    """Weights that are left."""
    blocks: int | None = None
    """Blocks of which some weight is left; of single weights, those weights."""
    block_rows: int | None = None
    """Rows of blocks, empty ones included."""
    block_values: int | None = None
    """Weights that these blocks hold, those added at an edge included."""
    inputs: int = 0
    """How many inputs its own error was found on."""
    own_sqnr_db: float | None = None
    """Signal-to-noise ratio at the layer's own output."""
    sqnr_db: float | None = None
    """Signal-to-noise ratio at the network's outputs, with this layer alone changed; None where it
    was not asked: of 2:4 only."""
    status: str = OK
    """``ok``, ``skipped`` or ``failed``."""
    reason: str = ""
    """Why it was skipped or failed."""

    @property
    def trial(self) -> str:
        """Pattern and share, as recipes of the whole network are called: ``4x4 75 %``."""
        if self.pattern == TWO_OF_FOUR:
            return self.pattern
        return f"{self.pattern} {100 * self.share_asked:.0f} %"


LIMITS: Limits = {
    "schema_version": (1, 1e6),
    "rows": (1, 1e18),
    "columns": (1, 1e18),
    "in_channels": (1, 1e18),
    "groups": (1, 1e18),
    "read_elements": (1, 1e18),
    "written_elements": (1, 1e18),
    "flops": (1e-9, 1e24),
    "l1": (1e-300, 1e39),
    "share_asked": (1e-9, 1),
    "block": (1, 1e6),
    "zeros": (1e-18, 1),
    "l1_kept": (1e-18, 1 + 1e-9),
    "values": (1, 1e18),
    "blocks": (1, 1e18),
    "block_rows": (1, 1e18),
    "block_values": (1, 1e18),
    "inputs": (1, 1e12),
    "own_sqnr_db": (-MOST_DB, MOST_DB),
    "sqnr_db": (-MOST_DB, MOST_DB),
}
"""Of the cells: the least number above zero, and the largest."""


def read_patterns(folder: Path, guards: bool, damage: list[str]) -> list[PatternRow]:
    """The rows in a run's folder; none if it has no such file.

    What is damaged is left out, and named in ``damage``.
    """
    path = folder / PATTERNS_FILE
    if not path.exists():
        return []
    try:
        table = read_table(path, PatternRow, LIMITS, guards, row_problem)
    except RidgelineError as error:
        damage.append(str(error))
        return []
    damage += damage_sentences(path, table)
    return table.rows


def row_problem(row: PatternRow) -> str:
    """Why no run can have this row, though each of its cells is right; empty if it can."""
    if why := schema_problem(row.schema_version):
        return why
    if row.status not in (OK, SKIPPED, FAILED):
        return f"status is {row.status[:40]!r}"
    if row.status == OK and row.values is None:
        return "it says that it is ok, and not how many weights are left"
    return ""
