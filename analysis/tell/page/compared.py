"""The page of a comparison: the answer, the pictures, every row with its evidence, the runs."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.compare import words
from analysis.compare.columns import columns_of
from analysis.compare.comparison import FAILED, PASSED, Comparison
from analysis.compare.recorded import Record, machine_of, records
from analysis.compare.sides import ComparedRun, Side
from analysis.compare.verdict import ENOUGH_RUNS, LEVEL
from analysis.tell.page.markup import paragraph
from analysis.tell.page.plain import PlainPage, pictures_within
from analysis.tell.page.tables import table_of, table_of_texts
from analysis.units import percent, watts

METHOD = (
    f"With {ENOUGH_RUNS} or more runs a side, the spread from run to run is the noise: a t-test on "
    "logarithms of speeds, where rows of the same make lend each other their spread (empirical "
    "Bayes), and the recorded drift between sets is added. p-values account for all rows "
    f"(Benjamini and Hochberg): of the rows called slower or faster at most {percent(LEVEL)} are "
    "called so wrongly. With fewer runs, or where one side had more load, a change is told only "
    "beyond the range that is recorded for that row on that kind of machine. Rows that cannot be "
    "trusted are not told."
)


def html(comparison: Comparison, pictures: Mapping[str, str]) -> str:
    """The page. pictures: SVG text by the name of the picture's file, without ending."""
    sections = [
        ("pictures", "Pictures", _pictures(comparison, pictures)),
        ("rows", "Rows", _rows(comparison)),
        ("runs", "Runs", _runs(comparison)),
        ("method", "Method and sources", paragraph(METHOD) + _records(comparison)),
    ]
    devices = dict.fromkeys(side.device for side in comparison.sides)
    page = PlainPage(
        kind="Runs compared",
        made="Compared",
        title=", ".join(devices),
        badge=_badge(comparison),
        facts=_sides_in_words(comparison),
        answer=_answer(comparison),
        sections=sections,
        table="rows",
    )
    return page.html()


def _badge(comparison: Comparison) -> str:
    """How the gate ended."""
    if comparison.gate is None:
        return ""
    said = {PASSED: ("good", "passed"), FAILED: ("low", "failed")}
    css_class, word = said.get(comparison.code, ("fair", "cannot tell"))
    return f'<span class="badge {css_class}">GATE {percent(comparison.gate)} {word}</span>'


def _sides_in_words(comparison: Comparison) -> str:
    """``3 runs (…) against baseline (…)``."""
    first, *others = map(_side_in_words, comparison.sides)
    return f"{', '.join(others)} against {first}"


def _side_in_words(side: Side) -> str:
    """``baseline (3 runs, 2026-11-28)``."""
    runs = "1 run" if len(side.runs) == 1 else f"{len(side.runs)} runs"
    return f"{side.name} ({runs}, {side.runs[0].started[:10]})"


def _answer(comparison: Comparison) -> list[str]:
    """The answer, then each change with evidence and cause."""
    sentences = [words.answer(comparison)]
    if gate := words.gate_sentence(comparison):
        sentences.append(gate)
    return [*sentences, *words.sentences(comparison)]


def _pictures(comparison: Comparison, pictures: Mapping[str, str]) -> str:
    """The pictures that there is room for."""
    names = " and ".join(side.name for side in comparison.sides)
    spoken = {
        "compared": f"Measured roofs of {names} over each other",
        "changes": f"Change of each row: {words.answer(comparison)}",
    }
    return pictures_within(pictures, spoken)


def _rows(comparison: Comparison) -> str:
    """Every row; slower ones first in the answer above, all in their order here."""
    columns = columns_of(comparison, on_page=True)
    key = words.key(comparison)
    explained = paragraph(key, "soft") if key else ""
    return explained + table_of("Rows compared", columns, comparison.rows, "table-rows")


def _runs(comparison: Comparison) -> str:
    """The runs with their circumstances."""
    heads = ["side", "run", "device", "started", "others had", "driver", "power limit", "trust"]
    cells = [_run(side, run) for side in comparison.sides for run in side.runs]
    return table_of_texts("Runs compared", heads, cells)


def _run(side: Side, run: ComparedRun) -> list[str]:
    """The cells of a run."""
    facts = run.circumstances
    trust = run.outcome.trust
    return [
        side.name,
        str(run.folder),
        facts.device,
        run.started,
        percent(facts.busy),
        facts.driver or "–",
        watts(facts.power_limit_w),
        trust.level if trust else "–",
    ]


def _records(comparison: Comparison) -> str:
    """The recorded ranges of the kinds of machines that were compared, with their sources."""
    machines = dict.fromkeys(machine_of(run.circumstances) for run in comparison.runs)
    parts = []
    for machine in machines:
        of_machine = records().get(machine, ())
        if not of_machine:
            parts.append(paragraph(f"No ranges are recorded for this kind of machine: {machine}."))
            continue
        cells = [_record(record) for record in of_machine]
        heads = ["rows", "range of single runs", "drift between sets", "runs"]
        parts.append(table_of_texts(f"Recorded ranges of a {machine}", heads, cells))
        sources = dict.fromkeys(record.source for record in of_machine)
        parts += [paragraph(f"Of a {machine}: {source}.", "soft") for source in sources]
    return "".join(parts)


def _record(record: Record) -> list[str]:
    """The cells of a record."""
    return [record.tag, percent(record.range), percent(record.drift), str(record.runs)]
