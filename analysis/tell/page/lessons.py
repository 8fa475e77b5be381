"""The page of lessons: how many hold, then each claim with verdict, evidence, picture, command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED, Trial
from analysis.naming import name_of_row
from analysis.outcome import Outcome
from analysis.tell.on_lessons import WORDS, answer, in_order
from analysis.tell.page.markup import folded, heading, paragraph
from analysis.tell.page.plain import MOST_PICTURES, PlainPage
from analysis.tell.page.stills import Stills
from analysis.tell.page.tables import table_of_texts
from analysis.units import plus_minus, si, unbroken, unit_of
from probes.records.measurement import OK, Measurement

PAGE = "lessons.html"
BADGES = {HOLDS: "good", FAILS: "low", UNDECIDED: "fair", UNTRIED: "fair"}
"""How the page's style calls the look of a verdict."""
TITLES = {
    FAILS: "What does not hold here",
    HOLDS: "What holds here",
    UNDECIDED: "What cannot be told here",
    UNTRIED: "What cannot be tried here",
}
METHOD = (
    "Each verdict follows a rule that looks at rows of this run alone. A number is known within "
    "the interval of its samples, widened by what two timings of one run differ by from moment to "
    "moment. Where an interval holds the border, the verdict is that it cannot be told. What "
    "cannot be tried lacks a part, which the reason names. All rows stand in measurements.csv; "
    "--replot judges them again."
)


MOST_ROWS = 20
"""Of a claim, that the page shows; measurements.csv has all."""


def picture_of(name: str) -> str:
    """Name of the picture of a lesson, without ending."""
    return f"lesson-{name}"


def html(outcome: Outcome, pictures: Mapping[str, str]) -> str:
    """The page. pictures: SVG text by the name of the picture's file, without ending."""
    stills = Stills(pictures, MOST_PICTURES)
    trials = in_order(outcome.trials)
    sections = [("claims", "All claims", _table(trials))]
    for verdict, title in TITLES.items():
        of_verdict = [trial for trial in trials if trial.verdict == verdict]
        if of_verdict:
            parts = [_section(trial, stills) for trial in of_verdict]
            sections.append((WORDS[verdict], title, "".join(parts)))
    sections.append(("method", "How they are judged", paragraph(METHOD)))
    run = outcome.run
    page = PlainPage(
        kind="Lessons",
        made="Measured",
        title=f"The textbook, tested on {run.device.name}",
        facts=f"{run.started[:10]} · {outcome.trust.line if outcome.trust else ''}",
        answer=[answer(outcome.trials)],
        sections=sections,
        table="claims",
    )
    return page.html()


def _table(trials: Sequence[Trial]) -> str:
    """A line for each claim."""
    cells = [[trial.title, trial.verdict, trial.command] for trial in trials]
    return table_of_texts("Claims", ["claim", "verdict", "to repeat it"], cells)


def _section(trial: Trial, stills: Stills) -> str:
    """A claim with all that is known of it."""
    badge = f'<span class="badge {BADGES[trial.verdict]}">{escape(trial.verdict)}</span>'
    parts = [heading(3, trial.title), f"<p>{escape(trial.claim)} {badge}</p>"]
    if trial.evidence:
        parts.append(paragraph(unbroken(trial.evidence)))
    if trial.reason:
        parts.append(paragraph(unbroken(f"Why: {trial.reason}.")))
    parts.append(stills.show(picture_of(trial.name), trial.evidence or trial.claim))
    parts.append(_rows(trial))
    parts.append(paragraph(f"Rule: {trial.rule} Source: {trial.source}", "soft"))
    parts.append(f'<p class="soft">Repeat: <code>{escape(trial.command)}</code></p>')
    return "".join(parts)


def _rows(trial: Trial) -> str:
    """The rows that a claim was judged by, folded away."""
    if not trial.rows:
        return ""
    cells = [_row(row) for row in trial.rows[:MOST_ROWS]]
    heads = ["row", "measured", "time", "spread", "remark"]
    table = table_of_texts(f"Rows of {trial.title}", heads, cells)
    more = len(trial.rows) - len(cells)
    if more > 0:
        table += paragraph(f"{more} more in measurements.csv.", "soft")
    return folded(f"Its rows ({len(trial.rows)})", table)


def _row(row: Measurement) -> list[str]:
    """The cells of a row."""
    is_ok = row.status == OK
    return [
        name_of_row(row),
        si(row.value, unit_of(row.ceiling, row.dtype)) if is_ok else row.status,
        si(row.seconds_median, "s") if is_ok else "–",
        plus_minus(row.spread),
        row.doubt or row.reason,
    ]
