"""The table of ceilings: ``ceilings.csv``, on the terminal and on the page."""

from __future__ import annotations

from analysis.model.ceilings import Ceiling
from analysis.naming import name_of
from analysis.tell.columns import PAGE, TERMINAL, Column, shown_in
from analysis.units import percent, plus_minus, si, watts
from probes.records.measurement import OK
from probes.records.tag import Tag


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


def _name(ceiling: Ceiling) -> str:
    """What people call a ceiling; a mark follows where it cannot be trusted."""
    name = name_of(Tag.parse(ceiling.tag))
    return name if ceiling.trusted else f"{name} {NOT_TRUSTED}"


BRIEF = "the short table"
NOT_TRUSTED = "(?)"
BOTH = TERMINAL, PAGE
ALL = TERMINAL, PAGE, BRIEF

CEILING_COLUMNS: tuple[Column[Ceiling], ...] = (
    Column(stored="schema_version"),
    Column(stored="device"),
    Column(stored="started"),
    Column(name="ceiling", computed=_name, shown=(BRIEF,)),
    Column(stored="tag", name="ceiling", shown=BOTH),
    Column(
        stored="rate",
        name="measured",
        unit=lambda c: c.unit,
        text=_rate,
        number=True,
        shown=ALL,
    ),
    Column(stored="unit"),
    Column(
        name="theoretical",
        computed=_peak,
        unit=lambda c: c.unit,
        text=_peak_in_words,
        number=True,
        shown=(TERMINAL, BRIEF),
        may_go=5,
    ),
    Column(
        stored="nominal_peak",
        name="theory, rated clock",
        unit=lambda c: c.unit,
        number=True,
        shown=(PAGE,),
    ),
    Column(
        stored="observed_peak",
        name="theory, observed clock",
        unit=lambda c: c.unit,
        number=True,
        shown=(PAGE,),
    ),
    Column(stored="share_nominal"),
    Column(stored="share_observed"),
    Column(
        name="share",
        computed=lambda c: c.share,
        unit=lambda c: "",
        text=lambda c: percent(c.share),
        number=True,
        shown=ALL,
        may_go=6,
    ),
    Column(stored="backend"),
    Column(stored="dtype"),
    Column(stored="clock_hz"),
    Column(
        stored="spread",
        name="spread",
        unit=lambda c: "",
        text=lambda c: plus_minus(c.spread),
        number=True,
        shown=ALL,
        may_go=4,
    ),
    Column(  # people read it after the spread, and the file has it before
        name="clock",
        computed=lambda c: c.clock_hz,
        unit=lambda c: "Hz",
        number=True,
        shown=ALL,
        may_go=3,
    ),
    Column(
        stored="samples",
        name="samples",
        text=_samples,
        number=True,
        shown=BOTH,
        may_go=2,
    ),
    Column(stored="status"),
    Column(stored="remark"),
    Column(stored="trusted"),
    Column(stored="doubt"),
    Column(stored="dropped"),
    Column(stored="emulated"),
    Column(
        stored="power_w",
        name="power",
        unit=lambda c: "W",
        text=lambda c: watts(c.power_w),
        number=True,
        shown=ALL,
        if_known=True,
        may_go=2,
    ),
    Column(
        stored="joules",
        name="energy of one",
        unit=lambda c: "J",
        number=True,
        shown=(PAGE,),
        if_known=True,
    ),
    Column(
        stored="per_watt",
        name="per watt",
        unit=lambda c: f"{c.unit}/W",
        number=True,
        shown=ALL,
        if_known=True,
        may_go=4,
    ),
    Column(stored="instruction"),
    Column(name="remarks", computed=_remarks, shown=ALL, least=20, may_go=1),
)
"""A column of a ceiling's table is one entry here, in the order of the file."""

CEILINGS_IN_BRIEF = shown_in(BRIEF, CEILING_COLUMNS)
CEILINGS_ON_TERMINAL = shown_in(TERMINAL, CEILING_COLUMNS)
CEILINGS_ON_PAGE = shown_in(PAGE, CEILING_COLUMNS)
