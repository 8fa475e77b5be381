"""How far runs of one row range over, as it was recorded, by kind of machine (``ranges.toml``)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from analysis.compare.facts import Circumstances, Reading

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VIRTUAL_CPU, CPU, GPU, BOARD = "virtual cpu", "cpu", "gpu", "board"
"""Kinds of machines whose runs range over alike."""
USUAL_DRIFT = 0.005
"""Of rows without a record: temperature alone moves a clock by so much."""
FILE = Path(__file__).with_name("ranges.toml")


@dataclass(frozen=True)
class Record:
    """How far runs of the rows that fit a pattern differed."""

    tag: str
    """Pattern of tags, where ``*`` is any text."""
    range: float
    """Speed of the fastest run over that of the slowest, less 1."""
    drift: float
    """Standard deviation of the logarithm of speed by which the middle of three runs moves, beyond
    what their own spread explains.
    """
    runs: int
    """How many runs had the row."""
    source: str
    """Which runs these were."""


def machine_of(run: Circumstances) -> str:
    """The kind of machine that a run was made on."""
    if run.kind == "cpu":
        return VIRTUAL_CPU if run.virtual else CPU
    return BOARD if run.board else GPU


def record_of(tag: str, machine: str) -> Record | None:
    """What is recorded of a row on such a machine; None if nothing is."""
    for record in records().get(machine, ()):
        if fnmatchcase(tag, record.tag):
            return record
    return None


@cache
def records() -> dict[str, tuple[Record, ...]]:
    """All records, by kind of machine, in the order in which they count."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))["record"]
    by_machine: dict[str, tuple[Record, ...]] = {}
    for table in tables:
        rows = tuple(Record(**row, source=table["source"]) for row in table["rows"])
        by_machine[table["machine"]] = by_machine.get(table["machine"], ()) + rows
    return by_machine


def range_of(readings: Sequence[Reading]) -> float | None:
    """The range of these readings that can be trusted, as ``Record.range``; None of fewer than two.

    So the numbers of ``ranges.toml`` were computed.
    """
    speeds = [reading.speed for reading in readings if reading.trusted]
    if len(speeds) < 2:
        return None
    return max(speeds) / min(speeds) - 1
