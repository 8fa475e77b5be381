"""Nsight Compute's CSV (``ncu --csv``): operations and bytes as counted by the hardware.

No model is needed. Two forms: a column per metric (``--page raw``, with a row of units under the
header) and a row per metric (``Metric Name``, ``Metric Unit``, ``Metric Value``; also its summary
per kernel with an ``Average``). Launches of one kernel with one grid are one row, their work and
time summed. What ncu and the program print before the table is passed over. Metrics:
docs.nvidia.com/nsight-compute/ProfilingGuide, "Metrics Reference".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probes.importers.layer_row import layer_row, malformed, precision_of, total
from probes.importers.ncu.counters import (
    LABELS,
    TIME,
    Metrics,
    has_decimal_commas,
    number,
    operations,
    traffic,
    value_of,
    wanted,
)
from probes.importers.source import Source, source_of
from probes.records.measurement import Measurement, RidgelineError

KERNEL, NAME, UNIT, VALUE, AVERAGE = (
    "Kernel Name",
    "Metric Name",
    "Metric Unit",
    "Metric Value",
    "Average",
)

Line = tuple[int, list[str]]


@dataclass
class Launch:
    """What was counted in one launch, or on average in several of one kind."""

    line: int
    """The line of the file where it begins."""
    kernel: str
    """Name of the kernel."""
    grid: str
    """Blocks and threads, as the profiler writes them."""
    count: int = 1
    """How many launches it stands for."""
    metrics: Metrics = field(default_factory=dict)
    """Values by the metric's name."""
    commas: bool = False
    """True if its table has decimal commas."""


def read(file: Path | Source, device: str, started: str, network: str = "") -> list[Measurement]:
    """A row for every kernel and grid.

    Raises RidgelineError that names the line and the metric that is missing or wrong.
    """
    source = source_of(file)
    path = source.path
    lines, before = _table(path, source.text)
    header = lines[0][1]
    launches = _tall(path, lines) if NAME in header else _wide(path, lines)
    kinds: dict[tuple[str, str], list[Launch]] = {}
    for launch in launches:
        kinds.setdefault((launch.kernel, launch.grid), []).append(launch)
    if not kinds:
        raise malformed(path, f"line {before + 1}", "no kernel follows the header")
    work = [_work(path, same) for same in kinds.values()]
    more = {"device": device, "started": started, "network": network or source.stem}
    more["precision"] = precision_of(map(_dtype, work))
    return [_row(same, done, more) for same, done in zip(kinds.values(), work, strict=True)]


def _table(path: Path, text: str) -> tuple[list[Line], int]:
    """Header and rows with their line numbers, and the number of the header's line."""
    written = text.split("\n")
    heads = (i for i, line in enumerate(written) if not line.startswith("==") and KERNEL in line)
    first = next((i for i in heads if KERNEL in _cells_of(written[i])), None)
    if first is None:
        why = next(
            (line.strip() for line in written if line.startswith("==ERROR==")),
            f"no column {KERNEL!r}",
        )
        raise RidgelineError(f"{path} holds no table of Nsight Compute: {why}")
    kept = "\n".join("" if line.startswith("==") else line for line in written[first:])
    rows = csv.reader(io.StringIO(kept), strict=True)
    try:
        return [(first + rows.line_num, cells) for cells in rows if cells], first + 1
    except csv.Error as error:
        why = "a quote never closes" if "end of data" in str(error) else str(error)
        raise malformed(path, f"line {first + rows.line_num}", why) from None


