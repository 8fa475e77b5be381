"""The end of the page: what was not measured and why, where theory comes from, and the device."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from analysis.tell.page.markup import clipped, paragraph
from analysis.tell.page.tables import table_of_texts
from analysis.theory.peaks import peaks
from analysis.units import si
from kernels.device import Device
from probes.records.measurement import OK, Measurement
from probes.records.run import Run

REASONS = 300
"""Lines of what was not measured; measurements.csv has them all."""


def not_measured(rows: Iterable[Measurement]) -> str:
    """Skipped and failed cases with their reasons, failed ones first."""
    missing = [row for row in rows if row.status != OK]
    if not missing:
        return paragraph("None: every case was measured.")
    missing.sort(key=lambda row: row.status)
    cells = []
    for row in missing[:REASONS]:
        case = f"{row.kernel}/{row.backend} {row.dtype}"
        if row.layer:
            case += f": {row.layer}"
        cells.append((row.ceiling, row.status, case, row.reason))
    content = table_of_texts("Not measured", ("ceiling", "status", "case", "reason"), cells)
    if len(missing) > REASONS:
        left_out = len(missing) - REASONS
        content += paragraph(f"{left_out} more in measurements.csv.", "soft")
    return content


def theory(device: Device) -> str:
    """Every peak of a device with its formula and the number of its source, and the sources."""
    numbers: dict[str, int] = {}
    lines = []
    for tag, peak in peaks(device).items():
        value = si(peak.value or peak.limit, peak.unit)
        number = numbers.setdefault(peak.source, len(numbers) + 1) if peak.source else 0
        note = f"[{number}]" if number else "–"
        lines.append((tag, value, peak.formula, note))
    if not lines:
        return paragraph("No source tells what this device could do in theory.")
    heads = ("ceiling", "nominal peak", "formula", "source")
    notes = "".join(f"<li>{escape(clipped(source))}</li>" for source in numbers)
    sources = f'<h3>Sources</h3><ol class="sources">{notes}</ol>' if notes else ""
    return table_of_texts("Where the theory comes from", heads, lines) + sources


def facts_table(run: Run) -> str:
    """What is known of the device, of versions and of settings."""
    return table_of_texts("Device, versions and settings", ("fact", "value"), facts(run))


def facts(run: Run) -> list[tuple[str, str]]:
    """(name, value) of what is known of the device, of versions and of settings."""
    device = run.device
    units = "streaming multiprocessors" if device.kind == "cuda" else "cores measured"
    last_cache = "unknown"
    if device.last_cache_bytes:
        last_cache = f"{device.last_cache_bytes / 2**20:.4g} MiB"
    by_name: dict[str, object] = {
        "architecture": device.arch or "unknown",
        units: device.units,
        "rated clock": si(device.clock_hz, "Hz"),
        "last cache": last_cache,
        "memory": si(device.memory_bytes, "B"),
    }
    by_name.update(device.facts)
    by_name.update(run.versions)
    by_name.update({f"setting: {key}": value for key, value in run.settings.items()})
    return [(name, str(value)) for name, value in by_name.items()]
