"""What a run found, in words and tables: one HTML file that opens anywhere, offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import label, ridge, roofline
from analysis.model.sweeps import POINT_HEAD, SweepChart, points
from analysis.model.trust import Trust
from analysis.tell import markup
from analysis.tell.columns import Column
from analysis.theory.peaks import peaks
from analysis.units import percent, plus_minus, short, si
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.run import COMPLETE, Run

TEMPLATE = Path(__file__).with_name("report.html")
Cell = str | tuple[str, str]  # text, or text and the exact value shown on pointing at it
Shown = tuple[SweepChart, str]  # a sweep and its picture as SVG text


def _exact(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value!r} {unit}".strip()


def _measured(ceiling: Ceiling) -> str:
    return si(ceiling.rate, ceiling.unit) if ceiling.status == OK else ceiling.status


def _theory_of(ceiling: Ceiling) -> str:
    """The peak that a ceiling is compared with: at the observed clock where that is known."""
    peak = ceiling.observed_peak or ceiling.nominal_peak
    return si(peak, ceiling.unit) if peak else "unknown"


def _remarks(ceiling: Ceiling) -> str:
    doubt = "" if ceiling.trusted else f"not trusted: {ceiling.doubt}"
    return "; ".join(filter(None, (doubt, ceiling.remark)))


COLUMNS: tuple[Column[Ceiling], ...] = (
    Column(name="ceiling", text=lambda c: c.tag, least=18),
    Column(name="measured", text=_measured, exact=lambda c: _exact(c.rate, c.unit), number=True),
    Column(name="theoretical", text=_theory_of, number=True, may_go=3, on_page=False),
    Column(
        name="theory, rated clock",
        text=lambda c: si(c.nominal_peak, c.unit),
        exact=lambda c: _exact(c.nominal_peak, c.unit),
        number=True,
        on_terminal=False,
    ),
    Column(
        name="theory, observed clock",
        text=lambda c: si(c.observed_peak, c.unit),
        exact=lambda c: _exact(c.observed_peak, c.unit),
        number=True,
        on_terminal=False,
    ),
    Column(
        name="share",
        text=lambda c: percent(c.share),
        exact=lambda c: _exact(c.share, ""),
        number=True,
        may_go=6,
    ),
    Column(
        name="spread",
        text=lambda c: plus_minus(c.spread),
        exact=lambda c: _exact(c.spread, ""),
        number=True,
        may_go=5,
    ),
    Column(
        name="clock",
        text=lambda c: si(c.clock_hz, "Hz"),
        exact=lambda c: _exact(c.clock_hz, "Hz"),
        number=True,
        may_go=2,
    ),
    Column(name="samples", text=lambda c: samples_of(c), number=True, may_go=1),
    Column(name="remarks", text=_remarks, least=20, may_go=4),
)
"""The table of ceilings, on the terminal and on the page. A fact of a ceiling is shown by a line
here.
"""

ON_TERMINAL = tuple(column for column in COLUMNS if column.on_terminal)
ON_PAGE = tuple(column for column in COLUMNS if column.on_page)


def cells(ceiling: Ceiling) -> tuple[str, ...]:
    """A ceiling as people read it on a terminal."""
    return tuple(column.text(ceiling) for column in ON_TERMINAL)


def samples_of(ceiling: Ceiling) -> str:
    """How many samples speak for a ceiling, of how many were taken: ``21 of 57``."""
    taken = ceiling.samples + ceiling.dropped
    return f"{ceiling.samples} of {taken}" if ceiling.dropped else str(taken or "–")


def no_verdict(doubted: Sequence[Ceiling]) -> list[str]:
    """Why nothing is said of what these roofs would bound: a sentence, or none where there are
    none.
    """
    if not doubted:
        return []
    reasons = [f"{label(ceiling.tag)} ({_why_doubted(ceiling)})" for ceiling in doubted]
    whose = "its roof" if len(doubted) == 1 else "their roofs"
    return [
        f"No verdict on {', '.join(reasons)}: {whose} cannot be trusted. "
        "Quiet the machine, or give --roofs of a quiet run."
    ]


def _why_doubted(ceiling: Ceiling) -> str:
    """The doubt about a ceiling, and its share of theory where that is known."""
    share = f", {percent(ceiling.share)} of theory" if ceiling.share else ""
    return f"{ceiling.doubt}{share}"


def summary(run: Run, found: Mapping[str, Ceiling], notes: Iterable[str] = ()) -> list[str]:
    """A few plain sentences: the best bandwidth, the ridge points, what sweeps told (``notes``),
    what went ill.
    """
    model = roofline(found.values())
    said = []
    if model.memory:
        share = f", {percent(model.memory.share)} of theory" if model.memory.share else ""
        said.append(f"{model.memory.label} gives {si(model.memory.rate, 'B/s')}{share}.")
    said += no_verdict(model.doubted)
    if model.memory and model.compute:
        ridges = [f"{short(ridge(r.rate, model.memory.rate))} for {r.label}" for r in model.compute]
        said.append(
            f"Ridge points over {model.memory.label}, in operations per byte: {', '.join(ridges)}."
        )
    said += [f"{note[0].upper()}{note[1:]}." for note in notes]
    counts = {
        status: sum(m.status == status for m in run.measurements)
        for status in (OK, SKIPPED, FAILED)
    }
    said.append(f"{counts[OK]} cases measured, {counts[SKIPPED]} skipped, {counts[FAILED]} failed.")
    if failed := list(
        dict.fromkeys(f"{m.ceiling} ({m.backend})" for m in run.measurements if m.status == FAILED)
    ):
        said.append(f"Failed: {', '.join(failed)}.")
    if run.status != COMPLETE:
        said.append("The run is partial: it was ended before every case had its turn.")
    return said


def html(
    run: Run,
    found: Mapping[str, Ceiling],
    svg: str,
    notes: Iterable[str] = (),
    sweeps: Iterable[Shown] = (),
    layers: str = "",
    trust: Trust | None = None,
) -> str:
    """The report as one self-contained page; ``sweeps`` with their pictures, ``layers``: their
    section as HTML.
    """
    device = run.device
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{device.name}, {run.started[:10]}"),
        device=escape(device.name),
        started=escape(run.started),
        partial="" if run.status == COMPLETE else '<p class="warn">This run is partial.</p>',
        trust=f'<p class="trust {trust.level}">{escape(trust.line)}</p>' if trust else "",
        summary="".join(f"<p>{escape(text)}</p>" for text in summary(run, found, notes)),
        warnings="".join(
            f'<p class="warn">{escape(text)}</p>' for text in (*run.warnings, *run.damage)
        ),
        svg=svg[svg.index("<svg") :],
        sweeps="".join(map(_sweep, sweeps)),
        layers=layers,
        ceilings=_table([column.name for column in ON_PAGE], map(_page_cells, found.values())),
        failed=_reasons(run.measurements),
        theory=_theory(run),
        facts=_table(("fact", "value"), _facts(run)),
    )


def _page_cells(ceiling: Ceiling) -> list[Cell]:
    """A ceiling on the page, with the exact number behind every rounded one."""
    return [(column.text(ceiling), column.exact(ceiling)) for column in ON_PAGE]


def _cell(cell: Cell) -> str:
    text, exact = cell if isinstance(cell, tuple) else (cell, "")
    title = f' title="{escape(exact)}"' if exact else ""
    return f"<td{title}>{escape(text)}</td>"


def _table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    return markup.table(head, (map(_cell, row) for row in rows))


def _sweep(shown: Shown) -> str:
    """A picture, and its points folded away."""
    sweep, svg = shown
    rows = [[str(cell) for cell in row] for row in points(sweep)]
    return (
        f"<h2>{escape(sweep.title)}</h2><figure>{svg[svg.index('<svg') :]}</figure>"
        f"<details><summary>{len(rows)} points</summary>{_table(POINT_HEAD, rows)}</details>"
    )


def _reasons(rows: Iterable[Measurement]) -> str:
    """Skipped and failed cases with their reasons, failed ones first."""
    missing = sorted((m for m in rows if m.status != OK), key=lambda m: m.status)
    if not missing:
        return "<p>None: every case was measured.</p>"
    named = (
        (
            m.status,
            m.ceiling,
            f"{m.kernel}/{m.backend} {m.dtype}{f': {m.layer}' * bool(m.layer)}",
            m.reason,
        )
        for m in missing
    )
    return _table(("status", "ceiling", "case", "reason"), named)


def _theory(run: Run) -> str:
    known = peaks(run.device)
    rows = ((tag, si(p.value or p.limit, p.unit), p.formula, p.source) for tag, p in known.items())
    return _table(("tag", "peak", "formula", "source"), rows)


def _facts(run: Run) -> list[tuple[str, str]]:
    device = run.device
    unit = "streaming multiprocessors" if device.kind == "cuda" else "cores measured"
    named = {
        "architecture": device.arch or "unknown",
        unit: device.units,
        "rated clock": si(device.clock_hz, "Hz"),
        "last cache": f"{device.last_cache_bytes / 2**20:.4g} MiB"
        if device.last_cache_bytes
        else "unknown",
        "memory": si(device.memory_bytes, "B"),
        **device.facts,
        **run.versions,
        **{f"setting: {key}": value for key, value in run.settings.items()},
    }
    return [(key, str(value)) for key, value in named.items()]
