"""The table of ceilings: ``ceilings.csv``, on the terminal and on the page."""

from __future__ import annotations

from analysis.model.ceilings import Ceiling
from analysis.tell.columns import PAGE, TERMINAL, Column, shown_in
from analysis.units import percent, plus_minus, si
from probes.records.measurement import OK


def _rate(ceiling: Ceiling) -> str:
    """The rate of a ceiling, or why it has none."""
    return si(ceiling.rate, ceiling.unit) if ceiling.status == OK else ceiling.status


def _peak(ceiling: Ceiling) -> float | None:
    """What a ceiling is compared with: theory at the observed clock where that is known."""
    return ceiling.observed_peak or ceiling.nominal_peak


def _peak_in_words(ceiling: Ceiling) -> str:
    peak = _peak(ceiling)
    return si(peak, ceiling.unit) if peak else "unknown"


def _samples(ceiling: Ceiling) -> str:
    """How many samples speak for a ceiling, of how many were taken: ``21 of 57``."""
    taken = ceiling.samples + ceiling.dropped
    if ceiling.dropped:
        return f"{ceiling.samples} of {taken}"
    return str(taken) if taken else "–"


def _remarks(ceiling: Ceiling) -> str:
    """Why a ceiling cannot be trusted, and what else there is to know."""
    parts = [] if ceiling.trusted else [f"not trusted: {ceiling.doubt}"]
    if ceiling.remark:
        parts.append(ceiling.remark)
    return "; ".join(parts)


BOTH = TERMINAL, PAGE

CEILING_COLUMNS: tuple[Column[Ceiling], ...] = (
    Column(stored="schema_version", value=lambda c: c.schema_version),
    Column(stored="device", value=lambda c: c.device),
    Column(stored="started", value=lambda c: c.started),
    Column(stored="tag", name="ceiling", value=lambda c: c.tag, shown=BOTH, least=18),
    Column(
        stored="rate",
        name="measured",
        value=lambda c: c.rate,
        unit=lambda c: c.unit,
        text=_rate,
        number=True,
        shown=BOTH,
    ),
    Column(stored="unit", value=lambda c: c.unit),
    Column(
        name="theoretical",
        value=_peak,
        unit=lambda c: c.unit,
        text=_peak_in_words,
        number=True,
        shown=(TERMINAL,),
        may_go=3,
    ),
    Column(
        stored="nominal_peak",
        name="theory, rated clock",
        value=lambda c: c.nominal_peak,
        unit=lambda c: c.unit,
        number=True,
        shown=(PAGE,),
    ),
    Column(
        stored="observed_peak",
        name="theory, observed clock",
        value=lambda c: c.observed_peak,
        unit=lambda c: c.unit,
        number=True,
        shown=(PAGE,),
    ),
    Column(stored="share_nominal", value=lambda c: c.share_nominal),
    Column(stored="share_observed", value=lambda c: c.share_observed),
    Column(
        name="share",
        value=lambda c: c.share,
        unit=lambda c: "",
        text=lambda c: percent(c.share),
        number=True,
        shown=BOTH,
        may_go=6,
    ),
    Column(stored="backend", value=lambda c: c.backend),
    Column(stored="dtype", value=lambda c: c.dtype),
    Column(stored="clock_hz", value=lambda c: c.clock_hz),
    Column(
        stored="spread",
        name="spread",
        value=lambda c: c.spread,
        unit=lambda c: "",
        text=lambda c: plus_minus(c.spread),
        number=True,
        shown=BOTH,
        may_go=5,
    ),
    Column(  # people read it after the spread, and the file has it before
        name="clock",
        value=lambda c: c.clock_hz,
        unit=lambda c: "Hz",
        number=True,
        shown=BOTH,
        may_go=2,
    ),
    Column(
        stored="samples",
        name="samples",
        value=lambda c: c.samples,
        text=_samples,
        number=True,
        shown=BOTH,
        may_go=1,
    ),
    Column(stored="status", value=lambda c: c.status),
    Column(stored="remark", value=lambda c: c.remark),
    Column(stored="trusted", value=lambda c: c.trusted),
    Column(stored="doubt", value=lambda c: c.doubt),
    Column(stored="dropped", value=lambda c: c.dropped),
    Column(stored="emulated", value=lambda c: c.emulated),
    Column(name="remarks", value=_remarks, shown=BOTH, least=20, may_go=4),
)
"""A column of a ceiling's table is one entry here, in the order of the file."""

CEILINGS_ON_TERMINAL = shown_in(TERMINAL, CEILING_COLUMNS)
CEILINGS_ON_PAGE = shown_in(PAGE, CEILING_COLUMNS)