def _cells_of(line: str) -> list[str]:
    """The cells of one line, none where it is no line of a table."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _cells(
    path: Path, lines: Iterable[Line], header: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, cells in lines:
        if len(cells) < len(header):
            raise malformed(path, f"line {line}", f"{len(cells)} cells, not {len(header)}")
        yield line, dict(zip(header, cells, strict=False))


def _wide(path: Path, lines: list[Line]) -> Iterator[Launch]:
    """A row per launch, a column per metric; the row without a kernel holds the units."""
    header = lines[0][1]
    places = [place for place, name in enumerate(header) if "__" in name]
    commas = has_decimal_commas(
        cells[place] for _, cells in lines[1:] for place in places if place < len(cells)
    )
    units: Mapping[str, str] = {}
    for line, cells in _cells(path, lines[1:], header):
        if not cells[KERNEL]:
            units = cells
            continue
        if TIME in header and not units.get(TIME):
            raise malformed(
                path,
                f"line {line}",
                f"no unit of {TIME}: the row of units under the header is missing",
            )
        launch = Launch(line, cells[KERNEL], cells.get("Grid Size", ""), commas=commas)
        for name in filter(wanted, header):
            _add(path, launch, line, name, cells[name], units.get(name, ""))
        yield launch


def _tall(path: Path, lines: list[Line]) -> Iterable[Launch]:
    """A row per metric of a launch (``ID``), or of a kernel in a summary (``Invocations``)."""
    launches: dict[tuple[str, ...], Launch] = {}
    header = lines[0][1]
    value = VALUE if VALUE in header else AVERAGE
    place = header.index(value) if value in header else len(header)
    commas = has_decimal_commas(cells[place] for _, cells in lines[1:] if place < len(cells))
    for line, cells in _cells(path, lines[1:], header):
        if value not in cells or UNIT not in cells:
            raise malformed(path, "header", f"no column {UNIT if value in cells else VALUE!r}")
        if not cells[KERNEL]:
            continue
        key = (
            cells.get("Process ID", ""),
            cells.get("ID", ""),
            cells[KERNEL],
            cells.get("Grid Size", ""),
        )
        new = Launch(line, cells[KERNEL], cells.get("Grid Size", ""), commas=commas)
        launch = launches.setdefault(key, new)
        launch.count = int(number(path, line, "Invocations", cells.get("Invocations", "")) or 1)
        name = LABELS.get(cells[NAME], cells[NAME])
        if wanted(name) and not (cells[NAME] in LABELS and cells[UNIT] == "%"):
            _add(path, launch, line, name, cells[value], cells[UNIT])
    return launches.values()


def _add(path: Path, launch: Launch, line: int, name: str, text: str, unit: str) -> None:
    value = value_of(path, line, name, text, unit, launch.commas)
    if value is not None:
        launch.metrics[name] = value


def _row(
    launches: list[Launch], work: Mapping[str, float] | None, more: Mapping[str, Any]
) -> Measurement:
    first = launches[0]
    count = sum(launch.count for launch in launches)
    moved = total([_times(launch.count, traffic(launch.metrics)) for launch in launches])
    flops = None if work is None else float(sum(work.values()))
    reasons = []
    if flops is None:
        reasons.append("FLOPs not counted")
    if moved is None:
        reasons.append("DRAM bytes not counted")
    seconds = sum(launch.count * launch.metrics[TIME] for launch in launches)
    return layer_row(
        first.kernel,
        short_name(first.kernel),
        _dtype(work),
        [seconds],
        flops,
        moved,
        tool="ncu",
        untyped="type not counted",
        reason="; ".join(reasons),
        **more,
        working_set=_times(1 / count, moved),
        warm=False,
        launches=count,
        grid=first.grid,
        operations=work,
    )


def _work(path: Path, launches: list[Launch]) -> dict[str, float] | None:
    """Operations of all launches by type; None if those of one were not counted.

    Raises RidgelineError for a launch without a time.
    """
    for launch in launches:
        if not launch.metrics.get(TIME):
            raise malformed(
                path, f"line {launch.line}", f"no {TIME} of {launch.kernel}: add it to --metrics"
            )
    work: dict[str, float] = {}
    for launch in launches:
        done = operations(launch.metrics)
        if done is None:
            return None
        for dtype, value in done.items():
            work[dtype] = work.get(dtype, 0.0) + launch.count * value
    return work


def _dtype(work: Mapping[str, float] | None) -> str:
    """The type of most operations; empty if none are known."""
    if not work or not any(work.values()):
        return ""
    return max(work, key=work.__getitem__)


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def short_name(kernel: str) -> str:
    """The bare name of a kernel: ``gemm`` of ``void ns::gemm<float, 128>(float *)``."""
    plain = kernel.replace("(anonymous namespace)::", "").removeprefix("void ")
    return re.sub(r"[<(].*", "", plain).split("::")[-1].strip() or kernel
