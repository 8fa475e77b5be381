"""The files of a run. A run that is killed at any moment leaves readable ones.

A run's folder holds ``run.json`` (what was asked of which device, complete or partial) and
``measurements.csv``; analysis adds the rest and reads nothing else. Standard library only.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kernels.device import Device
from probes.records import given
from probes.records.layer import number, read_params
from probes.records.measurement import (
    FORMERLY_DISTURBED,
    FORMERLY_EMULATED,
    FORMERLY_WIDE,
    SCHEMA_VERSION,
    Measurement,
    Moment,
    RidgelineError,
)
from probes.records.stored import (
    LIMITS,
    MOMENT_LIMITS,
    NULL,
    device_of,
    moment_problem,
    row_problem,
    schema_problem,
)
from probes.records.table import GUARD, csv_text, damage_sentences, lines_are, read_table

RUN_FILE, ROWS_FILE, CURVE_FILE = "run.json", "measurements.csv", "sustained.csv"
LESSONS = "lessons"
"""Name, among the settings of a run, of the lessons that it tries."""
COMPLETE, PARTIAL = "complete", "partial"
"""What ``status`` of a run may be."""
DEEPEST = 4
"""Folders between a folder of runs and one of them: ``results/sets/<time>/<device>/<time>``."""
PART = ".part"
"""How the name of a file ends while it is being written."""
PART_NAME = re.compile(rf"[\w.-]+?\.(?:csv|json|png|svg|html)(?:\.(\d{{1,9}}))?{re.escape(PART)}")
"""Name of such a file: that of the whole, then the number of its process (older versions: none)."""
NOT_IN_RUN_FILE = ("measurements", "guarded", "damage")
"""Fields of a run that ``run.json`` does not hold."""
NEEDED_FACTS = {
    "device": dict,
    "started": str,
    "settings": dict,
    "versions": dict,
    "schema_version": int,
}
"""What ``run.json`` must hold, with its type."""
OPTIONAL_FACTS = {
    "ended": str,
    "status": str,
    "warnings": list,
    "load": dict,
    "power": dict,
    "state": dict,
}
"""What ``run.json`` may hold, with its type."""


@dataclass
class Run:
    """One run: the device, what was asked of it, and the rows so far."""

    device: Device
    """What was measured."""
    started: str
    """When the run began, in UTC."""
    settings: dict[str, Any]
    """What was asked: the options of the command."""
    versions: dict[str, str]
    """Versions of this program and of the libraries it ran on."""
    ended: str = ""
    """When it ended, in UTC; empty until then."""
    status: str = PARTIAL
    """``partial`` until all is measured, then ``complete``."""
    warnings: list[str] = field(default_factory=list)
    """What a reader should know of the machine or of what was asked."""
    load: dict[str, Any] = field(default_factory=dict)
    """What else ran on the machine ``before`` and ``during`` it, as ``harness.load.Load`` says."""
    power: dict[str, Any] = field(default_factory=dict)
    """What told the power of its rows (``source``), and the power without a load (``idle_w``); or
    ``why_unknown``.
    """
    state: dict[str, Any] = field(default_factory=dict)
    """Of a Jetson: its power mode, clocks, power and heat ``before``, ``during`` and ``after``, and
    how long its clocks took to settle (``warm_up``).
    """
    schema_version: int = SCHEMA_VERSION
    """Which fields and columns there are, and what they mean."""
    measurements: list[Measurement] = field(default_factory=list)
    """The rows so far."""
    guarded: bool = True
    """True if its CSV files guard cells that a spreadsheet would compute (older versions: False).

    ``run.json`` has ``guard`` instead, the sign that does it.
    """
    damage: list[str] = field(default_factory=list)
    """Sentences on what of its files could not be read back; not in its files."""

    def save_rows(self, folder: Path) -> None:
        """Write the rows so far. Raises OSError."""
        replace_file(folder / ROWS_FILE, csv_text(self.measurements, Measurement))

    @property
    def measured(self) -> bool:
        """True if any row holds a timing."""
        return any(row.samples for row in self.measurements)

    def save(self, folder: Path) -> None:
        """Write both files of this run into ``folder``. Raises OSError (no space left, say)."""
        facts: dict[str, Any] = {}
        for fact in fields(self):
            if fact.name not in NOT_IN_RUN_FILE:
                facts[fact.name] = getattr(self, fact.name)
        facts.update(device=asdict(self.device), guard=GUARD)
        # rows first: a run must not call itself complete before all of them are there
        self.save_rows(folder)
        replace_file(folder / RUN_FILE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_folder(out: Path, device: Device, started: str) -> Path:
    """A new folder ``<out>/<device>/<UTC time>``; a second run in the same second gets ``-2``.

    Raises RidgelineError where it cannot be written.
    """
    with given.writing_to(out):
        return new_folder_at(out / device.slug, started)


def new_folder_at(parent: Path, started: str) -> Path:
    """A new folder ``<parent>/<UTC time>``; a second one in the same second gets ``-2``.

    Raises OSError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    time = time_in_names(started)
    for attempt in itertools.count(1):
        folder = parent / (time if attempt == 1 else f"{time}-{attempt}")
        # Only mkdir can tell that it is new: another run may ask at the same moment.
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("numbers never end")


