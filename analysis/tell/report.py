"""What a run found, in sentences, and as one HTML page that opens anywhere, offline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roofline, label, ridge, roofline
from analysis.model.sweeps import POINT_HEAD, SweepChart, points
from analysis.model.trust import Trust
from analysis.tell import markup
from analysis.tell.ceiling_columns import CEILINGS_ON_PAGE
from analysis.theory.peaks import peaks
from analysis.units import percent, short, si
from kernels.device import Device
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.run import COMPLETE, Run

TEMPLATE = Path(__file__).with_name("report.html")
SweepPicture = tuple[SweepChart, str]
"""A sweep and its picture as SVG text."""


def no_verdict(doubted: Sequence[Ceiling]) -> list[str]:
    """A sentence on why nothing is said of what these roofs would bound; none without roofs."""
    if not doubted:
        return []
    reasons = [f"{label(ceiling.tag)} ({_doubt(ceiling)})" for ceiling in doubted]
    whose = "its roof" if len(doubted) == 1 else "their roofs"
    return [
        f"No verdict on {', '.join(reasons)}: {whose} cannot be trusted. "
        "Quiet the machine, or give --roofs of a quiet run."
    ]


def _doubt(ceiling: Ceiling) -> str:
    """The doubt about a ceiling, and its share of theory where that is known."""
    if not ceiling.share:
        return ceiling.doubt
    return f"{ceiling.doubt}, {percent(ceiling.share)} of theory"


def summary(run: Run, ceilings: Mapping[str, Ceiling], notes: Iterable[str] = ()) -> list[str]:
    """What a run found, in plain sentences.

    The best bandwidth, the ridge points, the notes (what sweeps told, say), and what went ill.
    """
    sentences = _sentences_on_roofs(roofline(ceilings.values()))
    sentences += [f"{note[0].upper()}{note[1:]}." for note in notes]
    times = Counter(row.status for row in run.measurements)
    sentences.append(
        f"{times[OK]} cases measured, {times[SKIPPED]} skipped, {times[FAILED]} failed."
    )
    failed = [f"{row.ceiling} ({row.backend})" for row in run.measurements if row.status == FAILED]
    if failed:
        sentences.append(f"Failed: {', '.join(dict.fromkeys(failed))}.")
    if run.status != COMPLETE:
        sentences.append("The run is partial: it was ended before every case had its turn.")
    return sentences


def _sentences_on_roofs(model: Roofline) -> list[str]:
    """The bandwidth of main memory, the roofs without a verdict, and the ridge points."""
    memory = model.memory
    sentences = []
    if memory:
        share = f", {percent(memory.share)} of theory" if memory.share else ""
        sentences.append(f"{memory.label} gives {si(memory.rate, 'B/s')}{share}.")
    sentences += no_verdict(model.doubted)
    if memory and model.compute:
        ridges = [
            f"{short(ridge(roof.rate, memory.rate))} for {roof.label}" for roof in model.compute
        ]
        sentences.append(
            f"Ridge points over {memory.label}, in operations per byte: {', '.join(ridges)}."
        )
    return sentences


def html(
    run: Run,
    ceilings: Mapping[str, Ceiling],
    svg: str,
    notes: Iterable[str] = (),
    sweeps: Iterable[SweepPicture] = (),
    layers: str = "",
    trust: Trust | None = None,
) -> str:
    """The report as one page that needs nothing from elsewhere.

    svg: the roofline. layers: their section, as HTML.
    """
    device = run.device
    is_partial = run.status != COMPLETE
    warnings = [*run.warnings, *run.damage]
    sentences = summary(run, ceilings, notes)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{device.name}, {run.started[:10]}"),
        device=escape(device.name),
        started=escape(run.started),
        partial=markup.paragraph("This run is partial.", "warn") if is_partial else "",
        trust=markup.paragraph(trust.line, f"trust {trust.level}") if trust else "",
        summary="".join(markup.paragraph(text) for text in sentences),
        warnings="".join(markup.paragraph(text, "warn") for text in warnings),
        svg=markup.svg_element(svg),
        sweeps="".join(_sweep(sweep, picture) for sweep, picture in sweeps),
        layers=layers,
        ceilings=_ceilings(ceilings.values()),
        failed=_reasons(run.measurements),
        theory=_theory(device),
        facts=_table(("fact", "value"), _facts(run)),
    )


def _ceilings(ceilings: Iterable[Ceiling]) -> str:
    """The table of ceilings, with the exact number behind every rounded one."""
    head = [column.name for column in CEILINGS_ON_PAGE]
    return markup.table(head, [_cells(ceiling) for ceiling in ceilings])


def _cells(ceiling: Ceiling) -> list[str]:
    return [_cell(column.in_words(ceiling), column.exact(ceiling)) for column in CEILINGS_ON_PAGE]


def _cell(text: str, exact: str = "") -> str:
    """A cell, and what is shown on pointing at it."""
    title = f' title="{escape(exact)}"' if exact else ""
    return f"<td{title}>{escape(text)}</td>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    return markup.table(head, ([_cell(text) for text in row] for row in rows))


def _sweep(sweep: SweepChart, svg: str) -> str:
    """A picture, and its points folded away."""
    rows = list(points(sweep))
    table = markup.folded(f"{len(rows)} points", _table(POINT_HEAD, rows))
    figure = f"<figure>{markup.svg_element(svg)}</figure>"
    return f"<h2>{escape(sweep.title)}</h2>{figure}{table}"


def _reasons(rows: Iterable[Measurement]) -> str:
    """Skipped and failed cases with their reasons, failed ones first."""
    missing = [row for row in rows if row.status != OK]
    if not missing:
        return "<p>None: every case was measured.</p>"
    missing.sort(key=lambda row: row.status)
    cells = []
    for row in missing:
        case = f"{row.kernel}/{row.backend} {row.dtype}"
        if row.layer:
            case += f": {row.layer}"
        cells.append((row.status, row.ceiling, case, row.reason))
    return _table(("status", "ceiling", "case", "reason"), cells)


def _theory(device: Device) -> str:
    """Every peak of a device with its formula and its source."""
    rows = []
    for tag, peak in peaks(device).items():
        value = si(peak.value or peak.limit, peak.unit)
        rows.append((tag, value, peak.formula, peak.source))
    return _table(("tag", "peak", "formula", "source"), rows)


def _facts(run: Run) -> list[tuple[str, str]]:
    """(name, value) of what is known of the device, of versions and of settings."""
    device = run.device
    units = "streaming multiprocessors" if device.kind == "cuda" else "cores measured"
    last_cache = "unknown"
    if device.last_cache_bytes:
        last_cache = f"{device.last_cache_bytes / 2**20:.4g} MiB"
    facts: dict[str, object] = {
        "architecture": device.arch or "unknown",
        units: device.units,
        "rated clock": si(device.clock_hz, "Hz"),
        "last cache": last_cache,
        "memory": si(device.memory_bytes, "B"),
    }
    facts.update(device.facts)
    facts.update(run.versions)
    facts.update({f"setting: {key}": value for key, value in run.settings.items()})
    return [(name, str(value)) for name, value in facts.items()]
