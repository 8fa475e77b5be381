"""The files of a run: written so that a run killed at any moment leaves readable ones. Standard
library only.

A run directory holds ``run.json`` (what was asked of which device, complete or partial) and
``measurements.csv``; analysis adds the rest and reads nothing else.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kernels.device import Device
from probes.records.given import parsed, reason, text
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
from probes.records.table import GUARD, csv_text, in_words, named, read_table

RUN_FILE, ROWS_FILE, CURVE_FILE = "run.json", "measurements.csv", "sustained.csv"
COMPLETE, PARTIAL = "complete", "partial"
PART = ".part"
OF_PROCESS = re.compile(rf"[\w.-]+?\.(?:csv|json|png|svg|html)(?:\.(\d{{1,9}}))?{re.escape(PART)}")
"""Name of a file that is being written, and which process writes it (versions without it wrote
none).
"""
ELSEWHERE = ("measurements", "guarded", "damage")  # what of a run stands in no field of its file


@dataclass
class Run:
    """One run: the device, what was asked, and the rows so far. ``status`` is partial until the
    end.

    load: what else ran on the machine, ``before`` and ``during`` the measurement, as
    ``devices.load.Load`` says it. Not stored: ``guarded``, whether cells that a spreadsheet would
    compute have a guard (older versions wrote none); ``damage``, sentences on what could not be
    read back.
    """

    device: Device
    started: str
    settings: dict[str, Any]
    versions: dict[str, str]
    ended: str = ""
    status: str = PARTIAL
    warnings: list[str] = field(default_factory=list)
    load: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    measurements: list[Measurement] = field(default_factory=list)
    guarded: bool = True
    damage: list[str] = field(default_factory=list)

    def save_rows(self, folder: Path) -> None:
        """Write the rows so far. Raises OSError."""
        replace_file(folder / ROWS_FILE, csv_text(self.measurements, Measurement))

    @property
    def measured(self) -> bool:
        """Whether any row holds a timing."""
        return any(row.samples for row in self.measurements)

    def save(self, folder: Path) -> None:
        """Write both files of this run into ``folder``. Raises OSError (no space left, say)."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ELSEWHERE}
        facts.update(device=asdict(self.device), guard=GUARD)
        self.save_rows(folder)
        replace_file(folder / RUN_FILE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_folder(out: Path, device: Device, started: str) -> Path:
    """``<out>/<device>/<UTC time>``, new: ``-2`` behind the time of a second run of that second,
    and so on.

    Raises RidgelineError where it cannot be written.
    """
    above, name = out / device.slug, started.replace(":", "").replace("-", "")
    try:
        above.mkdir(parents=True, exist_ok=True)
        return next(
            made
            for n in itertools.count(1)
            if (made := _made(above / (name if n == 1 else f"{name}-{n}")))
        )
    except OSError as error:
        raise RidgelineError(f"cannot write to --out {out}: {reason(error)}") from None


def _made(folder: Path) -> Path | None:
    """The folder if it is new. Only the making tells: another run may look at the same moment."""
    try:
        folder.mkdir()
    except FileExistsError:
        return None
    return folder


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: a reader, or a run killed at any moment, sees the old one or
    the new.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    try:
        # a path in it may have bytes that are no UTF-8
        part.write_bytes(
            content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed as they wrote have left in a run's folder."""
    for part in folder.glob(f"*{PART}"):
        found = OF_PROCESS.fullmatch(part.name)
        if found and not _lives(int(found[1] or 0)):
            with suppress(OSError):
                part.unlink()


def _lives(process: int) -> bool:
    """Whether a process is still there that may be at work; 0 is none."""
    if process in (0, os.getpid()):
        return False
    try:
        os.kill(process, 0)
        state = (
            Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        )
    except ProcessLookupError:
        return False
    except (OSError, IndexError):  # of another user, or no /proc here
        return True
    return state != "Z"  # dead, and not yet waited for


def read_run(folder: Path) -> Run:
    """Read a run directory back; what is damaged in it is left out, and told in ``damage``.

    Raises RidgelineError with one line if it is no run.
    """
    try:
        facts = _read_facts(folder / RUN_FILE)
        device, lost = device_of(facts["device"])
    except ValueError as error:
        raise RidgelineError(f"{folder / RUN_FILE} is damaged: {error}") from None
    except RecursionError:
        raise RidgelineError(f"{folder / RUN_FILE} is damaged: it is nested too deep") from None
    run = Run(device, facts["started"], facts["settings"], facts["versions"], damage=lost)
    run.guarded = facts.get("guard") == GUARD
    for name, kind in {"ended": str, "status": str, "warnings": list, "load": dict}.items():
        if isinstance(facts.get(name), kind):
            setattr(run, name, facts[name])
        elif facts.get(name) is not None:
            run.damage.append(f"{RUN_FILE}: {name} is damaged and left out")
    run.warnings = [warning for warning in run.warnings if isinstance(warning, str)]
    table = read_table(folder / ROWS_FILE, Measurement, LIMITS, run.guarded, row_problem)
    run.damage += in_words(folder / ROWS_FILE, table)
    if unknown := [
        line for row, line in zip(table.rows, table.lines, strict=True) if row.params == NULL
    ]:
        run.damage.append(
            f"{ROWS_FILE} {named(unknown)} read as if params were empty: it is {NULL!r}"
        )
    rows = [replace(row, params="") if row.params == NULL else row for row in table.rows]
    rows = [_of_this_schema(row) for row in rows]
    run.measurements = rows if "trusted" in table.columns else list(map(_older, rows))
    return run


def read_moments(folder: Path, run: Run) -> list[Moment]:
    """The curve of a sustained load in this run's folder, empty where there is none; ``run`` is
    told of damage.
    """
    path = folder / CURVE_FILE
    if not path.exists():
        return []
    try:
        table = read_table(path, Moment, MOMENT_LIMITS, run.guarded, moment_problem)
    except RidgelineError as error:
        run.damage.append(str(error))
        return []
    run.damage += in_words(path, table)
    return table.rows


def _read_facts(path: Path) -> dict[str, Any]:
    """What ``run.json`` says, as an object that has all a run needs. Raises RidgelineError."""
    try:
        facts = parsed(path, text(path))
    except RidgelineError as error:
        raise RidgelineError(f"{path.parent} is not a run of Ridgeline: {error}") from None
    needed = {
        "device": dict,
        "started": str,
        "settings": dict,
        "versions": dict,
        "schema_version": int,
    }
    for key, kind in needed.items():
        if not isinstance(facts, dict) or type(facts.get(key)) is not kind:
            raise RidgelineError(f"{path} is not a run of Ridgeline: it has no usable {key!r}")
    if why := schema_problem(facts["schema_version"]):
        raise RidgelineError(f"{path}: {why}")
    return dict(facts)


def _of_this_schema(row: Measurement) -> Measurement:
    """The row with those facts in columns of their own that schema 1 kept in params and remarks."""
    if row.schema_version >= SCHEMA_VERSION:
        return row
    params = read_params(row.params)
    emulated = bool(params.get("emulated")) or row.reason.startswith(FORMERLY_EMULATED)
    return replace(row, x=number(params, "x"), emulated=emulated)


def _older(row: Measurement) -> Measurement:
    """A row of a file without the column ``trusted``, in which remarks told of the disturbance and
    of the spread.
    """
    remarks = row.reason.split("; ")
    kept = [
        text
        for text in remarks
        if text != FORMERLY_DISTURBED and not text.startswith(FORMERLY_WIDE)
    ]
    row = replace(row, reason="; ".join(kept))
    if FORMERLY_DISTURBED not in remarks:
        return row
    return replace(row, trusted=False, doubt="other load disturbed most of its samples")