def time_in_names(started: str) -> str:
    """The time as names of folders have it: ``20261128T101500Z``."""
    return started.replace(":", "").replace("-", "")


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: whoever reads it sees the old one or the new."""
    if isinstance(content, str):
        # a path may hold bytes that are no UTF-8
        content = content.encode("utf-8", "backslashreplace")
    part = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files that killed processes have left in a run's folder."""
    for part in folder.glob(f"*{PART}"):
        match = PART_NAME.fullmatch(part.name)
        if match is None:
            continue
        process = int(match[1] or 0)
        if not _lives(process):
            with suppress(OSError):
                part.unlink()


def _lives(process: int) -> bool:
    """True if another process of this number may still be at work; 0 is none."""
    # this process has left nothing unfinished: such a file is of an earlier one of its number
    if process in (0, os.getpid()):
        return False
    try:
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat").read_text(errors="replace")
        _, _, after_name = status.rpartition(")")  # the name may hold blanks and brackets
        state = after_name.split()[0]
    except ProcessLookupError:
        return False
    except (OSError, IndexError):  # of another user, or no /proc here
        return True
    is_zombie = state == "Z"  # dead, and not yet waited for
    return not is_zombie


def folders_of_runs(place: Path) -> list[Path]:
    """The folder of a run itself, or those of all runs below it, by depth and name."""
    if (place / RUN_FILE).exists():
        return [place]
    folders = []
    for depth in range(1, DEEPEST + 1):
        pattern = "/".join(["*"] * depth + [RUN_FILE])
        folders += [file.parent for file in sorted(place.glob(pattern))]
    return folders


def read_head(folder: Path) -> Run:
    """Read ``run.json`` of a folder back, without any rows.

    Raises RidgelineError if it is no run.
    """
    try:
        facts = _read_facts(folder / RUN_FILE)
        device, device_damage = device_of(facts["device"])
    except ValueError as error:
        raise RidgelineError(f"{folder / RUN_FILE} is damaged: {error}") from None
    except RecursionError:
        raise RidgelineError(f"{folder / RUN_FILE} is damaged: it is nested too deep") from None
    run = Run(
        device=device,
        started=facts["started"],
        settings=facts["settings"],
        versions=facts["versions"],
        damage=device_damage,
    )
    # an older version wrote no guard: then one that a cell begins with is part of its text
    run.guarded = facts.get("guard") == GUARD
    for name, fact_type in OPTIONAL_FACTS.items():
        value = facts.get(name)
        if isinstance(value, fact_type):
            setattr(run, name, value)
        elif value is not None:
            run.damage.append(f"{RUN_FILE}: {name} is damaged and left out")
    run.warnings = [warning for warning in run.warnings if isinstance(warning, str)]
    return run


