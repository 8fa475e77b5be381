"""The files of a run: written so that a run killed at any moment leaves readable ones. Standard library only.

A run directory holds ``run.json`` (what was asked of which device, complete or partial) and
``measurements.csv``; analysis adds the rest and reads nothing else.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from probes.harness.records import FORMERLY_DISTURBED, SCHEMA_VERSION, Device, Measurement, RidgelineError

RUN_FILE, ROWS_FILE = "run.json", "measurements.csv"
COMPLETE, PARTIAL = "complete", "partial"


@dataclass
class Run:
    """One run: the device, what was asked, and the rows so far. ``status`` is partial until the end.

    load: what else ran on the machine, ``before`` and ``during`` the measurement, as ``devices.load.Load`` says it.
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

    def save_rows(self, folder: Path) -> None:
        """Write the rows so far. Raises OSError."""
        replace_file(folder / ROWS_FILE, csv_text(self.measurements, Measurement))

    @property
    def measured(self) -> bool:
        """Whether any row holds a timing."""
        return any(row.samples for row in self.measurements)

    def save(self, folder: Path) -> None:
        """Write both files of this run into ``folder``. Raises OSError (no space left, say)."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "measurements"}
        facts["device"] = asdict(self.device)
        self.save_rows(folder)
        replace_file(folder / RUN_FILE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_folder(out: Path, device: Device, started: str) -> Path:
    """``<out>/<device>/<UTC time>``, new: ``-2`` behind the time of a second run of that second, and so on.

    Raises RidgelineError where it cannot be written.
    """
    above, name = out / device.slug, started.replace(":", "").replace("-", "")
    try:
        above.mkdir(parents=True, exist_ok=True)
        return next(made for n in itertools.count(1) if (made := _made(above / (name if n == 1 else f"{name}-{n}"))))
    except OSError as error:
        raise RidgelineError(f"cannot write to --out {out}: {reason(error)}") from None


def _made(folder: Path) -> Path | None:
    """The folder if it is new. Only the making tells: another run may look at the same moment."""
    try:
        folder.mkdir()
    except FileExistsError:
        return None
    return folder


def reason(error: OSError) -> str:
    """What the operating system says went wrong, in lower case."""
    return (error.strerror or str(error)).lower()


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: a reader, or a run killed at any moment, sees the old one or the new."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def csv_text(rows: Iterable[Any], row_type: type) -> str:
    """Dataclass rows as CSV: one header line of the field names; an empty cell is unknown."""
    names = [f.name for f in fields(row_type)]
    return _cells(names) + "".join(map(_line, rows))


@lru_cache(maxsize=1 << 14)
def _line(row: Any) -> str:
    """Of one frozen row: kept, since a run writes all of its rows again after each step."""
    return _cells([_text(getattr(row, f.name)) for f in fields(row)])


def _cells(values: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)  # repr reads back as the same number


def read_run(folder: Path) -> Run:
    """Read a run directory back. Raises RidgelineError with one line if it is not one, or is damaged."""
    facts = _read_facts(folder / RUN_FILE)
    known = {f.name for f in fields(Run)} - {"measurements", "device"}
    run = Run(device=Device.from_json(facts["device"]), **{k: v for k, v in facts.items() if k in known})
    run.measurements = _read_rows(folder / ROWS_FILE)
    return run


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RidgelineError(f"{path.parent} is not a run of Ridgeline: {path.name}: {_why(error)}") from None
    needed = {"device": dict, "started": str, "settings": dict, "versions": dict, "schema_version": int}
    for key, kind in needed.items():
        if not isinstance(facts, dict) or not isinstance(facts.get(key), kind):
            raise RidgelineError(f"{path} is not a run of Ridgeline: it has no usable {key!r}")
    if facts["schema_version"] > SCHEMA_VERSION:
        raise RidgelineError(f"{path} has schema {facts['schema_version']}, newer than {SCHEMA_VERSION}: update")
    if missing := {"kind", "index", "name", "arch", "units"} - facts["device"].keys():
        raise RidgelineError(f"{path} is damaged: its device lacks {', '.join(sorted(missing))}")
    return facts


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return reason(error)
    return f"not valid JSON ({error})"


def _read_rows(path: Path) -> list[Measurement]:
    try:
        with open(path, encoding="utf-8", newline="") as source:
            table = csv.DictReader(source)
            return [_row(path, number, cells) for number, cells in enumerate(table, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RidgelineError(f"{path} cannot be read: {_why(error)}") from None


def _row(path: Path, number: int, cells: dict[str, str]) -> Measurement:
    known = [f for f in fields(Measurement) if f.name in cells or f.default is MISSING]
    try:
        row = Measurement(**{f.name: _value(str(f.type), cells[f.name]) for f in known})
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RidgelineError(f"{path} line {number} is damaged: {error or 'too few cells'}") from None
    return row if "trusted" in cells else _older(row)


def _older(row: Measurement) -> Measurement:
    """A row of a file without the column ``trusted``, in which a remark told of the disturbance."""
    if FORMERLY_DISTURBED not in row.reason:
        return row
    return replace(row, trusted=False, doubt="other load disturbed most of its samples")


def _value(kind: str, text: str) -> Any:
    if kind == "str":
        return text + ""  # a cell cut off is None, and None + "" is the TypeError that names the line
    if not text:
        return None
    if kind == "bool":
        return {"1": True, "0": False}[text]
    return int(text) if kind == "int" else float(text)