def read_run(folder: Path, wanted: Callable[[str], bool] = lambda tag: True) -> Run:
    """Read a run's folder back; what is damaged in it is left out, and named in ``damage``.

    wanted: says of the tag of a row, as it is written, if the row is to be read. Raises
    RidgelineError if it is no run.
    """
    run = read_head(folder)

    def is_wanted(cells: Mapping[str, str]) -> bool:
        return wanted(cells["ceiling"])

    path = folder / ROWS_FILE
    table = read_table(path, Measurement, LIMITS, run.guarded, row_problem, is_wanted)
    run.damage += damage_sentences(path, table)
    rows_and_lines = zip(table.rows, table.lines, strict=True)
    lines_with_null = [line for row, line in rows_and_lines if row.params == NULL]
    if lines_with_null:
        lines_read = f"{lines_are(lines_with_null)} read as if params were empty"
        run.damage.append(f"{ROWS_FILE} {lines_read}: it is {NULL!r}")
    for row in table.rows:
        if row.params == NULL:
            row = replace(row, params="")
        row = _of_this_schema(row)
        if "trusted" not in table.columns:
            row = _with_trust(row)
        run.measurements.append(row)
    return run


def read_moments(folder: Path, run: Run) -> list[Moment]:
    """The curve of a sustained load in this run's folder; empty where there is none.

    Damage in it is added to ``run.damage``.
    """
    path = folder / CURVE_FILE
    if not path.exists():
        return []
    try:
        table = read_table(path, Moment, MOMENT_LIMITS, run.guarded, moment_problem)
    except RidgelineError as error:
        run.damage.append(str(error))
        return []
    run.damage += damage_sentences(path, table)
    return table.rows


def _read_facts(path: Path) -> dict[str, Any]:
    """What ``run.json`` says. Raises RidgelineError if that is not all that a run needs."""
    try:
        facts = given.parsed(path, given.text(path))
    except RidgelineError as error:
        raise RidgelineError(f"{path.parent} is not a run of Ridgeline: {error}") from None
    for key, fact_type in NEEDED_FACTS.items():
        # not isinstance, for which true and false are numbers
        if not isinstance(facts, dict) or type(facts.get(key)) is not fact_type:
            raise RidgelineError(f"{path} is not a run of Ridgeline: it has no usable {key!r}")
    if why := schema_problem(facts["schema_version"]):
        raise RidgelineError(f"{path}: {why}")
    return dict(facts)


def _of_this_schema(row: Measurement) -> Measurement:
    """The row with ``x`` and ``emulated`` in columns of their own.

    Schema 1 kept them in params, and told of ``emulated`` in the remark of a row as well.
    """
    if row.schema_version >= SCHEMA_VERSION:
        return row
    params = read_params(row.params)
    emulated = bool(params.get("emulated")) or row.reason.startswith(FORMERLY_EMULATED)
    return replace(row, x=number(params, "x"), emulated=emulated)


def _with_trust(row: Measurement) -> Measurement:
    """A row of a file without the column ``trusted``, with the trust that its remarks spoke of.

    Such remarks are taken out: ``trusted``, ``doubt`` and the row's interval say the same.
    """
    remarks = row.reason.split("; ")
    other_remarks = []
    for remark in remarks:
        is_on_trust = remark == FORMERLY_DISTURBED or remark.startswith(FORMERLY_WIDE)
        if not is_on_trust:
            other_remarks.append(remark)
    row = replace(row, reason="; ".join(other_remarks))
    if FORMERLY_DISTURBED not in remarks:
        return row
    return replace(row, trusted=False, doubt="other load disturbed most of its samples")
